"""One pod on its node, from being seen there until it has ended or is deleted: the kubelet's pod worker."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from aks_wasm.emulator.node.container_worker import ContainerWorker, PodScene
from aks_wasm.emulator.node.installer import Installer, is_installer
from aks_wasm.emulator.node.node_context import NodeContext
from aks_wasm.emulator.node.pod_status import (
    RESTARTABLE_INIT,
    Pod,
    begin,
    entry_of,
    is_finished,
    set_terminated,
    set_waiting,
)
from aks_wasm.emulator.node.sandbox import NodeGone, host_ip, make_sandbox, set_up_volumes

log = logging.getLogger(__name__)
_LOST = 255  # exit code of a container whose end nobody saw, as after a reboot
_DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


class PodWorker:
    """Runs one pod."""

    def __init__(self, context: NodeContext, pod: Pod) -> None:
        self._context = context
        self._pod = pod
        self._scene: PodScene | None = None
        self._containers: dict[ContainerWorker, asyncio.Task[int]] = {}
        self._deleted = asyncio.Event()
        self._grace = 30.0

    def delete(self, grace_seconds: float) -> None:
        """Ask for the pod's graceful end; a second call can only shorten the grace."""
        self._grace = grace_seconds
        self._deleted.set()

    async def run(self) -> None:
        """Run the pod; when cancelled, its containers are killed and its status stays as it was."""
        living = asyncio.create_task(self._live())
        deleted = asyncio.create_task(self._deleted.wait())
        try:
            await asyncio.wait({living, deleted}, return_when=asyncio.FIRST_COMPLETED)
            if self._deleted.is_set():
                await self._stop_containers(self._grace)
                living.cancel()
                await asyncio.gather(living, return_exceptions=True)
                meta = self._pod["metadata"]
                self._context.store.delete("pods", meta["name"], meta["namespace"], grace_seconds=0)
            else:
                living.result()
        finally:
            for task in (living, deleted):
                task.cancel()
            await asyncio.gather(living, deleted, return_exceptions=True)

    async def _live(self) -> None:
        node = self._context.store.peek("nodes", self._pod["spec"]["nodeName"]) or {}
        self._context.store.mutate(
            "pods", self._name, self._namespace, lambda stored: _take_over(stored, host_ip(node))
        )
        current = self._context.store.get("pods", self._name, self._namespace)
        if current is None or is_finished(current):
            return
        self._pod = current
        try:
            if is_installer(current):
                await Installer(self._context, current).run()
            async with asyncio.timeout(self._seconds_left()):
                await self._run_containers()
        except TimeoutError:
            await self._exceed_deadline()
        except NodeGone:
            log.info("node of pod %s/%s is gone", self._namespace, self._name)

    async def _run_containers(self) -> None:
        await set_up_volumes(self._context, self._pod)
        self._scene = await make_sandbox(self._context, self._pod)
        policy = self._pod["spec"].get("restartPolicy", "Always")
        try:
            for spec in self._pod["spec"].get("initContainers") or ():
                if not await self._initialize(spec, policy):
                    return
            workers = [self._begin(spec, policy) for spec in self._pod["spec"]["containers"] if self._wanted(spec)]
            await asyncio.gather(*workers)
            await self._stop_sidecars()
        finally:
            for task in self._containers.values():
                task.cancel()
            await asyncio.gather(*self._containers.values(), return_exceptions=True)

    async def _initialize(self, spec: dict[str, Any], policy: str) -> bool:
        """Run one init container to its end, or a sidecar until it is up; False = the pod has failed."""
        if spec.get("restartPolicy") == RESTARTABLE_INIT:
            self._begin(spec, RESTARTABLE_INIT)
            worker = next(reversed(self._containers))
            await worker.up.wait()
            return True
        if not self._wanted(spec):
            return True
        return await self._begin(spec, "Never" if policy == "Never" else "OnFailure") == 0

    def _begin(self, spec: dict[str, Any], policy: str) -> asyncio.Task[int]:
        assert self._scene is not None  # noqa: S101 - the sandbox comes first
        worker = ContainerWorker(self._scene, spec, policy)
        task = asyncio.create_task(worker.run())
        self._containers[worker] = task
        return task

    def _wanted(self, spec: dict[str, Any]) -> bool:
        """Tell whether a container has still to run; what ended before the emulator was restarted has not."""
        entry = entry_of(self._pod, spec["name"]) or {"state": {}}
        ended = entry["state"].get("terminated")
        if ended is None:
            return True
        policy = self._pod["spec"].get("restartPolicy", "Always")
        is_init = spec in (self._pod["spec"].get("initContainers") or ())
        return bool(policy != "Never" and (ended["exitCode"] != 0 or (policy == "Always" and not is_init)))

    async def _stop_sidecars(self) -> None:
        sidecars = [worker for worker in self._containers if worker.spec.get("restartPolicy") == RESTARTABLE_INIT]
        if sidecars and self._scene is not None:
            self._scene.terminating = True
            grace = float(self._pod["spec"].get("terminationGracePeriodSeconds", 30))
            await asyncio.gather(*(self._stop(worker, grace) for worker in sidecars))

    async def _stop_containers(self, grace_seconds: float) -> None:
        if self._scene is not None:
            self._scene.terminating = True
        await asyncio.gather(*(self._stop(worker, grace_seconds) for worker in list(self._containers)))

    async def _stop(self, worker: ContainerWorker, grace_seconds: float) -> None:
        task = self._containers[worker]
        if worker.process is not None and not worker.process.ended.done():
            await worker.stop(grace_seconds)
            await asyncio.wait([task])  # it writes how the container ended
        else:
            task.cancel()

    def _seconds_left(self) -> float | None:
        """Seconds until activeDeadlineSeconds are over, in real time: they bound the work of a real module."""
        deadline = self._pod["spec"].get("activeDeadlineSeconds")
        if deadline is None:
            return None
        began = datetime.fromisoformat(self._pod["status"]["startTime"])
        return max(0.0, float(deadline) - (datetime.now(UTC) - began).total_seconds())

    async def _exceed_deadline(self) -> None:
        self._context.event(self._pod, "DeadlineExceeded", _DEADLINE_MESSAGE)

        def failed(stored: Pod) -> None:
            stored["status"] |= {"phase": "Failed", "reason": "DeadlineExceeded", "message": _DEADLINE_MESSAGE}
            for entry in stored["status"].get("containerStatuses") or ():
                if "terminated" not in entry["state"]:
                    set_terminated(entry, 137, "Error")

        self._context.update(self._pod, failed)

    @property
    def _name(self) -> str:
        return str(self._pod["metadata"]["name"])

    @property
    def _namespace(self) -> str:
        return str(self._pod["metadata"]["namespace"])


def _take_over(pod: Pod, address: str) -> None:
    """Write the first status, or mark what ran in an earlier life of the emulator as lost."""
    policy = pod["spec"].get("restartPolicy", "Always")
    status = pod.setdefault("status", {})
    for entry in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        if "running" in entry["state"]:
            set_terminated(entry, _LOST, "Unknown")
            if policy != "Never":
                set_waiting(entry, "ContainerCreating")
    begin(pod, address)
