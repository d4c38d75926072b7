"""What controllers know of pods: made from templates, told apart by how far they are."""

from __future__ import annotations

from aks_wasm.emulator.cluster.controllers.conditions import find
from aks_wasm.emulator.cluster.controllers.ownership import controller_reference
from aks_wasm.emulator.cluster.controllers.timestamps import seconds_since
from aks_wasm.emulator.cluster.trees import Tree, copied


def pod_from_template(template: Tree, owner: Tree, base: str | None = None) -> Tree:
    """Return the pod that `owner` wants, in its namespace, to be named after it or `base`."""
    described = template.get("metadata") or {}
    metadata: Tree = {
        "generateName": base or f"{owner['metadata']['name']}-",
        "namespace": owner["metadata"]["namespace"],
        "ownerReferences": [controller_reference(owner)],
    }
    for field in ("labels", "annotations", "finalizers"):
        if described.get(field):
            metadata[field] = copied(described[field])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": copied(template.get("spec") or {}),
    }


def phase(pod: Tree) -> str:
    """Return the pod's phase; one without a status is Pending."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_finished(pod: Tree) -> bool:
    """Tell whether its containers have ended for good."""
    return phase(pod) in {"Succeeded", "Failed"}


def is_going(obj: Tree) -> bool:
    """Tell whether the object is being deleted."""
    return "deletionTimestamp" in obj["metadata"]


def is_active(pod: Tree) -> bool:
    """Tell whether it counts as a replica: neither finished nor being deleted."""
    return not is_finished(pod) and not is_going(pod)


def is_ready(pod: Tree) -> bool:
    """Tell whether its Ready condition is True."""
    return _ready_since(pod) is not None


def seconds_to_available(pod: Tree, min_ready: float) -> float | None:
    """Return the seconds of wall time until the pod counts as available: 0 = now, None = it is not ready.

    Args:
        pod: The pod.
        min_ready: Seconds of wall time it must have been ready for.
    """
    since = _ready_since(pod)
    if since is None:
        return None
    return max(0.0, min_ready - seconds_since(since)) if min_ready and since else 0.0


def is_available(pod: Tree, min_ready: float = 0) -> bool:
    """Tell whether it has been ready for `min_ready` seconds of wall time."""
    return seconds_to_available(pod, min_ready) == 0


def restarts(pod: Tree) -> int:
    """Return how often the pod's containers were restarted, all in all."""
    status = pod.get("status") or {}
    rows = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return sum(row.get("restartCount", 0) for row in rows)


def _ready_since(pod: Tree) -> str | None:
    row = find(pod.get("status") or {}, "Ready")
    if row is None or row.get("status") != "True":
        return None
    return str(row.get("lastTransitionTime") or "")
