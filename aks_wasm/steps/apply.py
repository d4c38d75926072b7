"""Applying a manifest only where the live object differs, so that a run that changes nothing writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aks_wasm.kube.matching import matches

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient


def apply_changed(client: KubeClient, manifest: Mapping[str, Any]) -> bool:
    """Apply a manifest unless the live object is so already; return whether it was written."""
    if is_so(client, manifest):
        return False
    client.apply(manifest)
    return True


def is_so(client: KubeClient, manifest: Mapping[str, Any]) -> bool:
    """Return whether the live object is what a manifest asks for."""
    metadata = manifest["metadata"]
    live = client.get(manifest["kind"], metadata["name"], metadata.get("namespace"))
    return live is not None and matches(live, manifest)
