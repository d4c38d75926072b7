"""RuntimeClasses: how pods ask for a shim, and what sends them to the nodes that have it.

Answers demand 24 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aks_wasm.shims.catalogue import PreviewRuntime, Shim
from aks_wasm.shims.labels import READY, owned, ready_label

SPOT_TAINT = "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"
"""What AKS puts on every node of a spot pool."""


def shim_runtime_class(shim: Shim, *, owner: str, taints: Iterable[str]) -> dict[str, Any]:
    """Return the RuntimeClass of a shim that we installed; it sends pods to nodes on which the shim is proved.

    Args:
        shim: The shim.
        owner: The cluster's name.
        taints: `key=value:Effect` of the pools that have it.
    """
    return _runtime_class(shim.runtime_class, shim.handler, {ready_label(shim.handler): READY}, owner, taints)


def probe_class_name(handler: str) -> str:
    """Return the name of the RuntimeClass that probes of a handler use."""
    return f"aks-wasm-probe-{handler}"


def probe_runtime_class(shim: Shim, *, owner: str, taints: Iterable[str]) -> dict[str, Any]:
    """Return the RuntimeClass of the probes: the same handler on any node, since a probe comes before its proof."""
    return _runtime_class(probe_class_name(shim.handler), shim.handler, {}, owner, taints)


def preview_runtime_class(preview: PreviewRuntime, *, owner: str, taints: Iterable[str]) -> dict[str, Any]:
    """Return the RuntimeClass for what a preview pool brings, with the service's own names and label."""
    selector = {preview.node_label: "true"}
    return _runtime_class(preview.runtime_class, preview.handler, selector, owner, taints)


def tolerations(taints: Iterable[str]) -> list[dict[str, str]]:
    """Return what tolerates these taints (`key=value:Effect`) and those of spot pools; each once, in a fixed order."""
    found = []
    for taint in sorted({*taints, SPOT_TAINT}):
        pair, _, effect = taint.rpartition(":")
        key, has_value, value = pair.partition("=")
        toleration = {"key": key, "operator": "Equal" if has_value else "Exists", "effect": effect}
        found.append({**toleration, "value": value} if has_value else toleration)
    return found


def _runtime_class(
    name: str, handler: str, selector: dict[str, str], owner: str, taints: Iterable[str]
) -> dict[str, Any]:
    # The toleration lets Wasm pods onto the pool, the selector keeps them off others (Azure/AKS#2695).
    scheduling = {"nodeSelector": selector} if selector else {}
    return {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": name, "labels": owned(owner)},
        "handler": handler,
        "scheduling": {**scheduling, "tolerations": tolerations(taints)},
    }
