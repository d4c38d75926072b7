"""The row of a pod: what has become of its containers, in one word (pkg/printers/internalversion, printPod)."""

from __future__ import annotations

from typing import Any

from aks_wasm.emulator.cluster.columns import Printer, age_of, columns, name_of
from aks_wasm.emulator.cluster.durations import age
from aks_wasm.emulator.cluster.trees import Tree, dig


def _row(pod: Tree) -> list[Any]:
    spec, status = pod.get("spec", {}), pod.get("status", {})
    containers = status.get("containerStatuses") or ()
    ready = sum(bool(container.get("ready")) for container in containers)
    gates = spec.get("readinessGates") or ()
    return [
        name_of(pod),
        f"{ready}/{len(spec.get('containers') or ())}",
        pod_word(pod),
        _restarts(status),
        age_of(pod),
        dig(status, "podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        f"0/{len(gates)}" if gates else "<none>",
    ]


def _restarts(status: Tree) -> str:
    containers = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    count = sum(container.get("restartCount", 0) for container in containers)
    ends = [dig(container, "lastState", "terminated", "finishedAt") for container in containers]
    latest = max((end for end in ends if end), default=None)
    return f"{count} ({age(latest)} ago)" if count and latest else str(count)


def pod_word(pod: Tree) -> str:
    """Return the cell Status."""
    status = pod.get("status", {})
    word = status.get("reason") or status.get("phase") or "Pending"
    starting = _init_word(pod)
    word = _container_word(status, word) if starting is None else starting
    if "deletionTimestamp" in pod["metadata"]:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(word)


def _init_word(pod: Tree) -> str | None:
    total = len(pod.get("spec", {}).get("initContainers") or ())
    for index, container in enumerate(pod.get("status", {}).get("initContainerStatuses") or ()):
        terminated = dig(container, "state", "terminated")
        if terminated and terminated.get("exitCode") == 0:
            continue
        if terminated:
            return f"Init:{_terminated_word(terminated)}"
        reason = dig(container, "state", "waiting", "reason")
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        return f"Init:{index}/{total}"
    return None


def _container_word(status: Tree, word: str) -> str:
    running = False
    for container in reversed(status.get("containerStatuses") or ()):
        waiting, terminated = dig(container, "state", "waiting", "reason"), dig(container, "state", "terminated")
        if waiting:
            word = waiting
        elif terminated:
            word = _terminated_word(terminated)
        elif container.get("ready") and dig(container, "state", "running") is not None:
            running = True
    if word == "Completed" and running:
        ready = any(
            condition.get("type") == "Ready" and condition.get("status") == "True"
            for condition in status.get("conditions") or ()
        )
        return "Running" if ready else "NotReady"
    return word


def _terminated_word(terminated: Tree) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


PODS = Printer(
    columns("Name, Ready, Status, Restarts, Age", "IP, Node, Nominated Node, Readiness Gates"),
    _row,
)
