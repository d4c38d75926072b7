"""v1 Events as client-go's recorder writes them: one object for each thing that happens, repeats counted."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aks_wasm.emulator.cluster.trees import Tree, now

if TYPE_CHECKING:
    from aks_wasm.emulator.cluster.store import Store

# client-go's EventAggregator: from so many different texts for one reason on, they are counted in one event.
SIMILAR = 10
COMBINED = "(combined from similar events): "
KEPT = timedelta(hours=1)  # --event-ttl of the API server
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Happening:
    """What an event says: `type` is Normal or Warning, `component` who says it."""

    reason: str
    message: str
    type: str
    component: str


def record(store: Store, involved: Tree, happening: Happening) -> None:
    """Write the event into the namespace of the object it is about (`default` for cluster-scoped ones).

    The same again is counted; of texts that differ every time only the latest is kept. Old events go.
    """
    meta = involved.get("metadata", {})
    namespace = meta.get("namespace") or "default"
    _forget_old(store, namespace)
    identity = (meta.get("uid"), meta.get("name"))
    similar = [event for event in store.view("events", namespace) if _is_similar(event, identity, happening)]
    same = [event for event in similar if event.get("message") == happening.message]
    combined = [event for event in similar if str(event.get("message")).startswith(COMBINED)]
    message = happening.message
    if not same and len(similar) >= SIMILAR - 1:
        same, message = combined, COMBINED + message

    def repeated(event: Tree) -> None:
        event["message"] = message
        event["count"] = event.get("count", 1) + 1
        event["lastTimestamp"] = now()

    if same:
        store.mutate("events", same[0]["metadata"]["name"], namespace, repeated)
        return
    # By the name clients see events in their order: lists come by name, and times have whole seconds only.
    name = f"{meta.get('name', '')}.{time.time_ns():016x}"
    store.insert("events", _event(involved, replace(happening, message=message), name, namespace))


def _is_similar(event: Tree, identity: tuple[str | None, str | None], happening: Happening) -> bool:
    about = event.get("involvedObject", {})
    told = (event.get("reason"), event.get("type"), event.get("reportingComponent"))
    return (about.get("uid"), about.get("name")) == identity and told == (
        happening.reason, happening.type, happening.component,
    )  # fmt: skip


def _forget_old(store: Store, namespace: str) -> None:
    end = (datetime.now(UTC) - KEPT).strftime(TIME)
    for event in store.view("events", namespace):
        if (event.get("lastTimestamp") or end) < end:
            store.delete("events", event["metadata"]["name"], namespace)


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
