"""A pod's status as the kubelet writes it: container states in, phase and conditions out. Pure functions over the pod.

Follows pkg/kubelet/kubelet_pods.go (getPhase) and pkg/kubelet/status/generate.go of Kubernetes 1.34.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Pod = dict[str, Any]
RESTARTABLE_INIT = "Always"


def now() -> str:
    """Return the present second as Kubernetes writes times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_finished(pod: Mapping[str, Any]) -> bool:
    """Tell whether the pod has ended for good."""
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def begin(pod: Pod, host_ip: str) -> None:
    """Write the status of a pod that its node has just seen; what an earlier run left is kept."""
    status = pod.setdefault("status", {})
    status.setdefault("phase", "Pending")
    status.setdefault("startTime", now())
    status |= {"hostIP": host_ip, "hostIPs": [{"ip": host_ip}], "qosClass": _qos_class(pod)}
    waiting = "PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating"
    for field, specs in _statuses(pod):
        status[field] = [
            _entry(status.get(field) or [], spec, waiting if field == "containerStatuses" else "PodInitializing")
            for spec in specs
        ]
    settle(pod)


def entry_of(pod: Mapping[str, Any], container: str) -> dict[str, Any] | None:
    """Return the status of a container or init container, or None."""
    status = pod.get("status") or {}
    entries = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return next((entry for entry in entries if entry["name"] == container), None)


def set_waiting(entry: dict[str, Any], reason: str, message: str = "") -> None:
    """Let a container wait; a state it ended in becomes its last state."""
    _retire(entry)
    entry["state"] = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    entry["ready"], entry["started"] = False, False


def set_running(entry: dict[str, Any], container_id: str) -> None:
    """Let a container run."""
    _retire(entry)
    entry["state"] = {"running": {"startedAt": now()}}
    entry["containerID"] = container_id


def set_terminated(entry: dict[str, Any], code: int, reason: str, message: str = "") -> None:
    """Let a container have ended."""
    started = entry["state"].get("running", {}).get("startedAt", now())
    entry["state"] = {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            **({"message": message} if message else {}),
            "startedAt": started,
            "finishedAt": now(),
            **({"containerID": entry["containerID"]} if entry.get("containerID") else {}),
        }
    }
    entry["ready"], entry["started"] = False, False


def set_condition(pod: Pod, kind: str, *, holds: bool, reason: str = "", message: str = "") -> None:
    """Write a condition; its transition time moves only when the status does."""
    status = "True" if holds else "False"
    rows = pod["status"].setdefault("conditions", [])
    old = next((row for row in rows if row["type"] == kind), None)
    row = {"type": kind, "status": status, "lastProbeTime": None}
    row["lastTransitionTime"] = old["lastTransitionTime"] if old and old["status"] == status else now()
    row |= {key: value for key, value in (("reason", reason), ("message", message)) if value}
    if old is None:
        rows.append(row)
    else:
        rows[rows.index(old)] = row


def settle(pod: Pod) -> None:
    """Derive phase and conditions from the container states; a finished pod stays as it ended."""
    if not is_finished(pod):
        pod["status"]["phase"] = _phase(pod)
    phase = pod["status"]["phase"]
    _initialized(pod, phase)
    unready = [entry["name"] for entry in pod["status"].get("containerStatuses") or () if not entry.get("ready")]
    reason, message = "", ""
    if phase in {"Succeeded", "Failed"}:
        reason = "PodCompleted" if phase == "Succeeded" else "PodFailed"
    elif unready:
        reason, message = "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    for kind in ("Ready", "ContainersReady"):
        set_condition(pod, kind, holds=not reason, reason=reason, message=message)


def _initialized(pod: Pod, phase: str) -> None:
    left = [
        entry["name"]
        for entry, spec in _init_pairs(pod)
        if not (_started_sidecar(entry, spec) or _exit_code(entry) == 0)
    ]
    if phase == "Succeeded":
        set_condition(pod, "Initialized", holds=True, reason="PodCompleted")
    elif left:
        message = f"containers with incomplete status: [{' '.join(left)}]"
        set_condition(pod, "Initialized", holds=False, reason="ContainersNotInitialized", message=message)
    else:
        set_condition(pod, "Initialized", holds=True)


def _phase(pod: Pod) -> str:
    policy = pod["spec"].get("restartPolicy", "Always")
    for entry, spec in _init_pairs(pod):
        code = _exit_code(entry)
        if code not in (None, 0) and policy == "Never" and spec.get("restartPolicy") != RESTARTABLE_INIT:
            return "Failed"
        if code != 0 and not _started_sidecar(entry, spec):
            return "Pending"
    entries = pod["status"].get("containerStatuses") or []
    running = [entry for entry in entries if "running" in entry["state"]]
    ended = [_last_exit_code(entry) for entry in entries if "running" not in entry["state"]]
    if any(code is None for code in ended) or not entries:
        return "Pending"
    if running or policy == "Always":
        return "Running"
    if all(code == 0 for code in ended):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def _init_pairs(pod: Pod) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    specs = pod["spec"].get("initContainers") or []
    return list(zip(pod["status"].get("initContainerStatuses") or [], specs, strict=False))


def _started_sidecar(entry: dict[str, Any], spec: dict[str, Any]) -> bool:
    return spec.get("restartPolicy") == RESTARTABLE_INIT and bool(entry.get("started"))


def _exit_code(entry: dict[str, Any]) -> int | None:
    return entry["state"].get("terminated", {}).get("exitCode")  # type: ignore[no-any-return]


def _last_exit_code(entry: dict[str, Any]) -> int | None:
    """The exit code of a container that has ended, or that waits to be started again."""
    code = _exit_code(entry)
    if code is None and "waiting" in entry["state"]:
        code = entry.get("lastState", {}).get("terminated", {}).get("exitCode")
    return code


def _statuses(pod: Pod) -> list[tuple[str, list[dict[str, Any]]]]:
    found = [("containerStatuses", pod["spec"]["containers"])]
    if pod["spec"].get("initContainers"):
        found.append(("initContainerStatuses", pod["spec"]["initContainers"]))
    return found


def _entry(old: list[dict[str, Any]], spec: dict[str, Any], waiting: str) -> dict[str, Any]:
    kept = next((entry for entry in old if entry["name"] == spec["name"]), None)
    if kept is not None:
        return kept
    return {
        "name": spec["name"],
        "image": spec.get("image", ""),
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": waiting}},
        "lastState": {},
    }


def _retire(entry: dict[str, Any]) -> None:
    if "terminated" in entry["state"]:
        entry["lastState"] = entry["state"]


def _qos_class(pod: Pod) -> str:
    every = [container.get("resources") or {} for container in pod["spec"]["containers"]]
    if not any(resources.get(kind) for resources in every for kind in ("limits", "requests")):
        return "BestEffort"
    for resources in every:
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        if any(name not in limits or requests.get(name, limits[name]) != limits[name] for name in ("cpu", "memory")):
            return "Burstable"
    return "Guaranteed"
