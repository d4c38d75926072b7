"""The rows of Deployments, ReplicaSets, DaemonSets, StatefulSets, Jobs, CronJobs and autoscalers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aks_wasm.emulator.cluster.columns import (
    Printer,
    age_of,
    columns,
    containers_and_images,
    name_of,
    selector_text,
)
from aks_wasm.emulator.cluster.durations import age, between
from aks_wasm.emulator.cluster.trees import Tree, dig

_WIDE = "Containers, Images, Selector"


def _wide(obj: Tree) -> list[str]:
    spec = obj["spec"]
    return [*containers_and_images(spec.get("template")), selector_text(spec.get("selector"))]


def _count(obj: Tree, name: str) -> int:
    return int(obj.get("status", {}).get(name, 0))


def _deployment(obj: Tree) -> list[Any]:
    ready = f"{_count(obj, 'readyReplicas')}/{obj['spec'].get('replicas', 1)}"
    updated, available = _count(obj, "updatedReplicas"), _count(obj, "availableReplicas")
    return [name_of(obj), ready, updated, available, age_of(obj), *_wide(obj)]


def _replica_set(obj: Tree) -> list[Any]:
    counts = (obj["spec"].get("replicas", 1), _count(obj, "replicas"), _count(obj, "readyReplicas"))
    return [name_of(obj), *counts, age_of(obj), *_wide(obj)]


def _daemon_set(obj: Tree) -> list[Any]:
    names = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled",
             "numberAvailable")  # fmt: skip
    selector = dig(obj, "spec", "template", "spec", "nodeSelector") or {}
    shown = ",".join(f"{key}={value}" for key, value in sorted(selector.items())) or "<none>"
    return [name_of(obj), *(_count(obj, name) for name in names), shown, age_of(obj), *_wide(obj)]


def _stateful_set(obj: Tree) -> list[Any]:
    ready = f"{_count(obj, 'readyReplicas')}/{obj['spec'].get('replicas', 1)}"
    return [name_of(obj), ready, age_of(obj), *containers_and_images(obj["spec"].get("template"))]


def _job(obj: Tree) -> list[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    succeeded = status.get("succeeded", 0)
    if "completions" in spec:
        done = f"{succeeded}/{spec['completions']}"
    else:
        parallel = spec.get("parallelism", 0)
        done = f"{succeeded}/1 of {parallel}" if parallel > 1 else f"{succeeded}/1"
    start = status.get("startTime")
    duration = between(start, status.get("completionTime")) if start else ""
    return [name_of(obj), job_word(obj), done, duration, age_of(obj), *_wide(obj)]


def job_word(obj: Tree) -> str:
    """Return the cell Status of a Job."""
    held = {
        condition["type"]
        for condition in obj.get("status", {}).get("conditions") or ()
        if condition.get("status") == "True"
    }
    for kind, word in (("Complete", "Complete"), ("Failed", "Failed")):
        if kind in held:
            return word
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    for kind, word in (("Suspended", "Suspended"), ("FailureTarget", "FailureTarget"),
                       ("SuccessCriteriaMet", "SuccessCriteriaMet")):  # fmt: skip
        if kind in held:
            return word
    return "Running"


def _cron_job(obj: Tree) -> list[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    last = status.get("lastScheduleTime")
    return [
        name_of(obj),
        spec.get("schedule", ""),
        spec.get("timeZone", "<none>"),
        str(bool(spec.get("suspend"))),
        len(status.get("active") or ()),
        age(last) if last else "<none>",
        age_of(obj),
        *containers_and_images(dig(spec, "jobTemplate", "spec", "template")),
        selector_text(dig(spec, "jobTemplate", "spec", "selector")),
    ]


def _autoscaler(obj: Tree) -> list[Any]:
    spec = obj.get("spec", {})
    target = spec.get("scaleTargetRef") or {}
    reference = f"{target.get('kind', '')}/{target.get('name', '')}"
    limits = (spec.get("minReplicas", "<unset>"), spec.get("maxReplicas", 0), _count(obj, "currentReplicas"))
    return [name_of(obj), reference, "<unknown>", *limits, age_of(obj)]


def _budget(obj: Tree) -> list[Any]:
    spec = obj.get("spec", {})
    return [
        name_of(obj),
        str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")),
        _count(obj, "disruptionsAllowed"),
        age_of(obj),
    ]


WORKLOADS: Mapping[str, Printer] = {
    "deployments.apps": Printer(columns("Name, Ready, Up-to-date, Available, Age", _WIDE), _deployment),
    "replicasets.apps": Printer(columns("Name, Desired, Current, Ready, Age", _WIDE), _replica_set),
    "daemonsets.apps": Printer(
        columns("Name, Desired, Current, Ready, Up-to-date, Available, Node Selector, Age", _WIDE), _daemon_set
    ),
    "statefulsets.apps": Printer(columns("Name, Ready, Age", "Containers, Images"), _stateful_set),
    "jobs.batch": Printer(columns("Name, Status, Completions, Duration, Age", _WIDE), _job),
    "cronjobs.batch": Printer(
        columns("Name, Schedule, Timezone, Suspend, Active, Last Schedule, Age", _WIDE), _cron_job
    ),
    "horizontalpodautoscalers.autoscaling": Printer(
        columns("Name, Reference, Targets, MinPods, MaxPods, Replicas, Age"), _autoscaler
    ),
    "poddisruptionbudgets.policy": Printer(
        columns("Name, Min Available, Max Unavailable, Allowed Disruptions, Age"), _budget
    ),
}
