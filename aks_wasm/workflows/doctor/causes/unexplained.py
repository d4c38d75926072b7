"""Pods that are not well for none of the known reasons: they are told all the same, with the last that was said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aks_wasm.shims.labels import SYSTEM_NAMESPACE
from aks_wasm.workflows.doctor.findings import Finding
from aks_wasm.workflows.doctor.objects import condition_of, name_of, node_of, place_of, quoted, time_of
from aks_wasm.workflows.doctor.view import View, is_well

_PATIENCE_SECONDS = 90  # a large component is compiled at each start, which takes some 10 s; images take longer
_SAID = ("FailedMount", "FailedCreatePodSandBox", "Failed", "Unhealthy", "BackOff", "FailedScheduling", "FailedSync")


def _is_of_node(finding: Finding) -> bool:
    return finding.object.startswith(("Node ", f"Pod {SYSTEM_NAMESPACE}/"))


def unexplained_pods(view: View, known: Iterable[Finding]) -> Iterator[Finding]:
    """Find pods that have not been well for a while and of which no finding speaks.

    Args:
        view: The cluster.
        known: What the rules have found.
    """
    told = {finding.object for finding in known}
    failing_nodes = {finding.node for finding in known if finding.severity == "error" and _is_of_node(finding)}
    for pod in view.of("Pod"):
        since = time_of(pod["metadata"].get("creationTimestamp"))
        young = since is None or (view.now - since).total_seconds() < _PATIENCE_SECONDS
        if young or is_well(pod) or view.is_past(pod) or not view.concerns_us(pod) or place_of(pod) in told:
            continue
        if node_of(pod) in failing_nodes:
            continue  # what is wrong with its node is told
        events = view.events_of(pod, *_SAID)
        conditions = [condition_of(pod, kind) for kind in ("PodScheduled", "ContainersReady", "Ready")]
        false = [str(one.get("message")) for one in conditions if one.get("status") == "False" and one.get("message")]
        evidence = quoted(events[0]) if events else (false or ["no event and no condition says why"])[0]
        phase = pod.get("status", {}).get("phase", "Pending")
        words = f"it is {phase} and not ready, and none of the known causes explains it"
        namespace = str(pod["metadata"].get("namespace"))
        command = view.ways.kubectl("--namespace", namespace, "describe", "pod", name_of(pod))
        yield view.finding(pod, "NotReady", words, evidence=evidence, command=command)
