"""Table answers: the columns `kubectl get` prints."""

from __future__ import annotations

from typing import Any

from aks_wasm.emulator.cluster.kinds import Kind
from aks_wasm.emulator.cluster.trees import Tree


def table(kind: Kind, items: list[Tree], meta: Tree, include: str) -> dict[str, Any]:
    """Return a meta.k8s.io/v1 Table."""
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "columnDefinitions": [], "rows": []}
