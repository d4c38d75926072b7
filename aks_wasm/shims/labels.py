"""Labels and marks on Kubernetes objects and nodes; the one place that spells them."""

from __future__ import annotations

from typing import Literal

MANAGED_BY = "app.kubernetes.io/managed-by"
PART_OF = "app.kubernetes.io/part-of"
NAME = "app.kubernetes.io/name"
COMPONENT = "app.kubernetes.io/component"
MANAGER = "aks-wasm"

POOL_ROUTE = "aks-wasm.dev/pool-route"
"""Node label: `wasi-preview` or `shim`."""

SHIMS = "aks-wasm.dev/shims"
"""Node label: `installed` where our installer is to work. Like the one above it is set on the pool through the API, so
that the autoscaler knows it of a pool at zero (Azure/AKS#2586)."""

INSTALLED = "installed"

READY = "ready"
"""Value of the labels that `ready_label` names."""

PROOF = "aks-wasm.dev/proof"
"""Node annotation: what a probe has proved on this boot of the node."""

ASKED_BY = "aks-wasm.dev/asked-by"
"""Annotation on the RuntimeClass of a shim's probes: `file` where a file has asked for the shim. `up` takes it off the
nodes when the file no longer does, as `kubectl apply --prune` does with what it has applied; what `runtime install` has
put there stays. That RuntimeClass is the last to go, so that a removal which was cut off is gone on with."""

BY_FILE = "file"

SYSTEM_NAMESPACE = "aks-wasm-system"


def ready_label(handler: str) -> str:
    """Return the node label that says `ready` once a probe ran through this handler on that very node.

    Our RuntimeClasses select on it. The installer sets and removes it with the kubelet's own credential, which may
    write only to its own node; where no installer works, the command line does, after its own probe. Pools whose
    autoscaler may go down to no node have it from the pool itself: the autoscaler starts a first node only when the
    pool's labels fit the pod. There the kubelet's repeated tries bridge the seconds until the installer is done.
    """
    return f"handler.aks-wasm.dev/{handler}"


def owned(owner: str) -> dict[str, str]:
    """Return the labels that mark an object as ours."""
    return {MANAGED_BY: MANAGER, PART_OF: owner}


def pool_labels(route: Literal["wasi-preview", "shim"], *, installed: bool) -> dict[str, str]:
    """Return the node labels that a Wasm pool gets through the API.

    Args:
        route: How the pool got its runtimes.
        installed: Whether our installer puts shims on its nodes.
    """
    return {POOL_ROUTE: route} | ({SHIMS: INSTALLED} if installed else {})
