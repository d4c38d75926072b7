"""v1 Events as client-go's recorder writes them: one object for each thing that happens, repeats counted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aks_wasm.emulator.cluster.trees import Tree, now

if TYPE_CHECKING:
    from aks_wasm.emulator.cluster.store import Store


@dataclass(frozen=True)
class Happening:
    """What an event says: `type` is Normal or Warning, `component` who says it."""

    reason: str
    message: str
    type: str
    component: str


def record(store: Store, involved: Tree, happening: Happening) -> None:
    """Write the event into the namespace of the object it is about (`default` for cluster-scoped ones)."""
    meta = involved.get("metadata", {})
    namespace = meta.get("namespace") or "default"
    # The name is a function of what is said, so a repeat finds the event to count up without a search.
    said = (happening.reason, happening.message, happening.type, happening.component)
    told = "|".join((meta.get("uid", ""), meta.get("name", ""), *said))
    name = f"{meta.get('name', '')}.{hashlib.sha256(told.encode()).hexdigest()[:16]}"

    def repeated(event: Tree) -> None:
        event["count"] = event.get("count", 1) + 1
        event["lastTimestamp"] = now()

    if store.mutate("events", name, namespace, repeated) is None:
        store.insert("events", _event(involved, happening, name, namespace))


def _event(involved: Tree, happening: Happening, name: str, namespace: str) -> Tree:
    meta = involved.get("metadata", {})
    about = {
        "kind": involved.get("kind"),
        "namespace": meta.get("namespace"),
        "name": meta.get("name"),
        "uid": meta.get("uid"),
        "apiVersion": involved.get("apiVersion"),
        "resourceVersion": meta.get("resourceVersion"),
        "fieldPath": involved.get("fieldPath"),
    }
    host = involved.get("spec", {}).get("nodeName") if happening.component == "kubelet" else None
    source = {"component": happening.component, "host": host}
    moment = now()
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {key: value for key, value in about.items() if value},
        "reason": happening.reason,
        "message": happening.message,
        "source": {key: value for key, value in source.items() if value},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
        "type": happening.type,
        "eventTime": None,
        "reportingComponent": happening.component,
        "reportingInstance": host or "",
    }
