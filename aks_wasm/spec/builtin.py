"""The cluster that `up` makes when there is no file: one Wasm pool, an HTTP service and a job, both real Wasm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aks_wasm

HELLO = Path(aks_wasm.__file__).parent / "hello"


def builtin_document(target: str | None = None) -> dict[str, Any]:
    """Return the document of the built-in hello, as if it had been read from a file; its paths are absolute.

    Args:
        target: What it is for: containers on this machine have this machine's architecture.
    """
    return {
        "apiVersion": "aks-wasm/v1",
        "kind": "Cluster",
        "metadata": {"name": "hello"},
        "nodePools": [{"name": "wasm"} if target == "local" else {"name": "wasm", "arch": "arm64"}],
        "shims": ["spin"],
        "workloads": [
            {"name": "hello", "shim": "spin", "source": str(HELLO / "service" / "spin.toml"), "replicas": 2},
            {"name": "task", "shim": "spin", "source": str(HELLO / "job" / "spin.toml"), "kind": "job"},
        ],
    }
