"""What a Deployment says of itself: counts, and the conditions Available, Progressing and ReplicaFailure."""

from __future__ import annotations

from aks_wasm.emulator.cluster.controllers.conditions import Condition, drop, find, put
from aks_wasm.emulator.cluster.controllers.rollout import Rollout, name_of, size
from aks_wasm.emulator.cluster.controllers.timestamps import seconds_since
from aks_wasm.emulator.cluster.trees import Tree, copied

AVAILABLE_REASON = "NewReplicaSetAvailable"
TIMED_OUT_REASON = "ProgressDeadlineExceeded"
PAUSED_REASON = "DeploymentPaused"
_TOUCHED = "lastUpdateTime"
_NO_DEADLINE = 2**31 - 1  # what kubectl and the API take for "never"


def say(status: Tree, condition: Condition, *, renew: bool = False) -> None:
    """Set a Deployment's condition in its status."""
    put(status, condition, touched=_TOUCHED, renew=renew)


def deadline(deployment: Tree) -> int | None:
    """Return progressDeadlineSeconds (wall time: the pods' work is real), or None when there is none."""
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return None if seconds is None or seconds >= _NO_DEADLINE else int(seconds)


def counted(rollout: Rollout) -> Tree:
    """Return the status with fresh counts and the Available condition; other conditions are as they were."""
    rows = [one.get("status") or {} for one in rollout.all]
    ready, available = (sum(row.get(field, 0) for row in rows) for field in ("readyReplicas", "availableReplicas"))
    updated = (rollout.new.get("status") or {}).get("replicas", 0) if rollout.new else 0
    counts = {
        "replicas": sum(row.get("replicas", 0) for row in rows),
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(size(one) for one in rollout.all) - available),
    }
    status: Tree = copied(rollout.deployment.get("status") or {})
    for field, value in counts.items():
        if value:
            status[field] = value
        else:
            status.pop(field, None)
    status["observedGeneration"] = rollout.deployment["metadata"]["generation"]
    enough = available >= rollout.replicas - rollout.max_unavailable
    say(status, _availability(enough=enough))
    return status


def is_complete(rollout: Rollout, status: Tree) -> bool:
    """Tell whether every wanted pod is of the new template and available, and no other is left."""
    fields = ("updatedReplicas", "replicas", "availableReplicas")
    return all(status.get(field, 0) == rollout.replicas for field in fields)


def judge_progress(rollout: Rollout, status: Tree) -> float | None:
    """Set Progressing and ReplicaFailure in a fresh status; return the seconds until its deadline, if it counts."""
    before = rollout.deployment.get("status") or {}
    if deadline(rollout.deployment) is None:
        drop(status, "Progressing")
    else:
        _judge(rollout, before, status)
    failure = next((row for one in rollout.all if (row := find(one.get("status") or {}, "ReplicaFailure"))), None)
    if failure:
        say(status, Condition("ReplicaFailure", "True", failure["reason"], failure.get("message", "")))
    else:
        drop(status, "ReplicaFailure")
    return _time_left(rollout.deployment, status)


def _judge(rollout: Rollout, before: Tree, status: Tree) -> None:
    progressing = find(status, "Progressing") or {}
    settled = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    if settled and progressing.get("reason") == AVAILABLE_REASON:
        return
    subject = f'ReplicaSet "{name_of(rollout.new)}"' if rollout.new else _named(rollout.deployment)
    if is_complete(rollout, status):
        say(
            status,
            Condition("Progressing", "True", AVAILABLE_REASON, f"{subject} has successfully progressed."),
        )
    elif _has_moved(before, status):
        say(status, Condition("Progressing", "True", "ReplicaSetUpdated", f"{subject} is progressing."), renew=True)
    elif _is_late(rollout.deployment, status):
        say(status, Condition("Progressing", "False", TIMED_OUT_REASON, f"{subject} has timed out progressing."))


def _availability(*, enough: bool) -> Condition:
    if enough:
        return Condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    return Condition(
        "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
    )


def _named(deployment: Tree) -> str:
    return f'Deployment "{deployment["metadata"]["name"]}"'


def _has_moved(before: Tree, after: Tree) -> bool:
    def old_pods(status: Tree) -> int:
        return int(status.get("replicas", 0) - status.get("updatedReplicas", 0))

    grown = any(
        after.get(field, 0) > before.get(field, 0)
        for field in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return grown or old_pods(after) < old_pods(before)


def _is_late(deployment: Tree, status: Tree) -> bool:
    progressing = find(status, "Progressing")
    if progressing is None or progressing["reason"] == AVAILABLE_REASON:
        return False
    left = _time_left(deployment, status)
    return progressing["reason"] == TIMED_OUT_REASON or (left is not None and left <= 0)


def _time_left(deployment: Tree, status: Tree) -> float | None:
    progressing = find(status, "Progressing")
    seconds = deadline(deployment)
    if progressing is None or seconds is None or deployment["spec"].get("paused"):
        return None
    if progressing["reason"] in {AVAILABLE_REASON, TIMED_OUT_REASON}:
        return None
    return max(0.0, seconds - seconds_since(progressing["lastUpdateTime"]))
