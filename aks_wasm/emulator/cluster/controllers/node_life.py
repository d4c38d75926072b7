"""The life of nodes as the cluster sees it: taints for what ails them, and the pods of those that are gone."""

from __future__ import annotations

import time
from collections.abc import Iterable

from aks_wasm.emulator.cluster.controllers.conditions import Condition, find, put
from aks_wasm.emulator.cluster.controllers.pods import is_finished, is_ready
from aks_wasm.emulator.cluster.controllers.work import Key, Notice
from aks_wasm.emulator.cluster.controllers.world import World
from aks_wasm.emulator.cluster.trees import Tree, now

_PREFIX = "node.kubernetes.io/"
_QUARANTINE = 40.0  # seconds a node must be missing before its pods are; podgc's quarantineTime
# Condition, the status that is bad, and the taint that says so.
_PRESSURES = (
    ("MemoryPressure", "True", "memory-pressure"),
    ("DiskPressure", "True", "disk-pressure"),
    ("PIDPressure", "True", "pid-pressure"),
    ("NetworkUnavailable", "True", "network-unavailable"),
    ("Ready", "False", "not-ready"),
    ("Ready", "Unknown", "unreachable"),
)
_STOPPING = {("Ready", "False"), ("Ready", "Unknown")}
_OWN = frozenset(
    {(_PREFIX + taint, effect) for _, _, taint in _PRESSURES for effect in ("NoSchedule", "NoExecute")}
) | {(_PREFIX + "unschedulable", "NoSchedule")}


class NodeLifeController:
    """Taints nodes by their conditions and clears up after nodes that vanished."""

    watches = ("nodes", "pods")

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store
        self._missing: dict[str, float] = {}  # node -> when it was first missed, monotonic seconds

    def keys(self, notice: Notice) -> Iterable[Key]:
        """A node, or the one a pod is bound to when that is not there."""
        if notice.plural == "nodes":
            return [Key("", notice.object["metadata"]["name"])]
        name = notice.object["spec"].get("nodeName")
        if not name or notice.kind == "DELETED" or self._store.peek("nodes", name) is not None:
            return []
        return [Key("", name)]

    def reconcile(self, key: Key) -> float | None:
        """Look after one node."""
        node = self._store.peek("nodes", key.name)
        if node is None:
            return self._clear_after(key.name)
        self._missing.pop(key.name, None)
        self._taint(node)
        ready = find(node.get("status") or {}, "Ready")
        if ready is not None and ready.get("status") != "True":
            self._mark_pods_unready(key.name)
        return None

    def _taint(self, node: Tree) -> None:
        wanted = _taints_for(node)

        def change(fresh: Tree) -> None:
            before = fresh["spec"].get("taints") or []
            kept = [row for row in before if (row["key"], row["effect"]) not in _OWN or _says(row, wanted)]
            added = [row for row in wanted if not _says(row, kept)]
            if kept or added:
                fresh["spec"]["taints"] = kept + added
            else:
                fresh["spec"].pop("taints", None)

        self._store.mutate("nodes", node["metadata"]["name"], None, change)

    def _mark_pods_unready(self, node: str) -> None:
        def change(fresh: Tree) -> None:
            status = fresh.setdefault("status", {})
            ready = find(status, "Ready") or {}
            put(status, Condition("Ready", "False", ready.get("reason", ""), ready.get("message", "")))

        for pod in self._pods_of(node):
            if is_ready(pod):
                self._store.mutate("pods", pod["metadata"]["name"], pod["metadata"]["namespace"], change)
                self._world.tell(pod, "NodeNotReady", "Node is not ready", warning=True)

    def _clear_after(self, name: str) -> float | None:
        pods = self._pods_of(name)
        if not pods:
            self._missing.pop(name, None)
            return None
        missed = self._missing.setdefault(name, time.monotonic())
        left = missed + self._world.pace.scaled(_QUARANTINE) - time.monotonic()
        if left > 0:
            return left
        for pod in pods:
            self._end(pod)
        return None

    def _end(self, pod: Tree) -> None:
        """Fail the pod, as a real cluster does so that its owner counts it, then remove it."""
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]

        def change(fresh: Tree) -> None:
            status = fresh.setdefault("status", {})
            if not is_finished(fresh):
                status["phase"] = "Failed"
                put(status, Condition("DisruptionTarget", "True", "DeletionByPodGC", "PodGC: node no longer exists"))

        self._store.mutate("pods", name, namespace, change)
        self._store.finish_delete("pods", name, namespace)

    def _pods_of(self, node: str) -> list[Tree]:
        return [pod for pod in self._store.view("pods") if pod["spec"].get("nodeName") == node]


def _taints_for(node: Tree) -> list[Tree]:
    rows: list[Tree] = []
    if node["spec"].get("unschedulable"):
        rows.append({"key": _PREFIX + "unschedulable", "effect": "NoSchedule", "timeAdded": now()})
    for kind, bad, taint in _PRESSURES:
        condition = find(node.get("status") or {}, kind)
        if condition is None or condition.get("status") != bad:
            continue
        effects = ("NoSchedule", "NoExecute") if (kind, bad) in _STOPPING else ("NoSchedule",)
        rows += [{"key": _PREFIX + taint, "effect": effect, "timeAdded": now()} for effect in effects]
    return rows


def _says(taint: Tree, rows: Iterable[Tree]) -> bool:
    return any((row["key"], row["effect"]) == (taint["key"], taint["effect"]) for row in rows)
