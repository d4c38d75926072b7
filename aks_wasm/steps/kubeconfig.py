"""The way into the cluster: an own kubeconfig under AKS_WASM_HOME."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aks_wasm.kube.kubeconfig import remove_context, write_kubeconfig
from aks_wasm.steps.step import StepContext


def kubeconfig_path(home: Path, cluster: str) -> Path:
    """Return where the kubeconfig of a cluster is kept."""
    return home / "kubeconfigs" / f"{cluster}.yaml"
