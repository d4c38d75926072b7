"""What is ours to change: the rules that keep the tool's hands off everything else; pure.

Answers demand 19 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aks_wasm.errors import Refused
from aks_wasm.providers.base import ObservedCluster, ObservedGroup
from aks_wasm.providers.marks import OWNER_TAG
from aks_wasm.spec.models import ClusterSpec

Document = dict[str, Any]


def refuse_foreign_group(group: ObservedGroup, spec: ClusterSpec) -> None:
    """Refuse a group of somebody else's; one without a mark may be used when the file names it.

    Raises:
        Refused: The group carries another owner's mark, or none and the file does not name it.
    """
    if group.owner == spec.name or (group.owner is None and spec.azure.resource_group):
        return
    raise Refused(
        f"the resource group `{group.name}` is not ours: {_whose(group.owner, spec.name)}",
        code="ForeignGroup",
        hint="choose another `metadata.name`, or name the group in `azure.resourceGroup` to put the cluster into it",
    )


def refuse_foreign_cluster(cluster: ObservedCluster, spec: ClusterSpec) -> None:
    """Refuse a cluster that does not carry our mark.

    Raises:
        Refused: It carries another owner's mark or none.
    """
    if cluster.owner != spec.name:
        raise Refused(
            f"the cluster `{cluster.name}` is not ours: {_whose(cluster.owner, spec.name)}",
            code="ForeignCluster",
            hint=f"choose another `metadata.name`; if it is yours, tag it `{OWNER_TAG}={spec.name}`",
        )


def foreign_resources(resources: Sequence[Document], spec: ClusterSpec) -> tuple[str, ...]:
    """Return what in a group does not carry our mark, as `type/name`."""
    return tuple(
        f"{resource['type']}/{resource['name']}"
        for resource in resources
        if (resource.get("tags") or {}).get(OWNER_TAG) != spec.name
    )


def refuse_foreign_resources(group: str, foreign: Sequence[str]) -> None:
    """Refuse to delete a group that holds something else.

    Raises:
        Refused: With the list of what is in the way.
    """
    if foreign:
        raise Refused(
            f"the resource group `{group}` holds what we did not make: {', '.join(foreign)}",
            code="ForeignResources",
            hint="move or delete these first; nothing was deleted",
        )


def refuse_locked(group: str, locks: Sequence[Document]) -> None:
    """Refuse to delete what somebody locked.

    Raises:
        Refused: With the locks' names.
    """
    if locks:
        named = ", ".join(f"{lock['name']} ({lock['properties']['level']})" for lock in locks)
        raise Refused(
            f"the resource group `{group}` is locked: {named}",
            code="ScopeLocked",
            hint=f"nothing was deleted; `az lock delete --resource-group {group} --name {locks[0]['name']}` removes it",
        )


def _whose(owner: str | None, name: str) -> str:
    if owner is None:
        return f"it does not carry the tag `{OWNER_TAG}`"
    return f"its tag `{OWNER_TAG}` says `{owner}`, not `{name}`"
