"""Whose a thing is by our mark, and hands off what is not ours; pure.

Answers demand 19 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from aks_wasm.errors import Refused
from aks_wasm.providers.base import ObservedCluster, ObservedGroup
from aks_wasm.providers.marks import OWNER_TAG
from aks_wasm.shims.labels import MANAGED_BY, MANAGER, PART_OF

_OTHER_NAME = "choose another `metadata.name` in the file"


def owner_in(labels: Mapping[str, str]) -> str | None:
    """Return whose a Kubernetes object is by its labels; None when it does not carry our mark."""
    return labels.get(PART_OF) if labels.get(MANAGED_BY) == MANAGER else None


def not_ours(what: str, name: str, owner: str | None, hint: str = _OTHER_NAME) -> Refused:
    """Return the refusal to touch what somebody else made.

    Args:
        what: Its kind, for example `resource group`.
        name: Its name.
        owner: Whose it is by our mark; None when it carries none.
        hint: The way out.
    """
    whose = f"belongs to `{owner}`" if owner else "was not made by aks-wasm"
    return Refused(f"the {what} `{name}` {whose}", code="NotOurs", hint=hint)


def refuse_foreign_cluster(cluster: ObservedCluster, owner: str) -> None:
    """Refuse a cluster that does not carry our mark.

    Raises:
        Refused: It carries another owner's mark or none.
    """
    if cluster.owner != owner:
        tag = "" if cluster.owner else f"; if it is yours, tag it `{OWNER_TAG}={owner}`"
        raise not_ours("cluster", cluster.name, cluster.owner, f"{_OTHER_NAME}{tag}")


def refuse_foreign_group(group: ObservedGroup, owner: str, *, unmarked_is_fine: bool) -> None:
    """Refuse a group of somebody else's.

    Args:
        group: The group.
        owner: Who we are.
        unmarked_is_fine: Whether one without any mark may be used: many teams are given one, and name it in the file.

    Raises:
        Refused: It carries another owner's mark, or none although it must.
    """
    if group.owner == owner or (group.owner is None and unmarked_is_fine):
        return
    hint = f"{_OTHER_NAME}, or name the group in `azure.resourceGroup` to put the cluster into it"
    if group.owner is not None:
        hint = "choose another `azure.resourceGroup` in the file"
    raise not_ours("resource group", group.name, group.owner, hint)
