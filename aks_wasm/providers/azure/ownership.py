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


def refuse_locked(locks: Sequence[Document], scopes: Sequence[str]) -> None:
    """Refuse to delete what somebody locked: itself, what it is in, or what is in it.

    Args:
        locks: Management locks, of wherever they are.
        scopes: Resource ids of what is to go.

    Raises:
        Refused: With the locks' names.
    """
    holding = [(lock, scope) for lock in locks if _holds(scope := _scope(lock), scopes)]
    if not holding:
        return
    named = ", ".join(f"{lock['name']} ({lock['properties']['level']})" for lock, _ in holding)
    raise Refused(
        f"{_place(holding[0][1])} is locked: {named}",
        code="ScopeLocked",
        hint=f"nothing was deleted; `az lock delete --ids {holding[0][0]['id']}` removes it",
    )


def _holds(scope: str, scopes: Sequence[str]) -> bool:
    return any(_is_within(one, scope) or _is_within(scope, one) for one in scopes)


def _is_within(inner: str, outer: str) -> bool:
    return f"{inner.lower()}/".startswith(f"{outer.lower().rstrip('/')}/")


def _scope(lock: Document) -> str:
    return str(lock["id"]).rpartition("/providers/Microsoft.Authorization/locks/")[0]


def _place(scope: str) -> str:
    kind, _, name = scope.strip("/").rpartition("/")
    kind = kind.rpartition("/")[2].lower()
    words = {"subscriptions": "the subscription", "resourcegroups": "the resource group"}
    return f"{words.get(kind, 'the resource')} `{name}`"


def _whose(owner: str | None, name: str) -> str:
    if owner is None:
        return f"it does not carry the tag `{OWNER_TAG}`"
    return f"its tag `{OWNER_TAG}` says `{owner}`, not `{name}`"
