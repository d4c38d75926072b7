"""The downward API: fields and resources of a pod as text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aks_wasm.emulator.cluster.quantities import amount

_KEYED = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")
_PLAIN = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
    "metadata.uid": ("metadata", "uid"),
    "spec.nodeName": ("spec", "nodeName"),
    "spec.serviceAccountName": ("spec", "serviceAccountName"),
    "status.hostIP": ("status", "hostIP"),
    "status.podIP": ("status", "podIP"),
}
_LISTS = {"status.podIPs": "podIPs", "status.hostIPs": "hostIPs"}


def field_value(pod: Mapping[str, Any], path: str) -> str | None:
    """Return a field of the pod, for example `metadata.labels['app']`; None when it can't be selected."""
    if keyed := _KEYED.match(path):
        return str((pod["metadata"].get(keyed[1]) or {}).get(keyed[2], ""))
    if path in _PLAIN:
        section, name = _PLAIN[path]
        return str(pod.get(section, {}).get(name, ""))
    if path in _LISTS:
        return ",".join(entry["ip"] for entry in pod.get("status", {}).get(_LISTS[path]) or ())
    if path in ("metadata.labels", "metadata.annotations"):
        entries = pod["metadata"].get(path.rpartition(".")[2]) or {}
        return "\n".join(f'{key}="{_escaped(value)}"' for key, value in sorted(entries.items()))
    return None


def resource_value(
    container: Mapping[str, Any], reference: Mapping[str, Any], allocatable: Mapping[str, str]
) -> str | None:
    """Return a resource of a container in units of the divisor, rounded up; a missing limit is the node's."""
    kind, _, resource = str(reference.get("resource", "")).partition(".")
    if kind not in ("limits", "requests") or not resource:
        return None
    resources = container.get("resources") or {}
    written = (resources.get(kind) or {}).get(resource)
    if written is None:
        written = allocatable.get(resource, "0") if kind == "limits" else "0"
    divisor = amount(str(reference.get("divisor") or 1)) or Decimal(1)
    return str(math.ceil(amount(str(written)) / divisor))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
