"""Table answers (`as=Table`): the rows `kubectl get` prints."""

from __future__ import annotations

import re
from typing import Any

from aks_wasm.emulator.cluster.columns import Column, Printer, age_of, name_of
from aks_wasm.emulator.cluster.columns_network import NETWORK
from aks_wasm.emulator.cluster.columns_objects import CREATED, OBJECTS
from aks_wasm.emulator.cluster.columns_pods import PODS
from aks_wasm.emulator.cluster.columns_workloads import WORKLOADS
from aks_wasm.emulator.cluster.durations import age
from aks_wasm.emulator.cluster.kinds import Kind
from aks_wasm.emulator.cluster.trees import Tree

_PRINTERS: dict[str, Printer] = {"pods": PODS, **WORKLOADS, **NETWORK, **OBJECTS}
_STEP = re.compile(r"\.(?P<field>[A-Za-z0-9_\-/\\.]+?)(?=[.\[]|$)|\[(?P<index>\d+|\*)\]|\[\?\(@\.(?P<key>[\w.]+)"
                   r"\s*==\s*[\"'](?P<value>[^\"']*)[\"']\)\]|\[[\"'](?P<quoted>[^\"']+)[\"']\]")  # fmt: skip


def table(kind: Kind, items: list[Tree], meta: Tree, include: str) -> dict[str, Any]:
    """Return a meta.k8s.io/v1 Table.

    Args:
        kind: Whose objects they are.
        items: The objects.
        meta: The list's metadata.
        include: What each row carries of its object: `Metadata` (also for `""`), `Object` or `None`.
    """
    printer = _printer(kind)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": [column.definition() for column in printer.columns],
        "rows": [_row(printer, item, include) for item in items],
    }


def _row(printer: Printer, obj: Tree, include: str) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": printer.cells(obj)}
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": obj["metadata"],
        }
    return row


def _printer(kind: Kind) -> Printer:
    if kind.definition is not None:
        return _custom_printer(kind)
    # events.k8s.io has no printer of its own here: its objects are converted, their fields renamed.
    return CREATED if kind.group == "events.k8s.io" else _PRINTERS.get(kind.stored_as, CREATED)


def _custom_printer(kind: Kind) -> Printer:
    told = (kind.definition or {}).get("additionalPrinterColumns") or []
    if not told:
        return Printer((Column("Name"), Column("Age", "date")), lambda obj: [name_of(obj), age_of(obj)])
    shown = tuple(Column(one["name"], one.get("type", "string"), one.get("priority", 0)) for one in told)

    def cells(obj: Tree) -> list[Any]:
        return [name_of(obj), *(_custom_cell(one, obj) for one in told)]

    return Printer((Column("Name"), *shown), cells)


def _custom_cell(column: Tree, obj: Tree) -> Any:
    found = json_path(obj, column["jsonPath"])
    if not found:
        return None
    value = found[0]
    if column.get("type") == "date":
        return age(value) if isinstance(value, str) else None
    return value


def json_path(obj: Any, path: str) -> list[Any]:
    """Return what a JSONPath of a printer column finds: fields, indexes, `[*]` and `[?(@.key=="value")]`."""
    found = [obj]
    for step in _STEP.finditer(path):
        found = [value for held in found for value in _stepped(held, step)]
    return found


def _stepped(held: Any, step: re.Match[str]) -> list[Any]:
    field = step["field"] or step["quoted"]
    if field:
        return [held[field]] if isinstance(held, dict) and field in held else []
    if not isinstance(held, list):
        return []
    if step["index"] == "*":
        return held
    if step["index"]:
        return held[int(step["index"]) : int(step["index"]) + 1]
    return [item for item in held if json_path(item, f".{step['key']}") == [step["value"]]]
