"""What the schema of a CustomResourceDefinition says of its objects: what is filled in, and what is wrong.

Texts are those of k8s.io/apiextensions-apiserver. Combined schemas (allOf, anyOf, oneOf, not) and rules in CEL are not
looked at; whoever stores a definition that has some is warned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from aks_wasm.emulator.cluster.causes import Cause, invalid, not_supported, required
from aks_wasm.emulator.cluster.trees import Tree, copied

_IGNORED = frozenset({"allOf", "anyOf", "oneOf", "not", "x-kubernetes-validations"})
_HEAD = frozenset({"apiVersion", "kind", "metadata"})


def schema_of(version: Tree) -> Tree:
    """Return the schema of one version of a definition; {} when it has none."""
    found: Tree = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return found


def unchecked(schema: Any) -> set[str]:
    """Return the words of a schema that nothing here looks at."""
    if isinstance(schema, list):
        return set().union(*map(unchecked, schema))
    if not isinstance(schema, dict):
        return set()
    found = {word for word in _IGNORED if word in schema}
    for key in ("items", "additionalProperties"):
        found |= unchecked(schema.get(key))
    for inner in (schema.get("properties") or {}).values():
        found |= unchecked(inner)
    return found


def fill(schema: Tree, value: Any) -> None:
    """Put the schema's defaults into an object in place."""
    if isinstance(value, dict):
        for name, inner in (schema.get("properties") or {}).items():
            if name not in value and "default" in inner:
                value[name] = copied(inner["default"])
            if name in value:
                fill(inner, value[name])
        values = schema.get("additionalProperties")
        if isinstance(values, dict):
            for inner in value.values():
                fill(values, inner)
    elif isinstance(value, list):
        for item in value:
            fill(schema.get("items") or {}, item)


def problems(schema: Tree, obj: Tree) -> Iterator[Cause]:
    """Yield everything that is wrong with a custom object, but for its metadata."""
    for name in schema.get("required") or ():
        if name not in obj:
            yield required(name)
    for name, inner in (schema.get("properties") or {}).items():
        if name in obj and name not in _HEAD:
            yield from _problems(inner, obj[name], name)


def _problems(schema: Tree, value: Any, place: str) -> Iterator[Cause]:
    if value is None and schema.get("nullable"):
        return
    wanted = ["integer", "string"] if schema.get("x-kubernetes-int-or-string") else [schema.get("type")]
    found = _type_of(value)
    if wanted != [None] and found not in wanted and not (found == "integer" and wanted == ["number"]):
        why = f'{place} in body must be of type {",".join(str(one) for one in wanted)}: "{found}"'
        yield Cause(place, "FieldValueTypeInvalid", f'Invalid value: "{found}": {why}')
        return
    if isinstance(value, dict):
        yield from _object_problems(schema, value, place)
    elif isinstance(value, list):
        yield from _list_problems(schema, value, place)
    elif isinstance(value, str):
        yield from _text_problems(schema, value, place)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_problems(schema, value, place)
    if "enum" in schema and value not in schema["enum"]:
        yield not_supported(place, value, [str(one) for one in schema["enum"]])


def _object_problems(schema: Tree, value: Tree, place: str) -> Iterator[Cause]:
    for name in schema.get("required") or ():
        if name not in value:
            yield required(f"{place}.{name}")
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    for name, inner in properties.items():
        if name in value:
            yield from _problems(inner, value[name], f"{place}.{name}")
    if isinstance(others, dict):
        for name in value.keys() - properties.keys():
            yield from _problems(others, value[name], f"{place}.{name}")
    yield from _amount_problems(schema, len(value), place, ("minProperties", "maxProperties"), "properties")


def _list_problems(schema: Tree, value: list[Any], place: str) -> Iterator[Cause]:
    for index, item in enumerate(value):
        yield from _problems(schema.get("items") or {}, item, f"{place}[{index}]")
    if schema.get("uniqueItems") and any(item in value[:index] for index, item in enumerate(value)):
        yield invalid(place, value, f"{place} in body shouldn't contain duplicates")
    yield from _amount_problems(schema, len(value), place, ("minItems", "maxItems"), "items")


def _amount_problems(schema: Tree, amount: int, place: str, words: tuple[str, str], noun: str) -> Iterator[Cause]:
    least, most = (schema.get(word) for word in words)
    if most is not None and amount > most:
        yield Cause(place, "FieldValueTooMany", f"Too many: {amount}: must have at most {most} items")
    if least is not None and amount < least:
        yield invalid(place, amount, f"{place} in body should have at least {least} {noun}")


def _text_problems(schema: Tree, value: str, place: str) -> Iterator[Cause]:
    most, least = schema.get("maxLength"), schema.get("minLength", 0)
    if most is not None and len(value) > most:
        yield Cause(place, "FieldValueTooLong", f"Too long: may not be more than {most} bytes")
    if len(value) < least:
        yield invalid(place, value, f"{place} in body should be at least {least} chars long")
    pattern = schema.get("pattern")
    if pattern and not re.search(pattern, value):
        yield invalid(place, value, f"{place} in body should match '{pattern}'")


def _number_problems(schema: Tree, value: float, place: str) -> Iterator[Cause]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and (value < least or (schema.get("exclusiveMinimum") and value == least)):
        told = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield invalid(place, value, f"{place} in body should be {told} {least}")
    if most is not None and (value > most or (schema.get("exclusiveMaximum") and value == most)):
        told = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield invalid(place, value, f"{place} in body should be {told} {most}")
    step = schema.get("multipleOf")
    if step and value % step:
        yield invalid(place, value, f"{place} in body should be a multiple of {step}")


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")
