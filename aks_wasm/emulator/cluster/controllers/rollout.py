"""The arithmetic of a rollout: from a Deployment and its ReplicaSets to the sizes they should have. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aks_wasm.emulator.cluster.trees import Tree

PREFIX = "deployment.kubernetes.io/"
DESIRED = PREFIX + "desired-replicas"
MAXIMUM = PREFIX + "max-replicas"
_DEFAULT_SHARE = "25%"


@dataclass(frozen=True)
class Rollout:
    """A Deployment and what it controls, oldest first.

    Attributes:
        deployment: The apps/v1 Deployment.
        new: The ReplicaSet of its present template, if it is there yet.
        old: All its others.
    """

    deployment: Tree
    new: Tree | None
    old: Sequence[Tree]

    @property
    def all(self) -> list[Tree]:
        """Every ReplicaSet."""
        return [*self.old, *([self.new] if self.new else [])]

    @property
    def replicas(self) -> int:
        """How many pods the Deployment wants."""
        return int(self.deployment["spec"].get("replicas", 1))

    @property
    def rolls(self) -> bool:
        """Whether the strategy is RollingUpdate."""
        strategy: Tree = self.deployment["spec"].get("strategy") or {}
        return bool(strategy.get("type", "RollingUpdate") == "RollingUpdate")

    @property
    def max_surge(self) -> int:
        """How many pods above `replicas` are allowed; a share is rounded up."""
        return self._bounds()[0]

    @property
    def max_unavailable(self) -> int:
        """How many of `replicas` may be unavailable; a share is rounded down."""
        return min(self._bounds()[1], self.replicas)

    def _bounds(self) -> tuple[int, int]:
        if not self.rolls:
            return 0, 0
        rules = (self.deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
        surge = share_of(rules.get("maxSurge", _DEFAULT_SHARE), self.replicas, up=True)
        unavailable = share_of(rules.get("maxUnavailable", _DEFAULT_SHARE), self.replicas, up=False)
        # Both 0 would never move (ResolveFenceposts of Kubernetes).
        return surge, unavailable if surge or unavailable else 1


Sizes = dict[str, int]  # ReplicaSet name -> replicas it should have


def share_of(value: int | str, whole: int, *, up: bool) -> int:
    """Return an int-or-percentage of `whole`."""
    if isinstance(value, int):
        return value
    part = float(value.removesuffix("%")) * whole / 100
    return math.ceil(part) if up else math.floor(part)


def size(replica_set: Tree) -> int:
    """Return the replicas a ReplicaSet was told to have."""
    return int(replica_set["spec"].get("replicas", 1))


def available(replica_set: Tree) -> int:
    """Return the replicas of a ReplicaSet that are available."""
    return int((replica_set.get("status") or {}).get("availableReplicas", 0))


def name_of(replica_set: Tree) -> str:
    """Return a ReplicaSet's name."""
    return str(replica_set["metadata"]["name"])


def total(replica_sets: Sequence[Tree]) -> int:
    """Return the sum of the sizes."""
    return sum(size(one) for one in replica_sets)


def is_scaling(rollout: Rollout) -> bool:
    """Tell whether the Deployment was given another size since its ReplicaSets were last sized."""
    for one in rollout.all:
        desired = (one["metadata"].get("annotations") or {}).get(DESIRED)
        if size(one) > 0 and desired is not None and desired != str(rollout.replicas):
            return True
    return False


def size_of_new(rollout: Rollout) -> int:
    """Return the size the new ReplicaSet may have now (NewRSNewReplicas)."""
    present = size(rollout.new) if rollout.new else 0
    if not rollout.rolls or present >= rollout.replicas:
        return rollout.replicas
    room = rollout.replicas + rollout.max_surge - total(rollout.all)
    return present + max(0, min(room, rollout.replicas - present))


def sizes_of_old(rollout: Rollout) -> Sizes:
    """Return smaller sizes for old ReplicaSets: first what is unhealthy goes, then what can be spared."""
    new = rollout.new
    least = rollout.replicas - rollout.max_unavailable
    new_unavailable = size(new) - available(new) if new else 0
    budget = total(rollout.all) - least - new_unavailable
    sizes = {name_of(one): size(one) for one in rollout.old}
    if budget <= 0:
        return {}
    for one in rollout.old:
        unhealthy = min(budget, sizes[name_of(one)] - available(one))
        if unhealthy > 0:
            sizes[name_of(one)] -= unhealthy
            budget -= unhealthy
    spare = sum(available(one) for one in rollout.all) - least
    for one in rollout.old:
        gone = min(sizes[name_of(one)], max(spare, 0))
        sizes[name_of(one)] -= gone
        spare -= gone
    return {name_of(one): sizes[name_of(one)] for one in rollout.old if sizes[name_of(one)] != size(one)}


def sizes_after_scaling(rollout: Rollout) -> Sizes:
    """Return the sizes after the Deployment's own size changed, in the middle of a rollout proportionally."""
    active = [one for one in rollout.all if size(one) > 0]
    if len(active) <= 1:
        latest = active[0] if active else rollout.new or (rollout.old[-1] if rollout.old else None)
        return {name_of(latest): rollout.replicas} if latest else {}
    if rollout.new and _is_saturated(rollout.new, rollout):
        return {name_of(one): 0 for one in rollout.old if size(one) > 0}
    return _proportional(active, rollout) if rollout.rolls else {}


def _is_saturated(new: Tree, rollout: Rollout) -> bool:
    return size(new) == rollout.replicas == available(new)


def _proportional(active: Sequence[Tree], rollout: Rollout) -> Sizes:
    allowed = rollout.replicas + rollout.max_surge if rollout.replicas else 0
    to_add = allowed - total(active)
    # The largest first; of equals the newest grows and the oldest shrinks.
    newest_first = list(reversed(active)) if to_add > 0 else list(active)
    ordered = sorted(newest_first, key=size, reverse=True)
    sizes: Sizes = {}
    added = 0
    for one in ordered:
        share = _fraction(one, rollout)
        rest = to_add - added
        part = min(share, rest) if to_add > 0 else max(share, rest)
        sizes[name_of(one)] = size(one) + part
        added += part
    first = name_of(ordered[0])
    sizes[first] = max(0, sizes[first] + to_add - added)
    return sizes


def _fraction(replica_set: Tree, rollout: Rollout) -> int:
    present = size(replica_set)
    if rollout.replicas == 0:
        return -present
    noted = (replica_set["metadata"].get("annotations") or {}).get(MAXIMUM, "")
    status = rollout.deployment.get("status") or {}
    before = int(noted) if noted.isdigit() and int(noted) else status.get("replicas") or present
    return math.floor(present * (rollout.replicas + rollout.max_surge) / before + 0.5) - present
