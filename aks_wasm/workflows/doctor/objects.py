"""What a diagnosis asks of single objects: their place, owner, age, labels; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Manifest = Mapping[str, Any]

_NATIVE = ("runc", "untrusted", "kata", "nvidia", "gvisor", "runsc", "crun")
_ENGINES = re.compile(r"(?:^|[-_.])(spin|slight|wws|lunatic|wasmtime|wasmedge|wasmer|wamr|wasmcloud|wasm)(?=[-_.]|$)")


def name_of(thing: Manifest) -> str:
    """Return an object's name."""
    return str(thing["metadata"]["name"])


def place_of(thing: Manifest) -> str:
    """Return `Kind namespace/name`, or `Kind name` for what lives in no namespace."""
    namespace = thing["metadata"].get("namespace")
    return f"{thing.get('kind', 'Object')} {namespace + '/' if namespace else ''}{name_of(thing)}"


def labels_of(thing: Manifest) -> Mapping[str, str]:
    """Return an object's labels."""
    return thing["metadata"].get("labels") or {}


def annotations_of(thing: Manifest) -> Mapping[str, str]:
    """Return an object's annotations."""
    return thing["metadata"].get("annotations") or {}


def node_of(pod: Manifest) -> str | None:
    """Return the node a pod was given, or None."""
    return pod.get("spec", {}).get("nodeName") or None


def controller_of(thing: Manifest) -> Manifest | None:
    """Return the reference to what made an object, or None."""
    references = thing["metadata"].get("ownerReferences") or ()
    return next((reference for reference in references if reference.get("controller")), None)


def condition_of(thing: Manifest, kind: str) -> Manifest:
    """Return a condition of an object's status; {} when it has none of that type."""
    conditions = thing.get("status", {}).get("conditions") or ()
    return next((condition for condition in conditions if condition.get("type") == kind), {})


def container_statuses(pod: Manifest) -> Iterator[Manifest]:
    """Yield the statuses of a pod's containers, those of init containers first."""
    status = pod.get("status", {})
    for field in ("initContainerStatuses", "containerStatuses"):
        yield from status.get(field) or ()


def container_named(pod: Manifest, name: str) -> Manifest:
    """Return what the spec says of a container; {} when it has none of that name."""
    spec = pod.get("spec", {})
    every = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return next((container for container in every if container.get("name") == name), {})


def time_of(text: object) -> datetime | None:
    """Read a timestamp of the API; None when there is none."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def event_time(event: Manifest) -> datetime | None:
    """Return when an event was last seen."""
    series = event.get("series") or {}
    stamps = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    every = [*stamps, event["metadata"].get("creationTimestamp")]
    return next((time for time in map(time_of, every) if time is not None), None)


def quoted(event: Manifest) -> str:
    """Return an event as evidence."""
    return f"event {event.get('reason')}: {event.get('message', '').strip()}"


def shim_of(handler: str) -> str | None:
    """Return which shim a handler or a RuntimeClass is named after, for example `spin` of `wasmtime-spin-v2`; or None.

    SpinKube's RuntimeClasses begin with `wasmtime-` whatever the shim.
    """
    if handler in _NATIVE:
        return None
    found = _ENGINES.findall(handler)
    named = [engine for engine in found if engine != "wasm"] or found
    return str(named[-1]) if named else None


def arch_of(node: Manifest) -> str:
    """Return a node's architecture in Kubernetes' words."""
    info = node.get("status", {}).get("nodeInfo") or {}
    return str(info.get("architecture") or labels_of(node).get("kubernetes.io/arch") or "")


def containerd_of(node: Manifest) -> tuple[int, ...]:
    """Return the version of a node's containerd; () when it has another runtime."""
    runtime = str((node.get("status", {}).get("nodeInfo") or {}).get("containerRuntimeVersion") or "")
    match = re.match(r"containerd://(\d+)\.(\d+)", runtime)
    return (int(match[1]), int(match[2])) if match else ()
