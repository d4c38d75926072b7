"""The `$filter` of lists, as far as Resource Manager itself takes it: conditions joined by `and`."""

from __future__ import annotations

import re
from typing import Any

from aks_wasm.emulator.arm.errors import GatewayError

_CONDITION = re.compile(r"\s*(\w+)\s+(eq|ne)\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)


def conditions(text: str | None) -> list[tuple[str, str, bool]]:
    """Read `a eq 'x' and b ne 'y'` as [(a, x, True), (b, y, False)], names in lower case.

    Raises:
        GatewayError: It is another kind of filter.
    """
    if not text:
        return []
    found = []
    for part in re.split(r"\sand\s", text, flags=re.IGNORECASE):
        match = _CONDITION.fullmatch(part)
        if match is None:
            message = f"Invalid $filter '{text}' specified in the query string."
            raise GatewayError(400, "InvalidFilterInQueryString", message)
        found.append((match[1].lower(), match[3].replace("''", "'"), match[2].lower() == "eq"))
    return found


def matching(text: str | None, resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the resources that satisfy a filter by tagName, tagValue, resourceType, resourceGroup, name, location."""
    wanted = conditions(text)
    tag = next((value for name, value, _ in wanted if name == "tagname"), None)
    return [
        resource
        for resource in resources
        if all(_holds(resource, name, value, tag) is equal for name, value, equal in wanted)
    ]


def _holds(resource: dict[str, Any], name: str, value: str, tag: str | None) -> bool:
    tags = {str(key).lower(): text for key, text in (resource.get("tags") or {}).items()}
    if name == "tagname":
        return value.lower() in tags
    if name == "tagvalue":
        return tag is not None and tags.get(tag.lower()) == value
    if name == "resourcegroup":  # how `az resource list -g` asks
        return str(resource["id"]).split("/")[4].lower() == value.lower()
    member = {"resourcetype": "type"}.get(name, name)
    return str(resource.get(member, "")).lower() == value.lower()
