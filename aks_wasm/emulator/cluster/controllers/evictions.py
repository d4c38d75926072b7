"""NoExecute: pods leave a node whose taint they don't tolerate, or no longer tolerate."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from aks_wasm.emulator.cluster.controllers.conditions import Condition, put
from aks_wasm.emulator.cluster.controllers.pods import is_active
from aks_wasm.emulator.cluster.controllers.tolerations import taints_of, tolerates, tolerations_of, untolerated
from aks_wasm.emulator.cluster.controllers.work import Key, Notice
from aks_wasm.emulator.cluster.controllers.world import World
from aks_wasm.emulator.cluster.trees import Tree


class TaintEvictionController:
    """Deletes pods from nodes with NoExecute taints; tolerationSeconds follow the pace."""

    watches = ("nodes", "pods")

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store
        # Tainted node -> pod uid -> when that pod was first seen there, monotonic seconds.
        self._since: dict[str, dict[str, float]] = {}

    def keys(self, notice: Notice) -> Iterable[Key]:
        """A node, or the one a pod was bound to."""
        if notice.plural == "nodes":
            return [Key("", notice.object["metadata"]["name"])]
        name = notice.object["spec"].get("nodeName")
        return [Key("", name)] if name and name in self._since and notice.kind != "DELETED" else []

    def reconcile(self, key: Key) -> float | None:
        """Evict from one node who must go; return when the next one must."""
        node = self._store.peek("nodes", key.name)
        taints = taints_of(node, {"NoExecute"}) if node else []
        if not taints:
            self._since.pop(key.name, None)
            return None
        before = self._since.get(key.name, {})
        since = self._since[key.name] = {}
        waits = []
        for pod in self._store.view("pods"):
            if pod["spec"].get("nodeName") != key.name or not is_active(pod):
                continue
            uid = pod["metadata"]["uid"]
            since[uid] = before.get(uid, time.monotonic())
            stay = seconds_to_stay(pod, taints)
            if stay is None:
                continue
            left = since[uid] + self._world.pace.scaled(stay) - time.monotonic()
            if left > 0:
                waits.append(left)
            else:
                self._evict(pod)
        return min(waits, default=None)

    def _evict(self, pod: Tree) -> None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]

        def change(fresh: Tree) -> None:
            text = "Taint manager: deleting due to NoExecute taint"
            put(fresh.setdefault("status", {}), Condition("DisruptionTarget", "True", "DeletionByTaintManager", text))

        self._world.tell(pod, "TaintManagerEviction", f"Marking for deletion Pod {namespace}/{name}")
        self._store.mutate("pods", name, namespace, change)
        self._store.delete("pods", name, namespace)


def seconds_to_stay(pod: Tree, taints: Sequence[Tree]) -> float | None:
    """Return how long a pod may stay under NoExecute taints: 0 = not at all, None = for good."""
    tolerations = tolerations_of(pod)
    if untolerated(tolerations, taints):
        return 0.0
    used = [row for row in tolerations if any(tolerates(row, taint) for taint in taints)]
    limits = [row["tolerationSeconds"] for row in used if row.get("tolerationSeconds") is not None]
    return float(max(0, min(limits))) if limits else None
