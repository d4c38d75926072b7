"""Reads a cluster for a diagnosis: one list for each kind, side by side, and the logs of the few pods that say why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from aks_wasm.errors import AksWasmError, NotSignedIn, Unreachable
from aks_wasm.shims.node_report import NodeReport, last_report
from aks_wasm.workflows.doctor.objects import Manifest, container_statuses, labels_of, name_of, node_of
from aks_wasm.workflows.doctor.view import View, is_well
from aks_wasm.workflows.doctor.ways import Ways, azure_names

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

KINDS = (
    "Node",
    "Pod",
    "RuntimeClass",
    "DaemonSet",
    "ReplicaSet",
    "Job",
    "Namespace",
    "Shim",
    "SpinApp",
    "SpinAppExecutor",
    "PodMetrics",
)
_NEEDED = ("Node", "Pod", "Event", "RuntimeClass")  # without these nothing can be said to be well
_WARNINGS = "type=Warning"
_THREADS = 10  # as many as the client keeps connections
_REPORT_LINES = 100  # the installer writes a line when something changes
_LOG_LINES = 20
_MOST_LOGS = 40  # of containers that ended badly; more of them end alike
_ABSENT = ("KubernetesNotFound", "KubernetesHttp404")
_GROUP_LABEL = "kubernetes.azure.com/cluster"


@dataclass(frozen=True)
class Gathered:
    """What was read, and by kind why something could not be."""

    view: View
    unread: Mapping[str, str]


def gather(client: KubeClient, ways: Ways, pool_labels: Mapping[str, Mapping[str, str]] | None = None) -> Gathered:
    """Read everything that a diagnosis looks at.

    Args:
        client: The cluster.
        ways: How commands are written for it.
        pool_labels: What Azure has for its node pools, where somebody asked.

    Raises:
        Unreachable: Nothing answers.
        NotSignedIn: The credentials are no longer good.
        NotAllowed: They let nobody read nodes, pods, events or RuntimeClasses.
    """
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="doctor") as threads:
        listed = {kind: threads.submit(client.list, kind) for kind in KINDS}
        listed["Event"] = threads.submit(client.list, "Event", fields=_WARNINGS)
        objects: dict[str, tuple[Manifest, ...]] = {}
        unread: dict[str, str] = {}
        for kind, future in listed.items():
            try:
                objects[kind] = tuple(future.result())
            except (Unreachable, NotSignedIn):
                raise
            except AksWasmError as error:
                if kind in _NEEDED:
                    raise
                if error.code not in _ABSENT:
                    unread[kind] = error.message
        if ways.azure is None:
            groups = (labels_of(node).get(_GROUP_LABEL, "") for node in objects.get("Node", ()))
            ways = replace(ways, azure=azure_names(groups))
        view = View(objects, ways, datetime.now(UTC), pool_labels=pool_labels)
        reports = _reports(threads, client, view)
        view = replace(view, reports=reports, logs=_logs(threads, client, view))
    return Gathered(view, unread)


def _reports(threads: ThreadPoolExecutor, client: KubeClient, view: View) -> dict[str, NodeReport]:
    """Return what our installer says of each node that it works on."""
    asked: dict[str, Future[list[str]]] = {}
    for pod in view.installer_pods():
        running = [status for status in container_statuses(pod) if "running" in (status.get("state") or {})]
        for status in running:
            asked[node_of(pod) or ""] = threads.submit(
                _tail, client, pod, str(status["name"]), lines=_REPORT_LINES, previous=False
            )
    found = {node: last_report(future.result()) for node, future in asked.items()}
    return {node: report for node, report in found.items() if report is not None}


def _logs(threads: ThreadPoolExecutor, client: KubeClient, view: View) -> dict[tuple[str, str, str], str]:
    """Return the last lines of containers that ended badly, one of those that the same thing keeps."""
    asked = {}
    for pod, container, previous in islice(_telling(view), _MOST_LOGS):
        key = (str(pod["metadata"].get("namespace")), name_of(pod), container)
        asked[key] = threads.submit(_tail, client, pod, container, lines=_LOG_LINES, previous=previous)
    return {key: "\n".join(future.result()) for key, future in asked.items()}


def _telling(view: View) -> Iterable[tuple[Manifest, str, bool]]:
    """Yield pod, container and whether the one before its restart is meant, of those that ended badly."""
    seen = set()
    for pod in sorted(view.of("Pod"), key=lambda pod: not view.concerns_us(pod)):
        if view.is_past(pod):
            continue
        for status in container_statuses(pod):
            ended = (status.get("state") or {}).get("terminated")
            last = (status.get("lastState") or {}).get("terminated")
            telling = ended or (None if is_well(pod) else last)
            key = (pod["metadata"].get("namespace"), view.owner_of(pod), node_of(pod), status.get("name"))
            if not telling or not telling.get("exitCode") or key in seen:
                continue
            seen.add(key)
            yield pod, str(status["name"]), ended is None


def _tail(client: KubeClient, pod: Manifest, container: str, *, lines: int, previous: bool) -> list[str]:
    """Return the end of a log; nothing when the node does not give it."""
    try:
        namespace = str(pod["metadata"].get("namespace"))
        return list(client.logs(namespace, name_of(pod), container, tail=lines, previous=previous))
    except AksWasmError:
        return []
