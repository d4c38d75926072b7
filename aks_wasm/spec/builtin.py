"""The cluster that `up` makes when there is no file: one Wasm pool, an HTTP service and a job, both real Wasm."""

from __future__ import annotations

from typing import Any


def builtin_document() -> dict[str, Any]:
    """Return the document of the built-in hello, as if it had been read from a file.

    Paths are absolute, into the installed package.
    """
    from aks_wasm import hello

    return {
        "apiVersion": "aks-wasm/v1",
        "kind": "Cluster",
        "metadata": {"name": "hello"},
        "nodePools": [{"name": "wasm", "arch": "arm64"}],
        "shims": ["spin"],
        "workloads": [
            {"name": "hello", "shim": "spin", "source": str(hello.service_manifest()), "replicas": 2},
            {"name": "task", "shim": "spin", "source": str(hello.job_manifest()), "kind": "job"},
        ],
    }
