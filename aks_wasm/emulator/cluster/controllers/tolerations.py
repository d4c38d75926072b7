"""Taints and tolerations."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from aks_wasm.emulator.cluster.trees import Tree

KEEPS_AWAY = frozenset({"NoSchedule", "NoExecute"})


def tolerates(toleration: Tree, taint: Tree) -> bool:
    """Tell whether a toleration covers a taint."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def taints_of(node: Tree, effects: Collection[str] = KEEPS_AWAY) -> list[Tree]:
    """Return the node's taints with one of these effects."""
    return [taint for taint in node["spec"].get("taints") or [] if taint["effect"] in effects]


def untolerated(tolerations: Iterable[Tree], taints: Iterable[Tree]) -> list[Tree]:
    """Return the taints that no toleration covers."""
    rows = list(tolerations)
    return [taint for taint in taints if not any(tolerates(row, taint) for row in rows)]


def tolerations_of(pod: Tree) -> list[Tree]:
    """Return the pod's tolerations."""
    return pod["spec"].get("tolerations") or []
