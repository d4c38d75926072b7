"""JSON as the API server reads it: the last of two members of one name counts, and that there were two is noticed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from aks_wasm.emulator.cluster.trees import copied


class Document(dict[str, Any]):
    """An object as it came; `duplicates` are the paths of members that were written more than once."""

    duplicates: tuple[str, ...] = ()


class _Object(dict[str, Any]):
    twice: tuple[str, ...] = ()


def read(content: bytes) -> Any:
    """Return the value; an object comes as a Document.

    Raises:
        ValueError: It is no JSON.
    """
    value = json.loads(content, object_pairs_hook=_object)
    if not isinstance(value, _Object):
        return value
    document = Document(copied(value))  # with plain objects inside
    document.duplicates = tuple(_duplicates(value, ""))
    return document


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object(pairs)
    if len(made) < len(pairs):
        made.twice = tuple(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
    return made


def _duplicates(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, _Object):
        for name in value.twice:
            yield f"{place}.{name}".lstrip(".")
        for name, inner in value.items():
            yield from _duplicates(inner, f"{place}.{name}".lstrip("."))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _duplicates(item, f"{place}[{index}]")
