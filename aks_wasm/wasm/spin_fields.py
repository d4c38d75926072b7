"""Which fields a Spin manifest may have, and of which type; a misspelt one is named with its nearest neighbour."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aks_wasm.errors import Problem

_NAMES = {
    str: "a string",
    list: "a list",
    dict: "a table",
    bool: "true or false",
}


@dataclass(frozen=True)
class Fields:
    """The fields of one table: name -> allowed types; `required` ones must be there."""

    known: Mapping[str, tuple[type, ...]]
    required: tuple[str, ...] = ()


_TEXT, _LIST, _TABLE = (str,), (list,), (dict,)
_SHARED = {
    "source": (str, dict),
    "description": _TEXT,
    "environment": _TABLE,
    "files": _LIST,
    "exclude_files": _LIST,
    "allowed_http_hosts": _LIST,
    "allowed_outbound_hosts": _LIST,
    "key_value_stores": _LIST,
    "sqlite_databases": _LIST,
    "ai_models": _LIST,
    "build": _TABLE,
}

MANIFEST_V1 = Fields(
    {
        "spin_manifest_version": _TEXT,
        "spin_version": _TEXT,
        "name": _TEXT,
        "version": _TEXT,
        "description": _TEXT,
        "authors": _LIST,
        "trigger": _TABLE,
        "variables": _TABLE,
        "component": _LIST,
    },
    ("name", "trigger"),
)
COMPONENT_V1 = Fields({**_SHARED, "id": _TEXT, "trigger": _TABLE, "config": _TABLE}, ("id", "source", "trigger"))
MANIFEST_V2 = Fields(
    {
        "spin_manifest_version": (int,),
        "application": _TABLE,
        "variables": _TABLE,
        "trigger": _TABLE,
        "component": _TABLE,
    },
    ("application", "trigger"),
)
APPLICATION_V2 = Fields(
    {
        "name": _TEXT,
        "version": _TEXT,
        "description": _TEXT,
        "authors": _LIST,
        "trigger": _TABLE,
        "tool": _TABLE,
    },
    ("name",),
)
COMPONENT_V2 = Fields(
    {
        **_SHARED,
        "variables": _TABLE,
        "tool": _TABLE,
        "dependencies": _TABLE,
        "dependencies_inherit_configuration": (bool,),
    },
    ("source",),
)
FILE_PLACEMENT = Fields({"source": _TEXT, "destination": _TEXT}, ("source", "destination"))
EXECUTOR = Fields({"type": _TEXT, "entrypoint": _TEXT, "argv": _TEXT})


def check(table: Mapping[str, Any], fields: Fields, place: str, problems: list[Problem]) -> None:
    """Note what is missing, unknown or of a wrong type in one table."""
    dot = f"{place}." if place else ""
    for name in fields.required:
        if name not in table:
            problems.append(Problem(f"{dot}{name}", "is missing"))
    for name, value in table.items():
        types = fields.known.get(name)
        if types is None:
            near = difflib.get_close_matches(name, fields.known, 1)
            problems.append(
                Problem(f"{dot}{name}", "is not a field here", f"did you mean `{near[0]}`?" if near else None)
            )
        elif not isinstance(value, types):
            wanted = " or ".join(_NAMES.get(one, one.__name__) for one in types)
            problems.append(Problem(f"{dot}{name}", f"should be {wanted}"))


def check_remote(source: Mapping[str, str], place: str, problems: list[Problem]) -> None:
    """Note what is wrong with a source that is a URL with a digest, or a package of a registry."""
    if "url" in source:
        if not source.get("digest", "").startswith("sha256:"):
            problems.append(Problem(f"{place}.digest", "should be `sha256:` and 64 hex digits"))
    elif not {"package", "version"} <= set(source):
        problems.append(
            Problem(place, "should name a file, a `url` with its `digest`, or a `package` with its `version`")
        )


def tables(value: object) -> list[Mapping[str, Any]]:
    """Return a list of tables, or one table, as a list; what is no table is left out."""
    entries = value if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, Mapping)]


def is_table(value: object, place: str, problems: list[Problem]) -> bool:
    """Note what should be a table and is not."""
    if isinstance(value, Mapping):
        return True
    problems.append(Problem(place, "should be a table"))
    return False
