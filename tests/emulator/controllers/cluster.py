"""A cluster for tests: a store on disk, the controllers at pace 0, and a kubelet that only flips pod status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster import bootstrap
from aks_wasm.emulator.cluster.controllers import Controllers
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.cluster.trees import now
from aks_wasm.emulator.state import Documents

Tree = dict[str, Any]
T = TypeVar("T")
PATIENCE = 10.0  # seconds; nothing here takes one, a loaded machine may
DOES = "does"  # the label that tells the kubelet what a pod's containers do


class Cluster:
    """The store, and words for what tests say often."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.kubelet = Kubelet(store)

    async def until(self, look: Callable[[], T | None], *, what: str = "") -> T:
        """Return what `look` sees as soon as it is something; looks after each change of the store."""
        follower = self.store.log.follow()
        try:
            async with asyncio.timeout(PATIENCE):
                while not (seen := look()):
                    await follower.next()
                return seen
        except TimeoutError:
            raise AssertionError(f"{what or look} did not come; events: {self.told()}") from None
        finally:
            follower.close()

    async def settled(self) -> None:
        """Return once a moment went by without a change."""
        revision = -1
        while revision != self.store.revision:
            revision = self.store.revision
            for _ in range(50):
                await asyncio.sleep(0)

    def pods(self, namespace: str = "default", **labels: str) -> list[Tree]:
        return [
            pod
            for pod in self.store.list("pods", namespace)
            if labels.items() <= (pod["metadata"].get("labels") or {}).items()
        ]

    def told(self, reason: str | None = None) -> list[str]:
        """Return the messages of all events of a reason, or `reason: message` of all."""
        events = sorted(self.store.list("events"), key=lambda event: int(event["metadata"]["resourceVersion"]))
        if reason is None:
            return [f"{event['reason']}: {event['message']}" for event in events]
        return [event["message"] for event in events if event["reason"] == reason]

    def condition(self, plural: str, name: str, type_: str) -> Tree | None:
        obj = self.store.get(plural, name, "default") or {}
        rows = obj.get("status", {}).get("conditions", [])
        return next((row for row in rows if row["type"] == type_), None)

    def set_status(self, pod: Tree, **fields: Any) -> None:
        def change(fresh: Tree) -> None:
            fresh.setdefault("status", {}).update(fields)

        self.store.mutate("pods", pod["metadata"]["name"], pod["metadata"]["namespace"], change)


class Kubelet:
    """Runs no container: a bound pod becomes what its label `does` says (default: it runs and is ready)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.stops = True  # whether it ends pods that are being deleted

    async def run(self) -> None:
        subscription = self._store.subscribe("pods")
        try:
            async for _, kind, pod in subscription:
                if kind != "DELETED":
                    self._look_at(pod)
                await asyncio.sleep(0)
        finally:
            subscription.close()

    def _look_at(self, pod: Tree) -> None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        if not pod["spec"].get("nodeName"):
            return
        if "deletionTimestamp" in pod["metadata"]:
            if self.stops:
                self._store.finish_delete("pods", name, namespace)
        elif pod.get("status", {}).get("phase", "Pending") == "Pending":
            does = (pod["metadata"].get("labels") or {}).get(DOES, "run")
            if does != "hang":
                self._store.mutate("pods", name, namespace, lambda fresh: _become(fresh, does))


def _become(pod: Tree, does: str) -> None:
    status = pod.setdefault("status", {})
    status["phase"] = {"succeed": "Succeeded", "fail": "Failed"}.get(does, "Running")
    ready = does == "run"
    number = int(pod["metadata"]["resourceVersion"])
    status["podIP"] = f"10.244.{number // 250 % 250}.{number % 250 + 1}"
    status["conditions"] = [
        *(row for row in status.get("conditions", []) if row["type"] != "Ready"),
        {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": now()},
    ]


@asynccontextmanager
async def running(folder: Path, pace: Pace | None = None) -> AsyncIterator[Cluster]:
    """Run a cluster whose state is in `folder`; what was there before goes on."""
    documents = Documents(folder / "state.db")
    cluster = Cluster(Store(documents, "clusters/test"))
    bootstrap.fill(cluster.store)  # as the API server does when it starts
    tasks = [
        asyncio.create_task(Controllers(cluster.store, pace or Pace(0)).run()),
        asyncio.create_task(cluster.kubelet.run()),
    ]
    try:
        yield cluster
        for task in tasks:
            assert not task.done(), task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        documents.close()


def node(name: str = "node-1", *, taints: list[Tree] | None = None, cpu: str = "4", **labels: str) -> Tree:
    """Return a ready node; labels are written with `_` for `/` and `-` where Python needs it, or passed by `**`."""
    allocatable = {"cpu": cpu, "memory": "8Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
        "spec": {"taints": taints} if taints else {},
        "status": {
            "capacity": allocatable,
            "allocatable": allocatable,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now()}],
        },
    }


def template(**labels: str) -> Tree:
    """Return a pod template; `does=` tells the kubelet what its containers do."""
    return {
        "metadata": {"labels": {"app": "web", **labels}},
        "spec": {"containers": [{"name": "main", "image": "example.test/web:1"}]},
    }


def pod(name: str, spec: Tree | None = None, **labels: str) -> Tree:
    """Return a pod of the default namespace; `spec` is added to one container."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "example.test/web:1"}], **(spec or {})},
    }


def workload(kind: str, name: str, spec: Tree) -> Tree:
    """Return a Deployment, ReplicaSet, DaemonSet or Job of the default namespace."""
    version = "batch/v1" if kind == "Job" else "apps/v1"
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }
