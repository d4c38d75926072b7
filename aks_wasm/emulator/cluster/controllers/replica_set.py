"""ReplicaSet: as many active pods as it says, made from its template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from aks_wasm.emulator.cluster.controllers import pods as podlike
from aks_wasm.emulator.cluster.controllers.conditions import Condition, drop, put
from aks_wasm.emulator.cluster.controllers.ownership import claim, controller_of
from aks_wasm.emulator.cluster.controllers.selection import matches_all
from aks_wasm.emulator.cluster.controllers.timestamps import seconds_since
from aks_wasm.emulator.cluster.controllers.work import Key, Notice, key_of
from aks_wasm.emulator.cluster.controllers.world import World
from aks_wasm.emulator.cluster.selectors import selects
from aks_wasm.emulator.cluster.statuses import ApiFailure
from aks_wasm.emulator.cluster.trees import Tree

PLURAL = "replicasets.apps"
BURST = 500  # pods made or deleted in one go; BurstReplicas of the real controller
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


class ReplicaSetController:
    """Makes and deletes pods until their number is right, and counts them into the status."""

    watches = (PLURAL, "pods")

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store

    def keys(self, notice: Notice) -> Iterable[Key]:
        """A ReplicaSet itself, the one that controls a changed pod, or those that would adopt it."""
        if notice.plural == PLURAL:
            return [key_of(notice.object)]
        reference = controller_of(notice.object)
        namespace = notice.object["metadata"]["namespace"]
        if reference is not None:
            return [Key(namespace, reference["name"])] if reference["kind"] == "ReplicaSet" else []
        labels = notice.object["metadata"].get("labels")
        candidates = self._store.view(PLURAL, namespace)
        return [key_of(obj) for obj in candidates if selects(obj["spec"].get("selector"), labels)]

    def reconcile(self, key: Key) -> float | None:
        """Bring one ReplicaSet's pods and status up to date.

        Raises:
            ApiFailure: A pod could not be made; the status says so already.
        """
        found = self._store.get(PLURAL, key.name, key.namespace)
        if found is None:
            return None
        active = [pod for pod in self._claimed(found) if podlike.is_active(pod)]
        failure: ApiFailure | None = None
        if not podlike.is_going(found):
            failure = self._scale(found, active)
        active = [pod for pod in self._claimed(found) if podlike.is_active(pod)]
        min_ready = self._world.pace.scaled(found["spec"].get("minReadySeconds", 0))
        self._write_status(found, active, min_ready, failure)
        if failure is not None:
            raise failure
        waits = [podlike.seconds_to_available(pod, min_ready) for pod in active]
        return min((wait for wait in waits if wait), default=None)

    def _claimed(self, owner: Tree) -> list[Tree]:
        return claim(self._store, "pods", owner, owner["spec"].get("selector"))

    def _scale(self, owner: Tree, active: Sequence[Tree]) -> ApiFailure | None:
        missing = owner["spec"].get("replicas", 1) - len(active)
        try:
            for _ in range(min(missing, BURST)):
                self._world.create_pod(owner, owner["spec"]["template"])
        except ApiFailure as failure:
            return failure
        for pod in first_to_go(active)[: max(0, min(-missing, BURST))]:
            self._world.delete_pod(owner, pod)
        return None

    def _write_status(self, owner: Tree, active: Sequence[Tree], min_ready: float, failure: ApiFailure | None) -> None:
        wanted_labels = owner["spec"]["template"].get("metadata", {}).get("labels")
        counts = {
            "replicas": len(active),
            "fullyLabeledReplicas": sum(matches_all(wanted_labels, pod["metadata"].get("labels")) for pod in active),
            "readyReplicas": sum(podlike.is_ready(pod) for pod in active),
            "availableReplicas": sum(podlike.is_available(pod, min_ready) for pod in active),
        }

        def change(fresh: Tree) -> None:
            status = fresh.setdefault("status", {})
            for field, value in counts.items():
                if value or field == "replicas":
                    status[field] = value
                else:
                    status.pop(field, None)
            status["observedGeneration"] = owner["metadata"]["generation"]
            if failure is None:
                drop(status, "ReplicaFailure")
            else:
                put(status, Condition("ReplicaFailure", "True", "FailedCreate", failure.message))

        self._store.mutate(PLURAL, owner["metadata"]["name"], owner["metadata"]["namespace"], change)


def first_to_go(active: Sequence[Tree]) -> list[Tree]:
    """Return pods in the order in which scaling down deletes them (ActivePodsWithRanks of Kubernetes)."""
    per_node = Counter(pod["spec"].get("nodeName", "") for pod in active)

    def rank(pod: Tree) -> tuple[Any, ...]:
        node = pod["spec"].get("nodeName", "")
        created = pod["metadata"].get("creationTimestamp")
        return (
            bool(node),
            {"Pending": 0, "Unknown": 1}.get(podlike.phase(pod), 2),
            podlike.is_ready(pod),
            _deletion_cost(pod),
            -per_node[node],
            -podlike.restarts(pod),
            seconds_since(created) if created else 0.0,
        )

    return sorted(active, key=rank)


def _deletion_cost(pod: Tree) -> int:
    try:
        return int((pod["metadata"].get("annotations") or {}).get(_DELETION_COST, "0"))
    except ValueError:
        return 0
