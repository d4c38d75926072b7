"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aks_wasm.emulator.cluster.statuses import ApiFailure, BadRequest
from aks_wasm.emulator.cluster.trees import Tree, copied


class PatchRejected(ApiFailure):
    """An operation does not fit the object: a path that is not there, a test that fails."""

    default_code = 422
    default_reason = "Invalid"

    def __init__(self) -> None:
        super().__init__("the server rejected our request due to an error in our request", details={})


def json_patched(obj: Tree, operations: Any) -> Tree:
    """Return a copy of the object with the operations done in order.

    Raises:
        BadRequest: They are no JSON patch.
        PatchRejected: One does not fit the object.
    """
    if not isinstance(operations, list):
        raise BadRequest("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    document: Any = copied(obj)
    for operation in operations:
        do = _OPERATIONS.get(operation.get("op", "")) if isinstance(operation, dict) else None
        if do is None or "path" not in operation:
            raise PatchRejected
        document = do(document, operation)
    result: Tree = document
    return result


def merge_patched(target: Any, patch: Any) -> Any:
    """Return the target with a JSON merge patch applied; null removes."""
    if not isinstance(patch, dict):
        return copied(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patched(merged.get(name), value)
    return merged


def _pointer(text: str) -> list[str]:
    if text == "":
        return []
    if not text.startswith("/"):
        raise PatchRejected
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _index(key: str, *, end: int) -> int:
    if not key.lstrip("-").isdigit() or not 0 <= int(key) < end:
        raise PatchRejected
    return int(key)


def _get(document: Any, path: Sequence[str]) -> Any:
    for key in path:
        if isinstance(document, list):
            document = document[_index(key, end=len(document))]
        elif isinstance(document, dict) and key in document:
            document = document[key]
        else:
            raise PatchRejected
    return document


def _add(document: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent, key = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if key == "-" else _index(key, end=len(parent) + 1), value)
    elif isinstance(parent, dict):
        parent[key] = value
    else:
        raise PatchRejected
    return document


def _remove(document: Any, path: Sequence[str]) -> Any:
    _get(document, path)
    parent, key = _get(document, path[:-1]), path[-1]
    del parent[int(key) if isinstance(parent, list) else key]
    return document


def _do_add(document: Any, operation: Tree) -> Any:
    if "value" not in operation:
        raise PatchRejected
    return _add(document, _pointer(operation["path"]), copied(operation["value"]))


def _do_remove(document: Any, operation: Tree) -> Any:
    return _remove(document, _pointer(operation["path"]))


def _do_replace(document: Any, operation: Tree) -> Any:
    path = _pointer(operation["path"])
    if not path:
        return copied(operation["value"])
    _get(document, path)
    parent, key = _get(document, path[:-1]), path[-1]
    parent[int(key) if isinstance(parent, list) else key] = copied(operation.get("value"))
    return document


def _do_move(document: Any, operation: Tree) -> Any:
    source = _pointer(operation.get("from", ""))
    value = _get(document, source)
    return _add(_remove(document, source), _pointer(operation["path"]), value)


def _do_copy(document: Any, operation: Tree) -> Any:
    value = copied(_get(document, _pointer(operation.get("from", ""))))
    return _add(document, _pointer(operation["path"]), value)


def _do_test(document: Any, operation: Tree) -> Any:
    path, wanted = _pointer(operation["path"]), operation.get("value")
    parent = _get(document, path[:-1]) if path and wanted is None else None
    # A member that is not there counts as null.
    found = parent.get(path[-1]) if isinstance(parent, dict) else _get(document, path)
    if found != wanted:
        raise PatchRejected
    return document


_OPERATIONS: dict[str, Callable[[Any, Tree], Any]] = {
    "add": _do_add,
    "remove": _do_remove,
    "replace": _do_replace,
    "move": _do_move,
    "copy": _do_copy,
    "test": _do_test,
}
