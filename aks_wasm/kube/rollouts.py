"""How far a controller has come with its newest pod template, by the status fields that `kubectl rollout status` reads.

The rules are kubectl's (k8s.io/kubectl, pkg/polymorphichelpers/rollout_status.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aks_wasm.waits import Seen

REVISION_LABEL = "controller-revision-hash"
"""On a StatefulSet's and a DaemonSet's pods: of which template they are."""

Manifest = Mapping[str, Any]


def held_back(live: Manifest) -> str | None:
    """Return why a changed template makes no new pods by itself; None when it does."""
    spec = live["spec"]
    if live["kind"] == "Deployment":
        return "its roll-out is paused" if spec.get("paused") else None
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        return "it replaces a pod only when somebody deletes it (OnDelete)"
    return None


def deployment(live: Manifest) -> Seen[dict[str, Any]]:
    """Return whether all pods of a Deployment are of its newest template and available, and no others are left."""
    status = live.get("status", {})
    names = ("replicas", "updatedReplicas", "availableReplicas")
    return _rolled_out(live, live["spec"].get("replicas", 1), {name: status.get(name, 0) for name in names})


def daemon_set(live: Manifest) -> Seen[dict[str, Any]]:
    """Return whether a DaemonSet's newest pod is ready on every node."""
    status = live.get("status", {})
    names = ("updatedNumberScheduled", "numberAvailable", "numberReady")
    wanted = status.get("desiredNumberScheduled", 0)
    return _rolled_out(live, wanted, {name: status.get(name, 0) for name in names})


def stateful_set(live: Manifest) -> Seen[dict[str, Any]]:
    """Return whether a StatefulSet's pods are ready and of the newest template; below a partition they keep theirs."""
    if not _is_seen(live):
        return Seen("not looked at yet")
    spec, status = live["spec"], live.get("status", {})
    wanted = spec.get("replicas", 1)
    ready, updated = status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
    if ready < wanted:
        return Seen(f"{ready} of {wanted} ready")
    partition = ((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition") or 0
    if partition:
        turned = max(0, wanted - partition)
        return Seen(f"{updated} of {turned} updated", done=updated >= turned, value=dict(live))
    done = status.get("updateRevision") == status.get("currentRevision")
    return Seen(f"{wanted if done else updated} of {wanted} updated", done=done, value=dict(live))


def _is_seen(live: Manifest) -> bool:
    """Return whether the status is of the present spec."""
    return bool(live.get("status", {}).get("observedGeneration", 0) >= live["metadata"].get("generation", 0))


def _rolled_out(live: Manifest, wanted: int, counts: Mapping[str, int]) -> Seen[dict[str, Any]]:
    """Compare the counts of a controller's status, once the status is of the present spec, with what is wanted."""
    if not _is_seen(live):
        return Seen("not looked at yet")
    ready = min(counts.values())
    done = all(count == wanted for count in counts.values())
    return Seen(f"{ready} of {wanted} ready", done=done, value=dict(live))
