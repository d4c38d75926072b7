"""Everything in a subscription that carries our mark, whatever spec made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aks_wasm.providers.azure.errors import translated
from aks_wasm.providers.marks import EXPIRES_TAG, OWNER_TAG, Owned, expiry

if TYPE_CHECKING:
    from aks_wasm.providers.azure.clients import Clients

GROUPS_VERSION = "2025-04-01"
CLUSTERS_VERSION = "2026-08-01"


def owned(clients: Clients) -> list[Owned]:
    """Return what is ours, once for each owner and group: groups we made, and clusters in groups of others.

    Raises:
        NotAllowed: The subscription can't be listed.
    """
    scope = f"/subscriptions/{clients.subscription}"
    with translated("list what carries our mark"):
        groups = clients.read_all(f"{scope}/resourcegroups", GROUPS_VERSION)
        clusters = clients.read_all(f"{scope}/providers/Microsoft.ContainerService/managedClusters", CLUSTERS_VERSION)
    found: dict[tuple[str, str], Owned] = {}
    # A cluster's own mark of expiry comes last, and wins over its group's.
    for group, document in [*((g["name"], g) for g in groups), *((_group_of(c), c) for c in clusters)]:
        tags = document.get("tags") or {}
        owner = tags.get(OWNER_TAG)
        key = (str(owner), group.lower())
        if owner and (EXPIRES_TAG in tags or key not in found):
            found[key] = Owned(owner, group, expiry(tags))
    return list(found.values())


def _group_of(cluster: dict[str, Any]) -> str:
    parts = str(cluster["id"]).split("/")
    return next(parts[i + 1] for i, part in enumerate(parts) if part.lower() == "resourcegroups")
