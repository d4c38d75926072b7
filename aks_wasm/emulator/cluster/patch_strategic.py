"""Strategic merge patch: lists merge by the keys the types name; `$patch` and its kin direct it.

After k8s.io/apimachinery/pkg/util/strategicpatch.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from aks_wasm.emulator.cluster.schemas import Node
from aks_wasm.emulator.cluster.statuses import BadRequest
from aks_wasm.emulator.cluster.trees import Tree, copied

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_DELETE_VALUES = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_patched(node: Node, target: Tree, patch: Tree) -> Tree:
    """Return a copy of the target with the patch merged into it.

    Raises:
        BadRequest: A list's item lacks the key it is merged by, or a directive is not known.
    """
    return _merge_struct(node, copied(target), patch)


def _merge_struct(node: Node, target: Tree, patch: Tree) -> Tree:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {key: copied(value) for key, value in patch.items() if key != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in {None, "merge"}:
        raise BadRequest(f"Unknown patch type found: {directive}")
    if _RETAIN in patch:
        target = {key: value for key, value in target.items() if key in patch[_RETAIN]}
    for name in patch:
        if not name.startswith("$"):
            _merge_field(node, target, name, patch)
    for name, value in patch.items():
        _direct(node, target, name, value)
    return target


def _direct(node: Node, target: Tree, name: str, value: list[Any]) -> None:
    """Carry out a directive about one list of the target."""
    directive, _, field = name.partition("/")
    held = target.get(field)
    if not isinstance(held, list):
        return
    if f"{directive}/" == _DELETE_VALUES:
        target[field] = [item for item in held if item not in value]
    elif f"{directive}/" == _ORDER:
        target[field] = _ordered(node.child(field), held, value)


def _merge_field(node: Node, target: Tree, name: str, patch: Tree) -> None:
    value, child = patch[name], node.child(name)
    if value is None:
        target.pop(name, None)
    elif isinstance(value, dict):
        if value.get(_DIRECTIVE) == "delete":
            target.pop(name, None)
            return
        held = target.get(name)
        target[name] = _merge_struct(child, held if isinstance(held, dict) else {}, value)
    elif isinstance(value, list):
        held = target.get(name)
        target[name] = _merge_list(child, held if isinstance(held, list) else [], value)
    else:
        target[name] = value


def _merge_list(node: Node, target: list[Any], patch: list[Any]) -> list[Any]:
    if node.merge is None:
        return _plain_items(patch)
    if node.merge == "":
        return [*target, *(item for item in patch if item not in target)]
    if any(isinstance(item, dict) and item.get(_DIRECTIVE) == "replace" for item in patch):
        return _plain_items([item for item in patch if item.get(_DIRECTIVE) != "replace"])
    merged = list(target)
    for item in patch:
        key = item.get(node.merge) if isinstance(item, dict) else None
        if key is None:
            raise BadRequest(f"map: {_go_map(item)} does not contain declared merge key: {node.merge}")
        at = next((at for at, held in enumerate(merged) if held.get(node.merge) == key), None)
        if item.get(_DIRECTIVE) == "delete":
            merged = [held for held in merged if held.get(node.merge) != key]
        elif at is None:
            merged.append(_merge_struct(node.item, {}, item))
        else:
            merged[at] = _merge_struct(node.item, merged[at], item)
    return merged


def _plain_items(items: list[Any]) -> list[Any]:
    return [_plain(item) for item in items]


def _plain(value: Any) -> Any:
    """Return a new value without directives and nulls."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None and not key.startswith("$")}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _ordered(node: Node, items: list[Any], order: list[Any]) -> list[Any]:
    """Put the items in the order the client wants; those it does not name stay behind their neighbour."""

    def identity(item: Any) -> Hashable:
        name = item.get(node.merge) if isinstance(item, dict) and node.merge else item
        return name if isinstance(name, Hashable) else str(name)

    wanted = [identity(item) for item in order]
    result = sorted((item for item in items if identity(item) in wanted), key=lambda item: wanted.index(identity(item)))
    for at, item in enumerate(items):
        if identity(item) not in wanted:
            before = next((index for index, held in enumerate(result) if at and held is items[at - 1]), None)
            result.insert(len(result) if before is None and at else (before or -1) + 1, item)
    return result


def _go_map(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    return "map[" + " ".join(f"{key}:{value}" for key, value in sorted(item.items())) + "]"
