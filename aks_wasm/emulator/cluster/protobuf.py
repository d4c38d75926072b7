"""Kubernetes' protobuf form, read only: what `kubectl create deployment` and Go's typed clients send.

Answers are JSON, which those clients also take. After k8s.io/apimachinery/pkg/runtime/serializer/protobuf.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

from aks_wasm.emulator.cluster.statuses import BadRequest
from aks_wasm.emulator.cluster.trees import Tree

MEDIA = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_Field = tuple[int, str, str, str]  # number, JSON name or "", type, "z" when a zero value is left out


def decoded_message(content: bytes) -> Tree:
    """Return the object in a request's body.

    Raises:
        BadRequest: It is no such message, or of a kind that is not known here.
    """
    if not content.startswith(_MAGIC):
        raise BadRequest("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        api_version, kind, raw = _envelope(content[len(_MAGIC) :])
        message = _message_name(api_version, kind)
        return {"apiVersion": api_version, "kind": kind, **_message(message, raw)}
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise BadRequest(f"the object provided is unrecognized: {error}") from error


@cache
def _tables() -> Mapping[str, Any]:
    text = resources.files(__package__).joinpath("protobuf.json").read_text(encoding="utf-8")
    tables: Mapping[str, Any] = json.loads(text)
    return tables


@cache
def _fields(message: str) -> Mapping[int, _Field]:
    return {number: (number, name, kind, zero) for number, name, kind, zero in _tables()["messages"][message]}


def _message_name(api_version: str, kind: str) -> str:
    group, _, version = api_version.rpartition("/")
    place = f"{group.partition('.')[0] or 'core'}/{version}/{kind}"
    found = _tables()["kinds"].get("meta/v1/DeleteOptions" if kind == "DeleteOptions" else place)
    if found is None:
        raise BadRequest(f'no kind "{kind}" is registered for version "{api_version}"')
    name: str = found
    return name


def _envelope(content: bytes) -> tuple[str, str, bytes]:
    """Read runtime.Unknown: typeMeta and the raw message."""
    api_version, kind, raw = "", "", b""
    for number, value in _pairs(content):
        if number == 1:
            for below, text in _pairs(value):
                if below == 1:
                    api_version = text.decode()
                elif below == 2:
                    kind = text.decode()
        elif number == 2:
            raw = value
    return api_version, kind, raw


def _pairs(content: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (field number, value): int for varints, bytes for the rest."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(content, at)
            yield number, value
        else:
            size = {1: 8, 5: 4}.get(wire)
            if size is None:
                size, at = _varint(content, at)
            if at + size > len(content):
                raise IndexError("unexpected end of message")
            yield number, content[at : at + size]
            at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def _message(name: str, content: bytes) -> Tree:
    obj: Tree = {}
    fields = _fields(name)
    for number, raw in _pairs(content):
        if number not in fields:
            continue
        _, field, kind, zero = fields[number]
        if kind.startswith("[]"):
            obj.setdefault(field, []).append(_value(kind[2:], raw))
        elif kind.startswith("{}"):
            key, value = _entry(kind[2:], raw)
            obj.setdefault(field, {})[key] = value
        elif field == "":
            obj |= _message(kind, raw)
        else:
            value = _value(kind, raw)
            if value is not None and not (zero and value in ("", 0)):
                obj[field] = value
    return obj


def _entry(kind: str, raw: bytes) -> tuple[str, Any]:
    parts = dict(_pairs(raw))
    return parts.get(1, b"").decode(), _value(kind, parts.get(2, b""))


def _value(kind: str, raw: Any) -> Any:
    if kind.startswith("[]"):
        # A map of lists goes through a message whose only field is the list (metav1.Verbs, ExtraValue).
        return [_value(kind[2:], item) for _, item in _pairs(raw)]
    simple = _SIMPLE.get(kind)
    return simple(raw) if simple else _message(kind, raw)


def _integer(raw: int) -> int:
    return raw - (1 << 64) if raw >= 1 << 63 else raw


def _time(raw: bytes) -> str | None:
    parts = dict(_pairs(raw))
    if not parts:
        return None
    moment = datetime.fromtimestamp(_integer(parts.get(1, 0)), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(raw: bytes) -> str | None:
    parts = dict(_pairs(raw))
    moment = _time(raw)
    return None if moment is None else f"{moment[:-1]}.{parts.get(2, 0) // 1000:06d}Z"


def _int_or_string(raw: bytes) -> int | str:
    parts = dict(_pairs(raw))
    text: bytes = parts.get(3, b"")
    return text.decode() if parts.get(1, 0) else _integer(parts.get(2, 0))


def _first_text(raw: bytes) -> str:
    text: bytes = dict(_pairs(raw)).get(1, b"")
    return text.decode()


def _embedded_json(raw: bytes) -> Any:
    return json.loads(_first_text(raw) or "null")


_SIMPLE: Mapping[str, Any] = {
    "string": lambda raw: raw.decode(),
    "integer": _integer,
    "boolean": bool,
    "number": lambda raw: struct.unpack("<d", raw)[0],
    "bytes": lambda raw: base64.b64encode(raw).decode(),
    "quantity": _first_text,
    "intorstring": _int_or_string,
    "time": _time,
    "microtime": _micro_time,
    "fieldsv1": _embedded_json,
    "rawextension": _embedded_json,
}
