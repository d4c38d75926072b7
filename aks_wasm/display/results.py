"""A result on stdout: one document as JSON or YAML, tables for people, or names.

Answers demand 18 of shared/facts/demands.md.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any, Literal

from aks_wasm.display.text import one_line
from aks_wasm.workflows.results import Result, Table

API_VERSION = "aks-wasm/v1"
OutputFormat = Literal["table", "json", "yaml", "name"]
GAP = "  "
NARROWEST_TEXT = 20  # columns; text that has less room than this is better read below its name than beside it


def document_of(result: Result) -> dict[str, Any]:
    """Return the result's whole document; `ok` and `error` are in every one."""
    content = result.to_dict()
    head = {"apiVersion": API_VERSION, "kind": result.kind, "ok": content.pop("ok", True)}
    error = content.pop("error", None)
    return {**head, **content, "error": error}


def failure_document(kind: str, content: Mapping[str, Any], error: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a command that failed; `content` is what is known all the same."""
    known = {key: value for key, value in content.items() if key not in ("ok", "error")}
    return {"apiVersion": API_VERSION, "kind": kind, "ok": False, **known, "error": dict(error)}


def render_document(document: Mapping[str, Any], output: OutputFormat) -> str:
    """Return a document as JSON or YAML text that ends with a newline."""
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
    if output != "yaml":
        return text + "\n"
    import yaml

    # By way of JSON, so that both formats hold the same plain types.
    dumped: str = yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=True, width=120)
    return dumped


def render_result(result: Result, output: OutputFormat, width: int) -> str:
    """Return a result in a format.

    Args:
        result: What the command answers.
        output: The format.
        width: Columns that tables should fit in; names are never broken to make them fit.
    """
    match output:
        case "json" | "yaml":
            return render_document(document_of(result), output)
        case "name":
            return "".join(f"{name}\n" for name in result.names())
        case "table":
            return "\n".join(render_table(table, width) for table in result.tables())


def render_table(table: Table, width: int) -> str:
    """Lay a table out in aligned columns, or one record below the other where it is too wide."""
    title = f"{table.title}\n" if table.title else ""
    if not table.rows:
        return f"{title}nothing\n"
    rows = [tuple(one_line(cell) or "-" for cell in row) for row in table.rows]
    if table.upright:
        return title + "\n".join(_record(table.columns, row) for row in rows)
    widths = [max(len(row[column]) for row in [table.columns, *rows]) for column in range(len(table.columns))]
    before_last = sum(widths[:-1]) + len(GAP) * (len(widths) - 1)
    if before_last + widths[-1] > width and (len(rows) == 1 or before_last + NARROWEST_TEXT > width):
        return title + "\n".join(_record(table.columns, row) for row in rows)
    return title + "".join(_lines(row, widths, width - before_last) for row in [table.columns, *rows])


def _lines(row: tuple[str, ...], widths: list[int], room: int) -> str:
    """Return a row; the last column, where free text stands, goes on below itself when it is long."""
    text = textwrap.wrap(row[-1], max(room, NARROWEST_TEXT), break_long_words=False, break_on_hyphens=False) or [""]
    head = "".join(cell.ljust(width) + GAP for cell, width in zip(row[:-1], widths, strict=False))
    below = " " * len(head)
    return "".join(f"{below if number else head}{line}".rstrip() + "\n" for number, line in enumerate(text))


def _record(columns: tuple[str, ...], row: tuple[str, ...]) -> str:
    longest = max(len(column) for column in columns)
    return "".join(f"{column.ljust(longest)}{GAP}{cell}\n" for column, cell in zip(columns, row, strict=True))
