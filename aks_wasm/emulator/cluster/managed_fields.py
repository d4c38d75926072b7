"""metadata.managedFields: who last set which field, kept up to date on every write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from aks_wasm.emulator.cluster.field_paths import MissingKey, Path, from_fields, places, to_fields
from aks_wasm.emulator.cluster.schemas import Node
from aks_wasm.emulator.cluster.trees import Tree, now

# Never owned by anybody (fieldmanager's stripmeta).
_UNOWNED: frozenset[Path] = frozenset(
    {
        ("f:apiVersion",),
        ("f:kind",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields",
                "resourceVersion", "clusterName",
            )
        ),
    }
)  # fmt: skip


@dataclass(frozen=True)
class Manager:
    """One entry: `operation` is Apply or Update, `paths` what it owns, `time` when that last changed."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""
    time: str = ""
    paths: frozenset[Path] = frozenset()

    def is_same(self, other: Manager) -> bool:
        """Whether both are entries of one manager; an applier stays itself across API versions."""
        return (self.name, self.operation, self.subresource) == (
            other.name,
            other.operation,
            other.subresource,
        ) and (self.operation == "Apply" or self.api_version == other.api_version)


def managers_of(obj: Tree) -> list[Manager]:
    """Return the entries of an object."""
    return [
        Manager(
            entry.get("manager", ""),
            entry.get("operation", "Update"),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
            entry.get("time", ""),
            frozenset(from_fields(entry.get("fieldsV1") or {})),
        )
        for entry in obj.get("metadata", {}).get("managedFields") or ()
    ]


def write_managers(obj: Tree, managers: Iterable[Manager]) -> None:
    """Put the entries that own something into the object, ordered as the API server does."""
    entries = []
    for manager in sorted(managers, key=lambda one: (one.operation, one.time, one.name, one.subresource)):
        if not manager.paths:
            continue
        entry: Tree = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": manager.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": to_fields(manager.paths),
        }
        if manager.subresource:
            entry["subresource"] = manager.subresource
        entries.append(entry)
    if entries:
        obj["metadata"]["managedFields"] = entries
    else:
        obj["metadata"].pop("managedFields", None)


def owned_places(node: Node, obj: Tree) -> dict[Path, object]:
    """Return the places of an object that somebody can own.

    Raises:
        MissingKey: A list's items can't be told apart.
    """
    found = places(node, obj)
    return {path: found[path] for path in found if path[:1] not in _UNOWNED and path[:2] not in _UNOWNED}


def track_update(node: Node, old: Tree, new: Tree, manager: Manager) -> None:
    """Note in `new` what a create, update or patch by the manager changed against `old` (`{}` for a create)."""
    base = new if new.get("metadata", {}).get("managedFields") is not None else old
    managers = managers_of(base)
    try:
        before, after = owned_places(node, old), owned_places(node, new)
    except MissingKey:
        # Only lists that validation lets pass although their items are alike (doubled ports); not tracked.
        write_managers(new, managers)
        return
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    gone = before.keys() - after.keys()
    kept = []
    mine = replace(manager, time=now())
    for entry in managers:
        if entry.is_same(manager):
            mine = replace(mine, paths=entry.paths, time=mine.time if changed else entry.time)
        else:
            kept.append(replace(entry, paths=entry.paths - changed - gone))
    write_managers(new, [*kept, replace(mine, paths=(mine.paths | changed) - gone)])
