"""Server-side apply: what a manager says it wants, merged into the object, others' fields left to them.

After sigs.k8s.io/structured-merge-diff, with the messages of k8s.io/apimachinery's managedfields.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from aks_wasm.emulator.cluster.field_paths import (
    MAP,
    MissingKey,
    Path,
    item_element,
    lookup,
    remove,
    shown,
    with_parents,
)
from aks_wasm.emulator.cluster.managed_fields import Manager, managers_of, owned_places, write_managers
from aks_wasm.emulator.cluster.schemas import Node
from aks_wasm.emulator.cluster.statuses import ApplyConflict
from aks_wasm.emulator.cluster.trees import Tree, copied, now

__all__ = ["MissingKey", "applied"]


def applied(node: Node, live: Tree, config: Tree, manager: Manager, *, force: bool) -> Tree:
    """Return the live object (`{}` when there is none) with the manager's configuration applied.

    Args:
        node: The type of both.
        live: What is stored; not changed.
        config: All the manager wants; what it wanted before and no longer names goes, unless others own it.
        manager: Who applies; its `paths` are not looked at.
        force: Take fields from other managers instead of refusing.

    Raises:
        ApplyConflict: Other managers own fields the configuration would change.
        MissingKey: A list's items can't be told apart.
    """
    entries = managers_of(live)
    wanted = frozenset(path for path, value in owned_places(node, config).items() if value is not MAP)
    merged: Tree = _merged(node, copied(live), config)
    others = [entry for entry in entries if not entry.is_same(manager)]
    changed = _changed(node, live, merged)
    conflicts = [(entry, path) for entry in others for path in sorted(entry.paths & changed)]
    if conflicts and not force:
        raise _conflict(conflicts)
    others = [replace(entry, paths=entry.paths - changed) for entry in others]
    last = next((entry for entry in entries if entry.is_same(manager)), None)
    if last is not None:
        _prune(node, merged, last.paths, wanted, with_parents(p for entry in others for p in entry.paths))
    merged_places = owned_places(node, merged).keys()
    others = [replace(entry, paths=entry.paths & merged_places) for entry in others]
    unchanged = last is not None and last.paths == wanted and not changed
    mine = replace(manager, paths=wanted, time=last.time if last and unchanged else now())
    write_managers(merged, [*others, mine])
    return merged


def _changed(node: Node, live: Tree, merged: Tree) -> set[Path]:
    before = owned_places(node, live) if live else {}
    after = owned_places(node, merged)
    return {path for path, value in after.items() if path not in before or before[path] != value}


def _merged(node: Node, live: Any, config: Any) -> Any:
    if isinstance(config, dict) and isinstance(live, dict) and not node.atomic:
        for name, value in config.items():
            if value is None:
                continue
            live[name] = _merged(node.child(name), live[name], value) if name in live else copied(value)
        return live
    if isinstance(config, list) and isinstance(live, list) and not node.atomic:
        if node.is_set:
            return [*live, *(item for item in config if item not in live)]
        if node.keys:
            return _merged_items(node, live, config)
    return copied(config)


def _merged_items(node: Node, live: list[Any], config: list[Any]) -> list[Any]:
    held = {item_element(node, item): item for item in live}
    asked = {item_element(node, item, (), index): item for index, item in enumerate(config)}
    # The configuration's order rules where it names everything; else what is there keeps its place.
    order = list(asked) if held.keys() <= asked.keys() else [*held, *(key for key in asked if key not in held)]
    return [
        _merged(node.item, held[key], asked[key])
        if key in held and key in asked
        else copied(asked[key])
        if key in asked
        else held[key]
        for key in order
    ]


def _prune(node: Node, merged: Tree, last: frozenset[Path], wanted: frozenset[Path], kept: set[Path]) -> None:
    """Take out what the manager wanted last time and does not name now, unless somebody else owns it."""
    for path in sorted(with_parents(last) - with_parents(wanted), key=len):
        if path in kept or len(path) == 1:
            continue
        found = lookup(node, merged, path)
        # A map nobody claimed as such may hold entries that came from elsewhere (annotations of controllers).
        if found is not None and not (path not in last and found[1].shape == "map"):
            remove(node, merged, path)
    for path in sorted(with_parents(last) - with_parents(wanted), key=len, reverse=True):
        found = lookup(node, merged, path)
        if found is not None and found[0] == {} and found[1].shape == "map":
            remove(node, merged, path)


def _conflict(conflicts: list[tuple[Manager, Path]]) -> ApplyConflict:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {_named(manager)}",
            "field": shown(path),
        }
        for manager, path in conflicts
    ]
    if len(conflicts) == 1:
        manager, path = conflicts[0]
        message = f"Apply failed with 1 conflict: conflict with {_named(manager)}: {shown(path)}"
        return ApplyConflict(message, causes)
    lines: list[str] = []
    for name in sorted({_named(manager) for manager, _ in conflicts}):
        lines.append(f"conflicts with {name}:")
        lines += _listed(path for manager, path in conflicts if _named(manager) == name)
    return ApplyConflict(f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines), causes)


def _listed(paths: Iterable[Path]) -> list[str]:
    return [f"- {shown(path)}" for path in paths]


def _named(manager: Manager) -> str:
    text = json.dumps(manager.name)
    if manager.subresource:
        text += f' with subresource "{manager.subresource}"'
    return f"{text} using {manager.api_version}" if manager.operation == "Update" else text
