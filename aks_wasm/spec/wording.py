"""What the models say about a wrong value, in the words of who wrote the file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from aks_wasm.errors import Problem
from aks_wasm.spec import models
from aks_wasm.spec.duration import DURATION

RULES: Mapping[str, str] = {
    models.DNS_LABEL: "is lower-case letters, digits and `-`, at most 63, a letter or digit at both ends",
    models.WORKLOAD_NAME: "is lower-case letters, digits and `-`, at most 52, a letter first, no `-` at the end",
    models.CLUSTER_NAME: "is lower-case letters, digits and `-`, at most 45, a letter or digit at both ends",
    models.NODE_POOL_NAME: "is at most 12 lower-case letters and digits, a letter first (AKS's rule)",
    models.TAINT: "is written `key=value:NoSchedule`, or with PreferNoSchedule or NoExecute",
    models.QUANTITY: "is a Kubernetes quantity such as `100m`, `0.5` or `64Mi`",
    models.ENV_NAME: "is letters, digits and `_`, no digit first",
    models.SHA256: "is 64 hexadecimal digits, lower case",
    models.GROUP_NAME: "is letters, digits and `-_.()`, at most 90, no point at the end",
    models.LOCATION: "is a URL that starts with https://, http:// or file://",
    models.RUNTIME_TYPE: "is a containerd runtime type such as `io.containerd.spin.v2`, or a path",
    DURATION: "is a duration such as `90s`, `45m`, `4h` or `1h30m`",
}
"""What a value must be, by the pattern that it does not match."""

_KINDS = {
    "dict_type": "fields, one `name: value` a line",
    "model_type": "fields, one `name: value` a line",
    "model_attributes_type": "fields, one `name: value` a line",
    "tuple_type": "a list",
    "list_type": "a list",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
}


def problem_of(item: Any) -> Problem:
    """Return one of pydantic's errors as a problem: where, what the value is, what it should be."""
    place = [str(part) for part in item["loc"] if not str(part).startswith(("function-", "constrained-"))]
    field = ".".join(place)
    kind, given = item["type"], item.get("input")
    shown = "" if isinstance(given, dict | list) or given is None else f"`{_as_written(given)}` "
    if kind == "missing":
        return Problem(field, "is required")
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], fields_at(place[:-1]), n=1)
        return Problem(field, "there is no such field", f"did you mean `{near[0]}`?" if near else None)
    if kind == "string_pattern_mismatch" and (rule := RULES.get(item["ctx"]["pattern"])):
        return Problem(field, f"{shown}is not allowed", f"it {rule}")
    if kind in _KINDS:
        found = shown or f"{_KINDS[f'{type(given).__name__}_type']} " if isinstance(given, dict | list) else shown
        quote = f'put it in quotes: "{_as_written(given)}"' if kind == "string_type" and shown else None
        return Problem(field, f"{found or 'nothing '}is not {_KINDS[kind]}", quote)
    message: str = item["msg"]
    return Problem(field, message[0].lower() + message[1:] + (f": {shown.strip()}" if shown else ""))


def _as_written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def fields_at(place: Sequence[str]) -> list[str]:
    """Return the fields that the spec has at a place, for example at `nodePools`, `0`; none where there is no such."""
    model: Any = models.ClusterSpec
    for part in place:
        if part.isdigit():
            continue
        found = [m for m in _models_of(model) if _field_named(m, part)]
        if not found:
            return []
        model = _field_named(found[0], part).annotation
    return [field.alias or name for m in _models_of(model) for name, field in m.model_fields.items()]


def _models_of(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_of(inner)]


def _field_named(model: type[BaseModel], alias: str) -> Any:
    return next((field for name, field in model.model_fields.items() if alias in (field.alias, name)), None)
