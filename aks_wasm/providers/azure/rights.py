"""Whether the signed-in identity may do what `up` is about to do, asked before the first write.

Answers by Microsoft.Authorization/permissions, which lists what the caller may do at a scope; anybody may ask it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError

from aks_wasm.errors import NoRight, Problem
from aks_wasm.providers.base import Observed, Prerequisite
from aks_wasm.spec.models import ClusterSpec

if TYPE_CHECKING:
    from aks_wasm.providers.azure.clients import Clients

PERMISSIONS_VERSION = "2022-04-01"

_CLUSTERS = "Microsoft.ContainerService/managedClusters"
_OF_THE_SUBSCRIPTION = {
    Prerequisite.PROVIDER: "Microsoft.ContainerService/register/action",
    Prerequisite.FEATURE: "Microsoft.Features/providers/features/register/action",
    Prerequisite.GROUP: "Microsoft.Resources/subscriptions/resourceGroups/write",
}


def rights_problems(clients: Clients, spec: ClusterSpec, observed: Observed) -> list[Problem]:
    """Find what the service would refuse half-way; rights that can't be read are no problem, it has the last word."""
    subscription = f"/subscriptions/{clients.subscription}"
    group = f"{subscription}/resourceGroups/{spec.resource_group}"
    of_subscription = [_OF_THE_SUBSCRIPTION[missing] for missing in sorted(observed.missing)]
    of_cluster = [f"{_CLUSTERS}/agentPools/write", f"{_CLUSTERS}/listClusterUserCredential/action"]
    if observed.cluster is None:
        of_cluster.insert(0, f"{_CLUSTERS}/write")
    # A group that is yet to be made has no rights of its own.
    scope = subscription if Prerequisite.GROUP in observed.missing else group
    asked = {subscription: of_subscription} if of_subscription else {}
    asked[scope] = [*asked.get(scope, ()), *of_cluster]
    return [
        NoRight("", f"`{action}` is not granted at `{place}`")
        for place, actions in asked.items()
        for action in _missing(clients, place, actions)
    ]


def _missing(clients: Clients, scope: str, actions: Sequence[str]) -> list[str]:
    try:
        granted = clients.read_all(f"{scope}/providers/Microsoft.Authorization/permissions", PERMISSIONS_VERSION)
    except AzureError:
        return []
    return [action for action in actions if not allows(granted, action)]


def allows(permissions: Sequence[Mapping[str, Any]], action: str) -> bool:
    """Return whether one of the permissions grants an action and does not take it back in its `notActions`."""
    return any(
        _any_matches(permission.get("actions"), action) and not _any_matches(permission.get("notActions"), action)
        for permission in permissions
    )


def _any_matches(patterns: Sequence[str] | None, action: str) -> bool:
    return any(re.fullmatch(re.escape(p).replace(r"\*", ".*"), action, re.IGNORECASE) for p in patterns or ())
