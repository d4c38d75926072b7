"""Where a DaemonSet's pods belong and which of them are to be replaced. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aks_wasm.emulator.cluster.controllers.fit import matches_node
from aks_wasm.emulator.cluster.controllers.pods import is_available, is_going
from aks_wasm.emulator.cluster.controllers.rollout import share_of
from aks_wasm.emulator.cluster.controllers.tolerations import taints_of, tolerations_of, untolerated
from aks_wasm.emulator.cluster.trees import Tree, copied, dig

HASH = "controller-revision-hash"

# What every daemon pod tolerates (AddOrUpdateDaemonPodTolerations).
_TOLERATED = (
    ("not-ready", "NoExecute"),
    ("unreachable", "NoExecute"),
    ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"),
    ("unschedulable", "NoSchedule"),
)
_ON_HOST_NETWORK = ("network-unavailable", "NoSchedule")


@dataclass(frozen=True)
class Fate:
    """Whether a daemon pod should be started on a node, and whether a running one may stay."""

    runs: bool
    stays: bool


def template_for(daemon_set: Tree, node: str, hashed: str) -> Tree:
    """Return the pod template bound to one node by affinity, with the tolerations all daemon pods have."""
    template: Tree = copied(daemon_set["spec"]["template"])
    template.setdefault("metadata", {}).setdefault("labels", {})[HASH] = hashed
    spec = template["spec"]
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})
    affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": [term]}
    spec["tolerations"] = _tolerations(spec)
    return template


def fate(daemon_set: Tree, node: Tree) -> Fate:
    """Tell whether the DaemonSet wants a pod on a node."""
    spec = daemon_set["spec"]["template"]["spec"]
    pod = {"spec": spec}
    wanted = spec.get("nodeName")
    if (wanted and wanted != node["metadata"]["name"]) or not matches_node(pod, node):
        return Fate(runs=False, stays=False)
    tolerations = _tolerations(spec)
    if untolerated(tolerations, taints_of(node)):
        return Fate(runs=False, stays=not untolerated(tolerations, taints_of(node, {"NoExecute"})))
    return Fate(runs=True, stays=True)


def node_of(pod: Tree) -> str:
    """Return the node a daemon pod is on, or is meant for."""
    if bound := pod["spec"].get("nodeName"):
        return str(bound)
    required = dig(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    for term in (required or {}).get("nodeSelectorTerms") or []:
        for row in term.get("matchFields") or []:
            if row["key"] == "metadata.name" and row.get("values"):
                return str(row["values"][0])
    return ""


def outdated(daemon_set: Tree, pods: Sequence[Tree], hashed: str, *, desired: int, min_ready: float) -> list[Tree]:
    """Return the pods of older templates that a rolling update deletes now.

    Args:
        daemon_set: The DaemonSet.
        pods: Its pods, one a node.
        hashed: The hash of its present template.
        desired: On how many nodes it wants a pod.
        min_ready: Seconds of wall time for which a pod must have been ready to count as available.
    """
    strategy = daemon_set["spec"].get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return []
    rules = strategy.get("rollingUpdate") or {}
    allowed = max(1, share_of(rules.get("maxUnavailable", 1), desired, up=True))
    old = [pod for pod in pods if pod["metadata"]["labels"].get(HASH) != hashed and not is_going(pod)]
    broken = [pod for pod in old if not is_available(pod, min_ready)]
    working = [pod for pod in old if is_available(pod, min_ready)]
    available = sum(is_available(pod, min_ready) and not is_going(pod) for pod in pods)
    budget = max(0, allowed - (desired - available))
    return broken + working[:budget]


def _tolerations(spec: Tree) -> list[Tree]:
    rows = [*tolerations_of({"spec": spec})]
    for name, effect in (*_TOLERATED, *((_ON_HOST_NETWORK,) if spec.get("hostNetwork") else ())):
        row = {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect}
        if row not in rows:
            rows.append(row)
    return rows
