"""What keeps a resource group from being deleted: other people's resources in it, and locks; pure.

Answers demands 19 and 20 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aks_wasm.errors import Refused
from aks_wasm.providers.marks import OWNER_TAG
from aks_wasm.spec.models import ClusterSpec

Document = dict[str, Any]


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
