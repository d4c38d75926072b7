"""Which nodes a pod fits on, and in the scheduler's own words why not. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from aks_wasm.emulator.cluster.controllers.pod_requests import Amounts, amounts, requests_of
from aks_wasm.emulator.cluster.controllers.pods import is_finished
from aks_wasm.emulator.cluster.controllers.selection import matches_all, matches_node_selector
from aks_wasm.emulator.cluster.controllers.tolerations import taints_of, tolerations_of, untolerated
from aks_wasm.emulator.cluster.trees import Tree, dig

HELPLESS = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
_UNSCHEDULABLE_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}

# What the real scheduler takes for a pod that asks for nothing (GetNonzeroRequests): thousandths, bytes.
_LEAST = {"cpu": 100, "memory": 200 * 1024 * 1024}

Port = tuple[str, str, int]  # host address, protocol, port


@dataclass
class NodeLoad:
    """A node and what its pods take of it."""

    node: Tree
    pods: list[Tree] = field(default_factory=list)
    requested: Amounts = field(default_factory=Counter)
    weighed: Amounts = field(default_factory=Counter)  # cpu and memory, with a least amount for what asks nothing
    ports: set[Port] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The node's name."""
        return str(self.node["metadata"]["name"])

    @cached_property
    def allocatable(self) -> Amounts:
        """What the node offers to pods."""
        status = self.node.get("status") or {}
        return amounts(status.get("allocatable") or status.get("capacity"))

    def take(self, pod: Tree) -> None:
        """Count a pod as running here."""
        self.pods.append(pod)
        asked = requests_of(pod)
        self.requested += asked
        self.weighed += weight_of(asked)
        self.ports |= host_ports(pod)


@dataclass(frozen=True)
class Refusal:
    """Why a node is not for a pod; `freeable` tells whether fewer pods there would change that."""

    reasons: tuple[str, ...]
    freeable: bool = False


def weight_of(asked: Amounts) -> Amounts:
    """Return the cpu and memory a pod counts for when nodes are compared."""
    return Counter({name: asked[name] or least for name, least in _LEAST.items()})


def loads(nodes: Iterable[Tree], pods: Iterable[Tree]) -> dict[str, NodeLoad]:
    """Return every node with the pods bound to it that have not finished."""
    found = {node["metadata"]["name"]: NodeLoad(node) for node in nodes}
    for pod in pods:
        load = found.get(pod["spec"].get("nodeName", ""))
        if load is not None and not is_finished(pod):
            load.take(pod)
    return found


def refusal(pod: Tree, load: NodeLoad) -> Refusal | None:
    """Return the first plugin's refusal of a node, None when the pod fits there."""
    for check in _CHECKS:
        if found := check(pod, load):
            return found
    return None


def matches_node(pod: Tree, node: Tree) -> bool:
    """Tell whether the pod's nodeSelector and required node affinity allow a node."""
    required = dig(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    if not matches_all(pod["spec"].get("nodeSelector"), node["metadata"].get("labels")):
        return False
    return required is None or matches_node_selector(required, node)


def host_ports(pod: Tree) -> set[Port]:
    """Return the ports of the node itself that a pod takes."""
    return {
        (port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", port["hostPort"])  # noqa: S104 - any address
        for container in pod["spec"].get("containers") or []
        for port in container.get("ports") or []
        if port.get("hostPort")
    }


def failure_text(pod: Tree, refusals: Sequence[Refusal]) -> str:
    """Return the message of FailedScheduling: how many nodes refuse for which reason, and what preemption can do."""
    if not refusals:
        return "no nodes available to schedule pods"
    reasons: Counter[str] = Counter()
    for one in refusals:
        reasons.update(one.reasons)
    if pod["spec"].get("preemptionPolicy") == "Never":
        preemption = "not eligible due to preemptionPolicy=Never."
    else:
        outcomes = Counter(NO_VICTIMS if one.freeable else HELPLESS for one in refusals)
        preemption = _histogram(len(refusals), outcomes)
    return f"{_histogram(len(refusals), reasons)} preemption: {preemption}"


def _histogram(nodes: int, reasons: Counter[str]) -> str:
    rows = sorted(f"{count} {reason}" for reason, count in reasons.items())
    return f"0/{nodes} nodes are available: {', '.join(rows)}."


def _check_meant_for(pod: Tree, load: NodeLoad) -> Refusal | None:
    """A pod meant for nodes by name, as daemon pods are, is not tried on others (NodeAffinity's PreFilter)."""
    required = dig(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or []
    names: set[str] = set()
    for term in terms:
        rows = [row for row in term.get("matchFields") or [] if row["operator"] == "In"]
        if not rows:
            return None
        names.update(value for row in rows for value in row.get("values") or [])
    if not terms or load.name in names:
        return None
    return Refusal(("node(s) didn't satisfy plugin(s) [NodeAffinity]",))


def _check_schedulable(pod: Tree, load: NodeLoad) -> Refusal | None:
    if load.node["spec"].get("unschedulable") and untolerated(tolerations_of(pod), [_UNSCHEDULABLE_TAINT]):
        return Refusal(("node(s) were unschedulable",))
    return None


def _check_name(pod: Tree, load: NodeLoad) -> Refusal | None:
    wanted = pod["spec"].get("nodeName")
    if wanted and wanted != load.name:
        return Refusal(("node(s) didn't match the requested node name",))
    return None


def _check_taints(pod: Tree, load: NodeLoad) -> Refusal | None:
    taints = untolerated(tolerations_of(pod), taints_of(load.node))
    if not taints:
        return None
    return Refusal((f"node(s) had untolerated taint {{{taints[0]['key']}: {taints[0].get('value', '')}}}",))


def _check_affinity(pod: Tree, load: NodeLoad) -> Refusal | None:
    if matches_node(pod, load.node):
        return None
    return Refusal(("node(s) didn't match Pod's node affinity/selector",))


def _check_ports(pod: Tree, load: NodeLoad) -> Refusal | None:
    any_address = "0.0.0.0"  # noqa: S104 - the wildcard of host ports
    for address, protocol, number in host_ports(pod):
        for taken_address, taken_protocol, taken in load.ports:
            overlaps = address == taken_address or any_address in {address, taken_address}
            if overlaps and (protocol, number) == (taken_protocol, taken):
                return Refusal(("node(s) didn't have free ports for the requested pod ports",), freeable=True)
    return None


def _check_resources(pod: Tree, load: NodeLoad) -> Refusal | None:
    offered, asked = load.allocatable, requests_of(pod)
    reasons = []
    beyond = False
    if len(load.pods) + 1 > offered["pods"]:
        reasons.append("Too many pods")
    for name in sorted(asked, key=_resource_order):
        if asked[name] > offered[name] - load.requested[name]:
            reasons.append(f"Insufficient {name}")
            beyond |= asked[name] > offered[name]
    return Refusal(tuple(reasons), freeable=not beyond) if reasons else None


def _resource_order(name: str) -> tuple[int, str]:
    known = ("cpu", "memory", "ephemeral-storage")
    return (known.index(name) if name in known else len(known), name)


# In the order in which the default profile runs them; the first that refuses speaks.
_CHECKS: tuple[Callable[[Tree, NodeLoad], Refusal | None], ...] = (
    _check_meant_for,
    _check_schedulable,
    _check_name,
    _check_taints,
    _check_affinity,
    _check_ports,
    _check_resources,
)
