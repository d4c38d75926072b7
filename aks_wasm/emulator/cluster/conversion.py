"""The one kind that is served in two groups: v1 Events are stored, events.k8s.io/v1 Events are made of them."""

from __future__ import annotations

from aks_wasm.emulator.cluster.kinds import Kind
from aks_wasm.emulator.cluster.trees import Tree

_TO_EVENTS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_TO_CORE = {new: old for old, new in _TO_EVENTS.items()}


def outward(kind: Kind, obj: Tree) -> Tree:
    """Return a stored object as the kind's clients see it; the input is not changed and may be returned."""
    if kind.group != "events.k8s.io":
        return obj
    return _renamed(obj, _TO_EVENTS, kind.api_version)


def inward(kind: Kind, obj: Tree) -> Tree:
    """Return a client's object as it is stored."""
    if kind.group != "events.k8s.io":
        return obj
    return _renamed(obj, _TO_CORE, "v1")


def _renamed(obj: Tree, names: dict[str, str], api_version: str) -> Tree:
    return {names.get(key, key): value for key, value in obj.items()} | {"apiVersion": api_version}
