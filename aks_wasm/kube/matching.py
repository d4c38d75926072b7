"""Whether a live object is what a manifest asks for, so that nothing is written when nothing differs."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

APPLIED = "aks-wasm.dev/applied"
"""Annotation: hash of the manifest applied last, so that a field that left the manifest counts as a change."""

_MERGE_KEYS = ("name", "mountPath", "containerPort", "port", "key", "type", "ip")
_QUANTITY = re.compile(r"^([+-]?[0-9.]+)(m|k|[KMGTPE]i?|e[0-9]+)?$")
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"m": -1, "": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_QUANTITY_PARENTS = frozenset({"requests", "limits", "capacity", "hard"})


def stamped(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest with the annotation that remembers it."""
    document = copy.deepcopy(dict(manifest))
    annotations = document.setdefault("metadata", {}).setdefault("annotations", {})
    annotations[APPLIED] = fingerprint(manifest)
    return document


def fingerprint(manifest: Mapping[str, Any]) -> str:
    """Return sixteen hex digits that change with the manifest."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def matches(live: Mapping[str, Any], desired: Mapping[str, Any]) -> bool:
    """Return whether applying `desired` would change nothing.

    Every field of the manifest must be so in the live object, and the manifest applied last must be this very one.
    Fields of the live object that the manifest does not name do not count.
    """
    annotations = live.get("metadata", {}).get("annotations") or {}
    if annotations.get(APPLIED) != fingerprint(desired):
        return False
    return _covers(live, desired, parent="")


def _covers(live: Any, desired: Any, *, parent: str) -> bool:
    if isinstance(desired, Mapping):
        if not isinstance(live, Mapping):
            return not desired and live is None  # an empty table may come back as no field at all
        return all(
            _covers(live.get(key), value, parent=key if not _is_resource_list(parent) else parent)
            for key, value in desired.items()
        )
    if isinstance(desired, list | tuple):
        return _covers_list(live, list(desired), parent)
    if desired is None or desired == "" or desired is False:
        return not live  # the API server leaves out what is at its zero value
    if _is_resource_list(parent):
        return quantity(live) == quantity(desired)
    return bool(live == desired)


def _covers_list(live: Any, desired: list[Any], parent: str) -> bool:
    if not isinstance(live, list):
        return not desired and live is None
    if len(live) != len(desired):
        return False
    key = _merge_key(desired)
    if key is None:
        return all(_covers(a, b, parent=parent) for a, b in zip(live, desired, strict=True))
    by_key = {item.get(key): item for item in live if isinstance(item, Mapping)}
    return all(_covers(by_key.get(item[key]), item, parent=parent) for item in desired)


def _merge_key(items: list[Any]) -> str | None:
    """Return the field that tells the items apart, as strategic merge would use it."""
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    for key in _MERGE_KEYS:
        values = [item.get(key) for item in items]
        if None not in values and len(set(map(str, values))) == len(values):
            return key
    return None


def _is_resource_list(parent: str) -> bool:
    return parent in _QUANTITY_PARENTS


def quantity(value: object) -> Decimal | str | None:
    """Return a Kubernetes quantity as a number, so that `0.1` equals `100m`; other text as it is."""
    if value is None:
        return None
    match = _QUANTITY.match(str(value))
    if match is None:
        return str(value)
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY:
        return number * Decimal(1024 ** _BINARY[suffix])
    if suffix.startswith("e"):
        return number.scaleb(int(suffix[1:]))
    return number.scaleb(3 * _DECIMAL[suffix])
