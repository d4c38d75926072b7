"""The scheduler: binds pods to nodes, or says in the real scheduler's words why it can't."""

from __future__ import annotations

from collections.abc import Iterable

from aks_wasm.emulator.cluster.controllers import topology
from aks_wasm.emulator.cluster.controllers.conditions import Condition, put
from aks_wasm.emulator.cluster.controllers.fit import failure_text, loads, refusal
from aks_wasm.emulator.cluster.controllers.pods import is_active
from aks_wasm.emulator.cluster.controllers.score import best
from aks_wasm.emulator.cluster.controllers.work import Key, Notice
from aks_wasm.emulator.cluster.controllers.world import World
from aks_wasm.emulator.cluster.trees import Tree

NAME = "default-scheduler"
_ALL = Key("", "pods")  # one turn looks at every waiting pod: what frees room for one may do so for others


class Scheduler:
    """Gives every waiting pod a node, the most important first, then the oldest."""

    watches = ("pods", "nodes")

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store

    def keys(self, notice: Notice) -> Iterable[Key]:
        """Any change of a node, a new pod, or one that went or ended, may let a pod be bound."""
        if notice.plural == "nodes" or notice.kind == "DELETED":
            return [_ALL]
        return [_ALL] if _waits(notice.object) or not is_active(notice.object) else []

    def reconcile(self, key: Key) -> None:  # noqa: ARG002 - there is one key
        """Bind what can be bound."""
        pods = self._store.view("pods")
        waiting = sorted(filter(_waits, pods), key=_turn)
        if not waiting:
            return
        nodes = loads(self._store.view("nodes"), pods)
        for pod in waiting:
            if pod["spec"].get("schedulingGates"):
                text = "Scheduling is blocked due to non-empty scheduling gates"
                self._say(pod, Condition("PodScheduled", "False", "SchedulingGated", text))
                continue
            verdicts = {name: refusal(pod, load) or topology.refusal(pod, load, nodes) for name, load in nodes.items()}
            candidates = [nodes[name] for name, verdict in verdicts.items() if verdict is None]
            if candidates:
                chosen = best(pod, candidates)
                chosen.take(self._bind(pod, chosen.name))
            else:
                self._refuse(pod, failure_text(pod, [verdict for verdict in verdicts.values() if verdict]))

    def _bind(self, pod: Tree, node: str) -> Tree:
        def change(fresh: Tree) -> None:
            fresh["spec"]["nodeName"] = node
            status = fresh.setdefault("status", {})
            put(status, Condition("PodScheduled", "True"))

        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        bound = self._store.mutate("pods", name, namespace, change) or pod
        self._world.tell(bound, "Scheduled", f"Successfully assigned {namespace}/{name} to {node}")
        return bound

    def _refuse(self, pod: Tree, text: str) -> None:
        if self._say(pod, Condition("PodScheduled", "False", "Unschedulable", text)):
            self._world.tell(pod, "FailedScheduling", text, warning=True)

    def _say(self, pod: Tree, condition: Condition) -> bool:
        """Set the condition PodScheduled; tell whether it says something new."""
        said = False

        def change(fresh: Tree) -> None:
            nonlocal said
            status = fresh.setdefault("status", {})
            status.setdefault("phase", "Pending")
            said = put(status, condition)

        self._store.mutate("pods", pod["metadata"]["name"], pod["metadata"]["namespace"], change)
        return said


def _waits(pod: Tree) -> bool:
    spec = pod["spec"]
    return not spec.get("nodeName") and spec.get("schedulerName", NAME) == NAME and is_active(pod)


def _turn(pod: Tree) -> tuple[int, str]:
    return -int(pod["spec"].get("priority") or 0), pod["metadata"].get("creationTimestamp", "")
