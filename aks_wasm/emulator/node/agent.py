"""The kubelets, the kube-proxy and the cloud load balancer of one cluster."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster.logs import LogQuery, LogUnavailable
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.node.images import ImageStore, RegistryTrust
from aks_wasm.emulator.node.load_balancer import LoadBalancers
from aks_wasm.emulator.node.logs import read_log
from aks_wasm.emulator.node.node_context import NodeContext
from aks_wasm.emulator.node.node_pools import converge_nodes
from aks_wasm.emulator.node.pod_status import Pod, entry_of, is_finished
from aks_wasm.emulator.node.pod_worker import PodWorker
from aks_wasm.emulator.node.profile import NodePoolProfile

log = logging.getLogger(__name__)


class NodeAgents:
    """Everything that happens on the nodes of one cluster."""

    def __init__(
        self, store: Store, images: ImageStore, pace: Pace, folder: Path, registries: RegistryTrust | None = None
    ) -> None:
        """Take over the cluster's nodes.

        Args:
            store: The cluster's objects.
            images: The nodes' images.
            pace: How fast recorded durations pass.
            folder: For volumes, container file systems, logs and compiled modules.
            registries: Which registries are believed when an image is pulled; None = as `images` has it.
        """
        if registries is not None:
            images.registries = registries
        self._store = store
        self._context = NodeContext(store, images, pace, folder)
        self._balancers = LoadBalancers(store, self._context.network, pace)
        self._workers: dict[str, tuple[PodWorker, asyncio.Task[None]]] = {}
        self._endings: set[asyncio.Task[None]] = set()

    async def converge(self, pools: Sequence[NodePoolProfile]) -> None:
        """Make nodes appear and vanish so that each pool has `count` of them; pods of a vanished node go."""
        for name in converge_nodes(self._store, pools):
            await self._clear(name)

    async def replace(self, name: str, pools: Sequence[NodePoolProfile]) -> bool:
        """Put a bare machine of the same name in a node's place, as a reimage or a repair does.

        Args:
            name: The node's.
            pools: As for `converge`.

        Returns:
            Whether there was such a node.
        """
        if self._store.delete("nodes", name) is None:
            return False
        await self._clear(name)
        await self.converge(pools)
        return True

    async def _clear(self, node: str) -> None:
        for pod in self._store.list("pods"):
            if pod["spec"].get("nodeName") == node:
                await self._drop(pod["metadata"]["uid"])
                self._remove(pod)

    async def run(self) -> None:
        """Run pods and balance Services until cancelled; then every container is killed."""
        subscription = self._store.subscribe("pods")
        balancing = asyncio.create_task(self._balancers.run())
        try:
            async for _, kind, pod in subscription:
                self._see(kind, pod)
        finally:
            subscription.close()
            balancing.cancel()
            tasks = [task for _, task in self._workers.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(balancing, *tasks, *self._endings, return_exceptions=True)
            self._workers.clear()

    def balanced(self) -> list[str]:
        """Return the names (`namespace/name`) of the Services that are listened for at this moment."""
        return self._balancers.listening()

    def open_log(self, namespace: str, pod: str, container: str, query: LogQuery) -> AsyncIterator[bytes]:
        """Yield a container's log as the kubelet serves it.

        Raises:
            LogUnavailable: The container has not started yet, or there was no previous one.
        """
        found = self._store.peek("pods", pod, namespace)
        entry = None if found is None else entry_of(found, container)
        if found is None or entry is None:
            reason = "ContainerCreating" if found is None or not found.get("status", {}).get("startTime") else ""
            raise LogUnavailable(
                f'container "{container}" in pod "{pod}" is waiting to start: {reason}'
                if reason
                else f"container {container} is not valid for pod {pod}"
            )
        uid = found["metadata"]["uid"]
        attempt = _attempt(entry, previous=query.previous)
        path = self._context.log_file(uid, container, attempt)
        if query.previous and not path.exists():
            raise LogUnavailable(f'previous terminated container "{container}" in pod "{pod}" not found')
        if not path.exists():
            raise LogUnavailable(f'container "{container}" in pod "{pod}" is waiting to start: {_why(entry)}')
        live = self._context.logs.get((uid, container))
        return read_log(path, query, live if live is not None and live.path == path else None)

    def _see(self, kind: str, pod: Pod) -> None:
        uid = pod["metadata"]["uid"]
        if kind == "DELETED":
            self._later(self._forget(uid))
        elif pod["spec"].get("nodeName") and self._store.peek("nodes", pod["spec"]["nodeName"]) is None:
            self._remove(pod)  # the pod garbage collector takes pods of nodes that are gone
        elif pod["spec"].get("nodeName"):
            self._serve(uid, pod)

    def _serve(self, uid: str, pod: Pod) -> None:
        going = pod["metadata"].get("deletionTimestamp") is not None
        if uid in self._workers:
            if going:
                self._workers[uid][0].delete(float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))
        elif going:
            self._remove(pod)
        elif not is_finished(pod):
            worker = PodWorker(self._context, pod)
            task = asyncio.create_task(worker.run())
            self._workers[uid] = (worker, task)
            task.add_done_callback(lambda done: self._ended(pod, done))

    def _ended(self, pod: Pod, task: asyncio.Task[None]) -> None:
        self._workers.pop(pod["metadata"]["uid"], None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the worker of pod %s failed", pod["metadata"]["name"], exc_info=error)
            self._context.event(pod, "FailedSync", f"Error syncing pod, skipping: {error}", warning=True)

    async def _forget(self, uid: str) -> None:
        await self._drop(uid)
        self._context.network.release(uid)
        for key in [key for key in self._context.logs if key[0] == uid]:
            self._context.logs.pop(key).close()
        await asyncio.to_thread(shutil.rmtree, self._context.pod_folder(uid), ignore_errors=True)

    async def _drop(self, uid: str) -> None:
        """Kill a pod's containers at once; its object has gone or is about to."""
        held = self._workers.get(uid)
        if held is not None:
            held[1].cancel()
            await asyncio.wait([held[1]])

    def _remove(self, pod: Pod) -> None:
        meta = pod["metadata"]
        self._store.delete("pods", meta["name"], meta["namespace"], grace_seconds=0)

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)


def _attempt(entry: dict[str, Any], *, previous: bool) -> int:
    """Which attempt's log is meant; while a container waits for its next start, it is the one that ended."""
    waits_after = "waiting" in entry["state"] and "terminated" in (entry.get("lastState") or {})
    return int(entry["restartCount"]) - (1 if previous and not waits_after else 0)


def _why(entry: dict[str, Any]) -> str:
    reason = entry["state"].get("waiting", {}).get("reason", "ContainerCreating")
    if reason in {"ErrImagePull", "ImagePullBackOff"}:
        return "trying and failing to pull image"
    return str(reason)
