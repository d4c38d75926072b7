"""Which of the nodes a pod fits on is the best. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aks_wasm.emulator.cluster.controllers.fit import NodeLoad, weight_of
from aks_wasm.emulator.cluster.controllers.ownership import controller_of
from aks_wasm.emulator.cluster.controllers.pod_requests import Amounts, requests_of
from aks_wasm.emulator.cluster.controllers.selection import matches_term
from aks_wasm.emulator.cluster.controllers.tolerations import taints_of, tolerations_of, untolerated
from aks_wasm.emulator.cluster.trees import Tree, dig

_BEST = 100.0


def best(pod: Tree, candidates: Sequence[NodeLoad]) -> NodeLoad:
    """Return the node with the highest score; of equals the one with the fewest pods, then by name."""
    totals = [0.0] * len(candidates)
    for weight, plugin in _PLUGINS:
        for position, points in enumerate(plugin(pod, candidates)):
            totals[position] += weight * points
    ranked = sorted(
        zip(totals, candidates, strict=True), key=lambda row: (-round(row[0], 6), len(row[1].pods), row[1].name)
    )
    return ranked[0][1]


def _by_taints(pod: Tree, candidates: Sequence[NodeLoad]) -> list[float]:
    """Fewer PreferNoSchedule taints that are not tolerated are better."""
    tolerations = tolerations_of(pod)
    counts = [len(untolerated(tolerations, taints_of(one.node, {"PreferNoSchedule"}))) for one in candidates]
    return _normalized([-count for count in counts])


def _by_affinity(pod: Tree, candidates: Sequence[NodeLoad]) -> list[float]:
    """Preferred node affinity: the weights of the terms that match."""
    preferred = dig(pod, "spec", "affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution")
    weights = [
        sum(row["weight"] for row in preferred or [] if matches_term(row["preference"], one.node)) for one in candidates
    ]
    return _normalized(weights) if any(weights) else [0.0] * len(weights)


def _by_spread(pod: Tree, candidates: Sequence[NodeLoad]) -> list[float]:
    """Fewer pods of the same controller are better; stands for the default topology spread constraints."""
    reference = controller_of(pod)
    if reference is None:
        return [0.0] * len(candidates)
    counts = [
        sum((controller_of(other) or {}).get("uid") == reference["uid"] for other in one.pods) for one in candidates
    ]
    return _normalized([-count for count in counts])


def _by_allocation(pod: Tree, candidates: Sequence[NodeLoad]) -> list[float]:
    """More free cpu and memory after the pod is there is better (LeastAllocated)."""
    asked = weight_of(requests_of(pod))
    return [_free_share(asked, one) for one in candidates]


def _free_share(asked: Amounts, load: NodeLoad) -> float:
    offered = load.allocatable
    shares = [
        max(0.0, (offered[name] - load.weighed[name] - amount) * _BEST / offered[name])
        for name, amount in asked.items()
        if offered[name]
    ]
    return sum(shares) / len(shares) if shares else 0.0


def _normalized(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    return [_BEST if high == low else (value - low) * _BEST / (high - low) for value in values]


# Weights of the default profile.
_PLUGINS: tuple[tuple[int, Callable[[Tree, Sequence[NodeLoad]], list[float]]], ...] = (
    (3, _by_taints),
    (2, _by_affinity),
    (2, _by_spread),
    (1, _by_allocation),
)
