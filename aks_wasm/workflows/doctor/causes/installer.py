"""What our installer says of its own work, and what keeps it from being started.

Answers demands 30, 34 and 36 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from aks_wasm.kube.sayings import Heard, hear
from aks_wasm.shims.installer import INSTALLER
from aks_wasm.shims.labels import SYSTEM_NAMESPACE
from aks_wasm.shims.node_report import NodeError, last_error
from aks_wasm.workflows.doctor.findings import Finding
from aks_wasm.workflows.doctor.objects import (
    Manifest,
    condition_of,
    container_statuses,
    name_of,
    node_of,
    place_of,
    quoted,
    shim_of,
)
from aks_wasm.workflows.doctor.view import View

_DEMANDS = {
    "WrongArchitecture": 34,
    "ConfigRefused": 30,
    "HandlerDropped": 30,
    "RestartFailed": 30,
    "RolledBack": 30,
    "Unsupported": 30,
}
_RECENT_SECONDS = 3600  # events are kept an hour


def node_errors(view: View) -> dict[str, tuple[Manifest, NodeError]]:
    """Return, by node, the pod of our installer that gave up there, and why."""
    found = {}
    for pod in view.installer_pods():
        node = node_of(pod) or ""
        report = view.reports.get(node)
        error = _said_at_the_end(view, pod)
        if error is None and report is not None and not report.healthy and report.error:
            code, _, words = report.error.partition(": ")
            error = NodeError(code, words or code) if code.isalnum() else NodeError("Unhealthy", report.error)
        if error is not None:
            found[node] = (pod, error)
    return found


def _said_at_the_end(view: View, pod: Manifest) -> NodeError | None:
    """Return the error of a container of the installer that is not well at present."""
    for status in container_statuses(pod):
        state, last = status.get("state") or {}, status.get("lastState") or {}
        if "running" in state and status.get("ready"):
            continue
        ended = state.get("terminated") or last.get("terminated") or {}
        error = last_error(f"{ended.get('message', '')}\n{view.log_of(pod, str(status.get('name')))}")
        if error is not None and ended.get("exitCode"):
            return error
    return None


def failed_installs(view: View) -> Iterator[Finding]:
    """Find nodes on which our installer gave up; its own words say why."""
    for node, (pod, error) in node_errors(view).items():
        waiting = [other for other, heard in view.heard("NoRuntime") if node_of(other.pod) == node]
        others = f"; {len(waiting)} pods wait for it" if waiting else ""
        yield Finding(
            error.code,
            f"the installer gave up on the node: {error.words}{others}",
            place_of(pod),
            node=node or None,
            demand=_DEMANDS.get(error.code, 28),
            evidence=f"aks-wasm: error: {error.code}: {error.words}",
            command=_way_out(view, node, error),
        )


def stale_shims(view: View) -> Iterator[Finding]:
    """Find nodes whose shims are not as the installer's list has them, though it says nothing of an error."""
    errors = node_errors(view)
    for node, report in view.reports.items():
        behind = [shim for shim in report.shims if not shim.ok]
        if behind and node not in errors:
            names = ", ".join(f"`{shim.handler}`" for shim in behind)
            yield Finding(
                "ShimNotAsListed",
                f"{names} on the node is not what the installer's list has: another binary, or not in effect yet",
                f"Node {node}",
                severity="warning",
                node=node,
                demand=33,
                evidence=f"{behind[0].binary} has SHA-256 {behind[0].sha256[:12] or 'none'}",
                command=view.ways.install(shim_of(behind[0].handler) or ""),
            )


def _way_out(view: View, node: str, error: NodeError) -> str:
    handlers = [shim.handler for shim in view.reports[node].shims if not shim.ok] if node in view.reports else []
    install = view.ways.install(shim_of(handlers[0]) or "" if handlers else "")
    pods = [name_of(pod) for pod in view.installer_pods() if node_of(pod) == node]
    again = view.ways.kubectl("--namespace", SYSTEM_NAMESPACE, "delete", "pod", *pods)
    # What is wrong with the list has to be asked for anew; what was wrong with the node or the network, tried again.
    return install if error.code in ("HashMismatch", "WrongArchitecture", "NotFound", "Truncated") else again


def refused_pods(view: View) -> Iterator[Finding]:
    """Find controllers whose pods are refused: by Pod Security, by a policy, for a RuntimeClass that is not there."""
    for kind in ("DaemonSet", "ReplicaSet", "Job"):
        for controller in view.of(kind):
            if not _lacks_pods(controller):
                continue
            for event in view.events_of(controller, "FailedCreate"):
                heard = hear(str(event.get("message", "")))
                if heard is not None and heard.code in ("PodSecurityDenied", "PolicyDenied", "RuntimeClassMissing"):
                    yield _refused(view, controller, heard, quoted(event))
                    break


def _lacks_pods(controller: Manifest) -> bool:
    status, spec = controller.get("status", {}), controller.get("spec", {})
    match controller.get("kind"):
        case "DaemonSet":
            return bool(status.get("currentNumberScheduled", 0) < status.get("desiredNumberScheduled", 0))
        case "ReplicaSet":
            return bool(status.get("replicas", 0) < spec.get("replicas", 0))
        case _:
            return not status.get("active") and condition_of(controller, "Complete").get("status") != "True"


def _refused(view: View, controller: Manifest, heard: Heard, evidence: str) -> Finding:
    namespace = str(controller["metadata"].get("namespace"))
    ours = namespace == SYSTEM_NAMESPACE and name_of(controller) == INSTALLER
    what = "the installer has to change the node, which takes a privileged pod, and " if ours else ""
    if heard.code == "RuntimeClassMissing":
        missing = heard.found["name"]
        words, demand = f"its pods ask for the RuntimeClass `{missing}`, which does not exist", 28
        command = view.ways.install(shim_of(missing) or "")
    elif heard.code == "PolicyDenied":
        words, demand = f"{what}the cluster's policy (AKS deployment safeguards) denies it", 36
        command = view.ways.az("safeguards update", "--level", "Enforce", "--excluded-ns", namespace)
    else:
        words, demand = f"{what}Pod Security of the namespace `{namespace}` allows only `{heard.found['level']}`", 36
        label = "pod-security.kubernetes.io/enforce=privileged"
        command = view.ways.kubectl("label", "namespace", namespace, label, "--overwrite")
    return Finding(heard.code, words, place_of(controller), demand=demand, evidence=evidence, command=command)
