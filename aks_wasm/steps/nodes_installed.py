"""Waits until the installer has done its work on each node, and until each node is marked as ready for each handler."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import AksWasmError, ServiceError
from aks_wasm.kube.outages import tolerant
from aks_wasm.shims.installer import CONTENT_ANNOTATION, INSTALLER, KEEPER, Installation
from aks_wasm.shims.labels import COMPONENT, READY, SYSTEM_NAMESPACE, ready_label
from aks_wasm.shims.node_report import NodeError, last_error, last_report
from aks_wasm.waits import Patience, Seen, wait_until

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

PASSING = frozenset({"NoTurn"})
"""Errors of the node script that time mends; it has tried again by itself whatever else can be tried again."""

_TRIES = 3  # restarts of the installer's container after which a passing error counts
_NAMED = 3  # nodes in a state's words
_LOG_LINES = 20
_HINTS = {
    "HashMismatch": "nothing was changed there; what its location gives is not the file that was verified",
    "Truncated": "nothing was changed there; its location gives only a part of the file",
    "WrongArchitecture": "nothing was changed there; give the binary that was built for this architecture",
    "NotFound": "nothing was changed there; check the location, or mirror it and give a custom entry",
    "Unauthorized": "nothing was changed there; an image that is on the node already is not pulled: let a pod with "
    "`imagePullSecrets` bring it, give the node's containerd a hosts.toml for the registry, or use NAME=PATH",
    "DownloadFailed": "nothing was changed there; can the node reach the location? else mirror it, or use NAME=PATH",
    "DiskFull": "free some space on the node; nothing else was changed there",
    "RolledBack": "the node has its old configuration back; `aks-wasm doctor` looks into it",
}
_HINT = "`aks-wasm doctor` looks into it; the same command again goes on"

Pod = Mapping[str, Any]


def wait_installed(client: KubeClient, installation: Installation, nodes: Collection[str], patience: Patience) -> None:
    """Wait until the installer is ready on each of the nodes that is still there, with what it is now to put there.

    That is this installation, or what another run has made of it meanwhile.

    Raises:
        ServiceError: It gave up on a node; the message names the node and why, the code is the script's.
        TimedOut: Some nodes are not done; the message names them and what they are at.
    """

    def look() -> Seen[None]:
        content = _content_now(client) or installation.content
        pods = {
            str(pod["spec"].get("nodeName")): pod
            for pod in client.list("Pod", namespace=SYSTEM_NAMESPACE, labels=f"{COMPONENT}={INSTALLER}")
            if (pod["metadata"].get("annotations") or {}).get(CONTENT_ANNOTATION) == content
        }
        waiting: dict[str, Pod | None] = {}
        for node in _still_there(client, nodes):
            pod = pods.get(node)
            if pod is not None:
                _give_up(client, node, pod)
            if pod is None or not _is_ready(pod):
                waiting[node] = pod
        done = len(nodes) - len(waiting)
        states = {node: _state(client, waiting[node]) for node in sorted(waiting)[:_NAMED]}
        return Seen(f"{done} of {len(nodes)} nodes installed{_told(states, len(waiting))}", done=not waiting)

    wait_until(tolerant(look, patience.clock), what="the installer", patience=patience, hint=_HINT)


def wait_marked(client: KubeClient, handlers: Iterable[str], nodes: Collection[str], patience: Patience) -> None:
    """Wait until each of the nodes says that a probe runs through each handler.

    Raises:
        TimedOut: Some don't; the message names them.
    """
    labels = {ready_label(handler): READY for handler in handlers}

    def look() -> Seen[None]:
        lacking = {}
        for node in client.list("Node"):
            name, has = node["metadata"]["name"], node["metadata"].get("labels") or {}
            missing = [key.partition("/")[2] for key, value in labels.items() if has.get(key) != value]
            if name in nodes and missing:
                lacking[name] = f"no proof of {', '.join(missing)}"
        done = len(nodes) - len(lacking)
        return Seen(f"{done} of {len(nodes)} nodes proved{_told(lacking, len(lacking))}", done=not lacking)

    wait_until(tolerant(look, patience.clock), what="the proof of the nodes", patience=patience, hint=_HINT)


def _content_now(client: KubeClient) -> str | None:
    live = client.get("DaemonSet", INSTALLER, SYSTEM_NAMESPACE)
    if live is None:
        return None
    return (live["spec"]["template"]["metadata"].get("annotations") or {}).get(CONTENT_ANNOTATION)


def _still_there(client: KubeClient, nodes: Collection[str]) -> list[str]:
    there = {node["metadata"]["name"] for node in client.list("Node")}
    return [node for node in nodes if node in there]


def _give_up(client: KubeClient, node: str, pod: Pod) -> None:
    for status in _statuses(pod):
        error = _error_of(status)
        if error is None or (error.code in PASSING and status.get("restartCount", 0) < _TRIES):
            continue
        raise ServiceError(
            f"the installer gave up on node `{node}` ({error.code}): {error.words}",
            code=error.code,
            hint=_HINTS.get(error.code, _HINT),
            details=_log(client, pod, str(status["name"])),
        )


def _error_of(status: Mapping[str, Any]) -> NodeError | None:
    """Return the error with which a container ended last."""
    for state in (status.get("state") or {}, status.get("lastState") or {}):
        ended = state.get("terminated") or {}
        if ended.get("exitCode"):
            said = str(ended.get("message") or "")
            return last_error(said) or NodeError(
                "InstallerFailed", said.strip().splitlines()[-1] if said else "it ended"
            )
    return None


def _log(client: KubeClient, pod: Pod, container: str) -> str | None:
    try:
        lines = list(client.logs(SYSTEM_NAMESPACE, pod["metadata"]["name"], container, tail=_LOG_LINES, previous=True))
    except AksWasmError:
        return None  # the error stands without it
    return "\n".join(lines) or None


def _is_ready(pod: Pod) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return not pod["metadata"].get("deletionTimestamp") and any(
        c["type"] == "Ready" and c["status"] == "True" for c in conditions
    )


def _state(client: KubeClient, pod: Pod | None) -> str:
    if pod is None:
        return "no installer yet"
    for status in _statuses(pod):
        error = _error_of(status)
        if error is not None:
            return f"{error.code}: {error.words}"
        waiting = (status.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "PodInitializing"):
            return f"{waiting['reason']} {waiting.get('message', '')}".strip()
    return _said(client, pod) or "at work"


def _said(client: KubeClient, pod: Pod) -> str | None:
    """Return what the installer says is wrong with its node, for example who still runs what is to go."""
    if not any(s["name"] == KEEPER and "running" in (s.get("state") or {}) for s in _statuses(pod)):
        return None
    try:
        report = last_report(client.logs(SYSTEM_NAMESPACE, pod["metadata"]["name"], KEEPER, tail=_LOG_LINES))
    except AksWasmError:
        return None
    return report.error if report else None


def _statuses(pod: Pod) -> list[Mapping[str, Any]]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _told(states: Mapping[str, str], count: int) -> str:
    shown = [f"`{node}` {state}" for node, state in sorted(states.items())[:_NAMED]]
    more = [f"{count - _NAMED} more"] if count > _NAMED else []
    return f": {'; '.join([*shown, *more])}" if states else ""
