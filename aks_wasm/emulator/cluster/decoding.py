"""Reading a client's object as Go would: wrong types refused, unknown fields found and dropped, numbers fitted."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any

from aks_wasm.emulator.cluster.schemas import Node
from aks_wasm.emulator.cluster.trees import Tree

_GO_NAMES = {"string": "string", "integer": "int32", "boolean": "bool", "number": "float64", "time": "v1.Time"}
# int64 in Kubernetes; all other integers are int32.
_LONG = frozenset(
    {
        "generation", "observedGeneration", "terminationGracePeriodSeconds", "activeDeadlineSeconds",
        "tolerationSeconds", "runAsUser", "runAsGroup", "fsGroup", "deletionGracePeriodSeconds",
        "expirationSeconds", "gracePeriodSeconds",
    }
)  # fmt: skip


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_QUANTITY = re.compile("^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")


class WrongType(Exception):
    """A value can't be what its field holds; the text is encoding/json's."""


class _Mismatch(Exception):
    """A JSON type that does not fit; the struct around it gives the message its name."""

    def __init__(self, value: Any, path: str, wanted: str) -> None:
        super().__init__()
        told = {bool: "bool", str: "string", int: "number", float: "number", list: "array", dict: "object"}
        self.found = told.get(type(value), "null")
        self.field = ".".join(part.partition("[")[0] for part in path.split("."))
        self.wanted = wanted


@dataclass
class Decoded:
    """What was read.

    Attributes:
        obj: The object with only what the type knows.
        unknown: Paths of the fields that were dropped, for example `spec.template.spec.contaners`.
        loose: Whether values of another type are left in place: of custom objects the schema tells later.
    """

    obj: Tree
    unknown: list[str] = field(default_factory=list)
    loose: bool = False


def decoded(node: Node, obj: Tree, *, loose: bool = False) -> Decoded:
    """Read an object of that type; with `loose` a value of another type than metadata's stays as it is.

    Raises:
        WrongType: A value has the wrong JSON type, or text that should be base64 or a quantity is not.
    """
    result = Decoded({}, loose=loose)
    result.obj = _struct(node, obj, "", result)
    return result


def _value(node: Node, value: Any, path: str, result: Decoded) -> Any:
    if node.shape == "struct":
        if not isinstance(value, dict):
            raise _Mismatch(value, path, _go(node, path))
        return _struct(node, value, path, result)
    if node.shape == "map":
        if not isinstance(value, dict):
            raise _Mismatch(value, path, f"map[string]{_go(node.item, path)}")
        pairs = ((key, _value(node.item, item, f"{path}.{key}", result)) for key, item in value.items())
        return dict(pairs)
    if node.shape == "list":
        if not isinstance(value, list):
            raise _Mismatch(value, path, f"[]{_go(node.item, path)}")
        return [_value(node.item, item, f"{path}[{index}]", result) for index, item in enumerate(value)]
    return _scalar(node, value, path) if node.shape == "scalar" else value


def _struct(node: Node, value: Tree, path: str, result: Decoded) -> Tree:
    read: Tree = {}
    fields = node.fields
    for name, item in value.items():
        place = f"{path}.{name}" if path else name
        known = fields.get(name)
        if known is None:
            if node.open_fields:
                read[name] = item
            else:
                result.unknown.append(place)
        elif item is None and known.nullable:
            read[name] = None
        elif item is not None:
            # Go leaves out empty optional lists and maps; a struct is there even when it is empty.
            if item in ([], {}) and known.shape in {"list", "map"} and name not in node.required:
                continue
            try:
                read[name] = _value(known, item, place, result)
            except _Mismatch as error:
                if result.loose and not place.startswith("metadata"):
                    read[name] = item
                    continue
                owner = node.name.rpartition(".")[2]
                told = f"cannot unmarshal {error.found} into Go struct field {owner}.{error.field}"
                raise WrongType(f"json: {told} of type {error.wanted}") from error
    return read


def _scalar(node: Node, value: Any, path: str) -> Any:
    name = node.name
    if name == "quantity":
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _Mismatch(value, path, "resource.Quantity")
        text = value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
        if not _QUANTITY.match(text):
            raise WrongType(f"quantities must match the regular expression '{_QUANTITY.pattern}'")
        return text
    if name == "int-or-string":
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _Mismatch(value, path, "intstr.IntOrString")
        return value
    if name == "bytes":
        return _base64(value, path)
    if name == "time" and isinstance(value, str) and not _TIME.fullmatch(value):
        raise WrongType(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}" as "2006"')
    fits = {
        "string": isinstance(value, str),
        "time": isinstance(value, str),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
    }[name]
    if not fits:
        raise _Mismatch(value, path, _go(node, path))
    return value


def _base64(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _Mismatch(value, path, "[]uint8")
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error as error:
        wrong = next((at for at, letter in enumerate(value) if not (letter.isalnum() or letter in "+/=")), None)
        raise WrongType(
            f"illegal base64 data at input byte {len(value) // 4 * 4 if wrong is None else wrong}"
        ) from error
    return value


def _go(node: Node, path: str) -> str:
    if node.shape == "scalar":
        if node.name == "integer" and path.rpartition(".")[2] in _LONG:
            return "int64"
        return _GO_NAMES.get(node.name, node.name)
    return node.name or "map[string]interface {}"
