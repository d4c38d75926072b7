"""The types of objects: which fields there are, what lies in them, and how lists of them merge."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

from aks_wasm.emulator.cluster.kinds import Kind
from aks_wasm.emulator.cluster.trees import Tree

Shape = Literal["struct", "map", "list", "scalar", "any"]
_SCALARS = frozenset({"string", "integer", "boolean", "number", "time", "bytes", "quantity", "int-or-string"})


@dataclass(frozen=True, eq=False)
class Node:
    """The type of one place in an object.

    Attributes:
        shape: A struct has known fields, a map any, `any` may hold whatever JSON there is.
        name: Of the struct, for example `v1.PodSpec`, or of the scalar.
        atomic: Server-side apply owns the whole value at once.
        keys: Of a list whose items are told apart by these fields (listType=map).
        is_set: A list of values told apart by themselves (listType=set).
        merge: Strategic merge patch merges this list by that field; `""` by value; None replaces it.
        retain_keys: Strategic merge patch may drop the keys a patch does not name.
        open_fields: A struct that keeps fields it does not know.
        required: Fields that must be there.
        nullable: Null is a value of its own there and stays.
        description: For `kubectl explain`.
    """

    shape: Shape
    name: str = ""
    atomic: bool = False
    keys: tuple[str, ...] = ()
    is_set: bool = False
    merge: str | None = None
    retain_keys: bool = False
    open_fields: bool = False
    required: tuple[str, ...] = ()
    nullable: bool = False
    description: str = ""
    _fields: Callable[[], Mapping[str, Node]] = field(default=dict, repr=False)
    _item: Callable[[], Node] | None = field(default=None, repr=False)

    @property
    def fields(self) -> Mapping[str, Node]:
        """The fields of a struct."""
        return self._fields()

    @property
    def item(self) -> Node:
        """The type of a list's items or a map's values."""
        return self._item() if self._item else ANY

    def child(self, name: str) -> Node:
        """Return the type of a field of a struct or an entry of a map; ANY where it is not known."""
        if self.shape == "struct":
            return self.fields.get(name, ANY)
        return self.item if self.shape == "map" else ANY


ANY = Node("any")


def node_of(kind: Kind) -> Node:
    """Return the type of a kind's objects."""
    if kind.definition is None:
        return built_in(kind.schema or f"{kind.version}.{kind.kind}")
    schema = (kind.definition.get("schema") or {}).get("openAPIV3Schema") or {}
    fields = {name: custom(value) for name, value in (schema.get("properties") or {}).items() if name != "metadata"}
    text = built_in("v1.ConfigMap").fields
    fields |= {"apiVersion": text["apiVersion"], "kind": text["kind"], "metadata": text["metadata"]}
    opened = not schema.get("properties") or bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    return Node(
        "struct",
        kind.kind,
        open_fields=opened,
        required=tuple(schema.get("required") or ()),
        description=schema.get("description", ""),
        _fields=lambda: fields,
    )


def type_names() -> tuple[str, ...]:
    """Return the names of all built-in types."""
    return tuple(_types())


@cache
def built_in(name: str) -> Node:
    """Return the type of that name, for example `v1.PodSpec`; ANY when there is none."""
    described = _types().get(name)
    if described is None:
        return ANY
    return Node(
        "struct",
        name,
        atomic=bool(described.get("atomic")),
        required=tuple(described.get("required", ())),
        description=described["description"],
        _fields=lambda: _fields_of(name),
    )


@cache
def _types() -> Mapping[str, Any]:
    text = resources.files(__package__).joinpath("schemas.json").read_text(encoding="utf-8")
    types: Mapping[str, Any] = json.loads(text)["types"]
    return types


@cache
def _fields_of(name: str) -> Mapping[str, Node]:
    return {wire: _field_node(told) for wire, told in _types()[name]["fields"].items()}


def _field_node(told: Tree) -> Node:
    node = _typed(told["type"])
    return Node(
        node.shape,
        node.name,
        atomic=node.atomic or bool(told.get("atomic")),
        keys=tuple(told.get("keys", ())),
        is_set=bool(told.get("set")),
        merge=told.get("merge"),
        retain_keys=bool(told.get("retain")),
        required=node.required,
        description=told.get("description", ""),
        _fields=lambda: node.fields,
        _item=lambda: node.item,
    )


@cache
def _typed(name: str) -> Node:
    if name.startswith("[]"):
        return Node("list", _item=lambda: _typed(name[2:]))
    if name.startswith("{}"):
        return Node("map", _item=lambda: _typed(name[2:]))
    if name in _SCALARS:
        return Node("scalar", name)
    return ANY if name == "any" else built_in(name)


def custom(schema: Tree) -> Node:
    """Return the type a JSON schema of a CustomResourceDefinition describes."""
    kind = schema.get("type")
    atomic = (schema.get("x-kubernetes-map-type") or schema.get("x-kubernetes-list-type")) == "atomic"
    common: dict[str, Any] = {"atomic": atomic, "description": schema.get("description", "")}
    common["nullable"] = bool(schema.get("nullable"))
    if schema.get("x-kubernetes-int-or-string"):
        return Node("scalar", "int-or-string", **common)
    if kind == "array":
        return Node(
            "list",
            keys=tuple(schema.get("x-kubernetes-list-map-keys") or ()),
            is_set=schema.get("x-kubernetes-list-type") == "set",
            _item=lambda: custom(schema.get("items") or {}),
            **common,
        )
    if kind == "object" or "properties" in schema:
        return _custom_object(schema, common)
    if kind in {"string", "integer", "boolean", "number"}:
        return Node("scalar", kind, **common)
    return Node("any", **common)


def _custom_object(schema: Tree, common: dict[str, Any]) -> Node:
    properties = schema.get("properties")
    values = schema.get("additionalProperties")
    if properties is None and isinstance(values, dict):
        return Node("map", _item=lambda: custom(values), **common)
    fields = {name: custom(value) for name, value in (properties or {}).items()}
    return Node(
        "struct",
        open_fields=bool(schema.get("x-kubernetes-preserve-unknown-fields")) or properties is None,
        required=tuple(schema.get("required") or ()),
        _fields=lambda: fields,
        **common,
    )
