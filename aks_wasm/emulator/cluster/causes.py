"""Which fields of an object are wrong and why, in the words of k8s.io/apimachinery's validation/field."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cause:
    """One field that is wrong. `text` is what field.Error prints after the field's name."""

    field: str
    reason: str  # FieldValueInvalid, FieldValueRequired, FieldValueDuplicate, FieldValueForbidden, ...
    text: str

    def to_dict(self) -> dict[str, str]:
        """Return the member of `status.details.causes`."""
        return {"reason": self.reason, "message": self.text, "field": self.field}


def invalid(field: str, value: Any, why: str) -> Cause:
    """Return field.Invalid: the value is not allowed there."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {_shown(value)}: {why}")


def required(field: str, why: str = "") -> Cause:
    """Return field.Required."""
    return Cause(field, "FieldValueRequired", f"Required value: {why}" if why else "Required value")


def duplicate(field: str, value: Any) -> Cause:
    """Return field.Duplicate."""
    return Cause(field, "FieldValueDuplicate", f"Duplicate value: {_shown(value)}")


def forbidden(field: str, why: str) -> Cause:
    """Return field.Forbidden."""
    return Cause(field, "FieldValueForbidden", f"Forbidden: {why}")


def not_found(field: str, value: Any) -> Cause:
    """Return field.NotFound: the field names something that is not there."""
    return Cause(field, "FieldValueNotFound", f"Not found: {_shown(value)}")


def not_supported(field: str, value: Any, supported: Sequence[str]) -> Cause:
    """Return field.NotSupported; the supported values are listed as they are given."""
    listed = ", ".join(json.dumps(item) for item in supported)
    return Cause(field, "FieldValueNotSupported", f"Unsupported value: {_shown(value)}: supported values: {listed}")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | dict | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return "null" if value is None else str(value)
