"""JSON trees as Kubernetes objects are made of them: copying, reaching into them, stamping the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

Tree = dict[str, Any]
_Value = TypeVar("_Value")


def copied(value: _Value) -> _Value:
    """Return a deep copy of a JSON value; several times faster than `copy.deepcopy`, which keeps a memo."""
    duplicate: Any = _copied(value)
    return duplicate  # type: ignore[no-any-return] # a JSON value's copy has its type


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value


def dig(tree: Any, *path: str) -> Any:
    """Return what lies at the path of keys, or None where something on the way is missing."""
    for key in path:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(key)
    return tree


def metadata(obj: Tree) -> Tree:
    """Return `metadata` of the object, made when it is missing."""
    found = obj.get("metadata")
    if not isinstance(found, dict):
        found = obj["metadata"] = {}
    return found


def now() -> str:
    """Return this moment as metav1.Time prints it: seconds, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now_micro() -> str:
    """Return this moment as metav1.MicroTime prints it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """Return the moment a metav1.Time or MicroTime names.

    Raises:
        ValueError: The text is no such time.
    """
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
