"""Fields as server-side apply counts them: an object's owned places, and their JSON form (FieldsV1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Set
from typing import Any

from aks_wasm.emulator.cluster.schemas import Node
from aks_wasm.emulator.cluster.trees import Tree

Path = tuple[str, ...]  # of FieldsV1 elements: `f:spec`, `k:{"name":"x"}`, `v:"x"`


class _Marker:
    """Stands for a container at its own place; what is inside has places of its own."""


MAP = _Marker()
ITEM = _Marker()
# The one key that Kubernetes fills in when an item leaves it out (listMapKey with +default).
KEY_DEFAULTS = {"protocol": "TCP"}


class MissingKey(Exception):
    """An item of an associative list does not say which one it is, or two say the same."""


def places(node: Node, value: Any) -> dict[Path, Any]:
    """Return every owned place of a value with what is there; MAP and ITEM mark containers.

    Raises:
        MissingKey: A list's items can't be told apart.
    """
    found: dict[Path, Any] = {}
    _walk(node, value, (), found)
    return found


def _walk(node: Node, value: Any, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and not node.atomic:
        if path and (not value or node.shape == "map"):
            found[path] = MAP if value else {}
        for name, item in value.items():
            if item is not None:
                _walk(node.child(name), item, (*path, f"f:{name}"), found)
    elif isinstance(value, list) and not node.atomic and (node.keys or node.is_set):
        _walk_items(node, value, path, found)
    else:
        found[path] = value


def _walk_items(node: Node, items: list[Any], path: Path, found: dict[Path, Any]) -> None:
    if node.is_set:
        found.update({(*path, f"v:{json.dumps(item)}"): item for item in items})
        return
    for index, item in enumerate(items):
        place = (*path, item_element(node, item, path, index))
        if place in found:
            raise MissingKey(f"{shown(path)}: duplicate entries for key {shown(place[-1:])}")
        found[place] = ITEM
        _walk(node.item, item, place, found)


def item_element(node: Node, item: Any, path: Path = (), index: int = 0) -> str:
    """Return the path element of an item of an associative list.

    Raises:
        MissingKey: The item lacks one of the list's keys.
    """
    key: Tree = {}
    for name in sorted(node.keys):
        value = item.get(name, KEY_DEFAULTS.get(name)) if isinstance(item, dict) else None
        if value is None:
            raise MissingKey(
                f"{shown(path)}: element {index}: associative list with keys has an element that omits key "
                f'field "{name}" (and doesn\'t have default value)'
            )
        key[name] = value
    return "k:" + json.dumps(key, separators=(",", ":"))


def with_parents(paths: Iterable[Path]) -> set[Path]:
    """Return the paths and all places on the way to them."""
    return {path[:length] for path in paths for length in range(1, len(path) + 1)}


def to_fields(paths: Set[Path]) -> Tree:
    """Return FieldsV1."""
    tree: Tree = {}
    for path in sorted(paths):
        below = tree
        for element in path:
            below = below.setdefault(element, {})
    for path in paths:
        below = tree
        for element in path:
            below = below[element]
        if any(element != "." for element in below):
            below["."] = {}
    return tree


def from_fields(tree: Mapping[str, Any]) -> set[Path]:
    """Return the places FieldsV1 names."""
    found: set[Path] = set()

    def collect(below: Mapping[str, Any], path: Path) -> None:
        if path and (not below or "." in below):
            found.add(path)
        for element, inner in below.items():
            if element != ".":
                collect(inner, (*path, element))

    collect(tree, ())
    return found


def shown(path: Path) -> str:
    """Return a place as messages print it: `.spec.containers[name="x"].image`."""
    text = ""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            terms = (f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items())
            text += f"[{','.join(terms)}]"
        else:
            text += f"[={rest}]"
    return text


def remove(node: Node, obj: Any, path: Path) -> None:
    """Take what lies at the path out of the object; nothing happens when it is not there."""
    below = lookup(node, obj, path[:-1])
    if below is None:
        return
    container, _ = below
    element = path[-1]
    if element.startswith("f:") and isinstance(container, dict):
        container.pop(element[2:], None)
    elif isinstance(container, list):
        at = _position(container, element)
        if at is not None:
            del container[at]


def lookup(node: Node, obj: Any, path: Path) -> tuple[Any, Node] | None:
    """Return what lies at the path and its type, None when it is not there."""
    value = obj
    for element in path:
        if element.startswith("f:"):
            if not isinstance(value, dict) or element[2:] not in value:
                return None
            value, node = value[element[2:]], node.child(element[2:])
        else:
            at = _position(value, element) if isinstance(value, list) else None
            if at is None:
                return None
            value, node = value[at], node.item
    return value, node


def _position(items: list[Any], element: str) -> int | None:
    wanted = json.loads(element[2:])
    for at, item in enumerate(items):
        if element.startswith("v:"):
            if item == wanted:
                return at
        elif isinstance(item, dict) and all(
            item.get(key, KEY_DEFAULTS.get(key)) == value for key, value in wanted.items()
        ):
            return at
    return None
