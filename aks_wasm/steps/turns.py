"""Turns to restart containerd that are no longer taken: their leases go once every node has the smaller number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aks_wasm.shims.installed import Present
from aks_wasm.shims.installer import INSTALLER, Installation, lease_names
from aks_wasm.shims.labels import COMPONENT, SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient


def drop_turns(client: KubeClient, installation: Installation) -> None:
    """Delete the leases beyond those that nodes take, by this installation or by what others have made of it since."""
    live = Present.of(client.get("ConfigMap", INSTALLER, SYSTEM_NAMESPACE), None)
    taken = {*lease_names(installation.max_unavailable), *lease_names(live.turns or 0)}
    for lease in client.list("Lease", namespace=SYSTEM_NAMESPACE, labels=f"{COMPONENT}={INSTALLER}"):
        name = str(lease["metadata"]["name"])
        if name.startswith(f"{INSTALLER}-") and name not in taken:
            client.delete("Lease", name, SYSTEM_NAMESPACE)
