"""One container of a pod: image, configuration, process, probes, restarts."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aks_wasm.emulator.node.container_spec import StartFailed, container_config, resource_limit
from aks_wasm.emulator.node.crash_loop import RESET_AFTER, back_off, restart_delay
from aks_wasm.emulator.node.environment import ConfigError
from aks_wasm.emulator.node.images import Image
from aks_wasm.emulator.node.logs import ContainerLog, tail_text
from aks_wasm.emulator.node.network import Place
from aks_wasm.emulator.node.node_context import NodeContext
from aks_wasm.emulator.node.pod_status import Pod, entry_of, set_running, set_terminated, set_waiting
from aks_wasm.emulator.node.probes import run_probes
from aks_wasm.emulator.node.process import ContainerProcess
from aks_wasm.emulator.node.pull_policy import obtain_image
from aks_wasm.emulator.node.runtimes import Runtime
from aks_wasm.emulator.node.throttle import throttle

_CREATE_SECONDS = 0.3  # recorded between Pulled and Started
_CONFIG_RETRY = 10.0
_MESSAGE_LINES, _MESSAGE_BYTES = 80, 2048  # of FallbackToLogsOnError
_START_FAILED = 128  # exit code the kubelet shows for StartError


@dataclass
class PodScene:
    """What the containers of a pod share.

    Attributes:
        context: The node's.
        pod: The pod as it was when its sandbox was made; metadata and spec are used.
        runtime: What its RuntimeClass stands for.
        platform: `linux/<arch>` of the node.
        ip: Its address.
        terminating: Whether the pod is on its way out, so that nothing is started again.
    """

    context: NodeContext
    pod: Pod
    runtime: Runtime
    platform: str
    ip: str
    terminating: bool = False

    @property
    def uid(self) -> str:
        """The pod's."""
        return str(self.pod["metadata"]["uid"])


class ContainerWorker:
    """Keeps one container as its restart policy wants it."""

    def __init__(self, scene: PodScene, spec: dict[str, Any], policy: str) -> None:
        """Prepare the container.

        Args:
            scene: What it shares with the pod's other containers.
            spec: Its part of the pod's spec.
            policy: `Always`, `OnFailure` or `Never`; sidecars have a policy of their own.
        """
        self.spec = spec
        self.process: ContainerProcess | None = None
        self.up = asyncio.Event()
        self._scene = scene
        self._context = scene.context
        self._policy = policy
        self._ports: list[Place] = []
        self._number = 0
        self._stop_grace: float = float(scene.pod["spec"].get("terminationGracePeriodSeconds", 30))

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.spec["name"])

    async def run(self) -> int:
        """Run the container, again and again where the policy says so; return the last exit code."""
        failures = 0
        self._number = _next_number(entry_of(self._current(), self.name) or {})
        while True:
            begin = time.monotonic()
            code = await self._attempt()
            if self._scene.terminating or self._policy == "Never" or (self._policy == "OnFailure" and code == 0):
                return code
            if time.monotonic() - begin > self._context.pace.scaled(RESET_AFTER) > 0:
                failures = 0
            if delay := restart_delay(failures):
                await back_off(self._context, self._scene.pod, self.name, delay)
            failures += 1
            self._number += 1

    async def stop(self, grace_seconds: float) -> None:
        """End the process if there is one: SIGTERM, then SIGKILL."""
        if self.process is not None and not self.process.ended.done():
            self._event("Killing", f"Stopping container {self.name}")
            await self.process.stop(self._context.pace.scaled(grace_seconds))

    async def _attempt(self) -> int:
        image = await obtain_image(self._context, self._scene.pod, self.spec, self._scene.platform)
        self._update(lambda entry: entry.update(image=image.name, imageID=image.image_id))
        try:
            process, log = await self._start(image)
        except StartFailed as error:
            return await self._start_failed(error)
        self.process = process
        try:
            code = await self._supervised(process)
        finally:
            self.up.clear()
            if not process.ended.done():
                await process.kill()
        self._ended(code, log)
        return code

    async def _start(self, image: Image) -> tuple[ContainerProcess, ContainerLog]:
        folder = self._context.pod_folder(self._scene.uid) / "containers" / self.name
        while True:
            try:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                config = container_config(self._scene, self.spec, image, folder)
                break
            except ConfigError as error:
                await self._refused("CreateContainerConfigError", str(error))
        self._event("Created", f"Created container: {self.name}")
        await self._context.pace.spend(_CREATE_SECONDS)
        log = self._open_log()
        starting = asyncio.create_task(ContainerProcess.start(config, folder, log, self._listens))
        try:
            return await asyncio.shield(starting), log
        except asyncio.CancelledError:
            # Half a start can't be taken back; the whole one can be killed, which also closes the log.
            await (await starting).kill()
            raise
        except OSError as error:
            log.close()
            raise StartFailed("RunContainerError", f"failed to create containerd task: {error}") from error

    def _listens(self, port: int, local_port: int) -> None:
        self._ports.append((self._scene.ip, port))
        self._context.network.listen(self._scene.ip, port, local_port)

    def _open_log(self) -> ContainerLog:
        self._context.log_file(self._scene.uid, self.name, self._number - 2).unlink(missing_ok=True)
        log = ContainerLog(self._context.log_file(self._scene.uid, self.name, self._number))
        self._context.logs[self._scene.uid, self.name] = log
        return log

    async def _supervised(self, process: ContainerProcess) -> int:
        await asyncio.wait([process.started])
        container_id = f"containerd://{secrets.token_hex(32)}"
        probed = {name for name in ("startupProbe", "readinessProbe") if self.spec.get(name)}
        self._event("Started", f"Started container {self.name}")

        def running(entry: dict[str, Any]) -> None:
            set_running(entry, container_id)
            entry["restartCount"] = self._number
            entry["started"] = "startupProbe" not in probed
            entry["ready"] = not probed

        self._update(running)
        self.up.set()
        helpers = [asyncio.create_task(run_probes(self._scene, self.spec, process, self._fail_liveness))]
        if cpus := resource_limit(self.spec, "cpu"):
            helpers.append(asyncio.create_task(throttle(process, float(cpus))))
        try:
            return await asyncio.shield(process.ended)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _fail_liveness(self, kind: str) -> None:
        """Restart the container because its liveness or startup probe failed too often."""
        if self.process is not None:
            self._event("Killing", f"Container {self.name} failed {kind} probe, will be restarted")
            await self.process.stop(self._context.pace.scaled(self._stop_grace))

    def _ended(self, code: int, log: ContainerLog) -> None:
        self._context.network.silence(self._ports)
        message = ""
        if code and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            message = tail_text(log.path, lines=_MESSAGE_LINES, size=_MESSAGE_BYTES)
        reason = "Completed" if code == 0 else "Error"
        self._update_ended(code, reason, message)

    def _update_ended(self, code: int, reason: str, message: str = "") -> None:
        def ended(entry: dict[str, Any]) -> None:
            entry["restartCount"] = self._number
            set_terminated(entry, code, reason, message)

        self._update(ended)

    async def _start_failed(self, error: StartFailed) -> int:
        if error.log_line:
            log = self._open_log()
            log.write("stderr", error.log_line.encode())
            log.close()
            self._event("Created", f"Created container: {self.name}")
            self._event("Started", f"Started container {self.name}")
            self._update_ended(error.code, "Error")
            return error.code
        if error.reason != "RunContainerError":
            while not self._scene.terminating:
                await self._refused(error.reason, str(error))
        self._event("Failed", f"Error: {error}", warning=True)
        self._update(lambda entry: set_waiting(entry, "RunContainerError", str(error)))
        await self._context.back_off(1)
        self._update_ended(_START_FAILED, "StartError", str(error))
        return _START_FAILED

    async def _refused(self, reason: str, message: str) -> None:
        self._event("Failed", f"Error: {message}", warning=True)
        self._update(lambda entry: set_waiting(entry, reason, message))
        await self._context.back_off(_CONFIG_RETRY)

    def _current(self) -> Pod:
        meta = self._scene.pod["metadata"]
        return self._context.store.peek("pods", meta["name"], meta["namespace"]) or self._scene.pod

    def _update(self, change: Callable[[dict[str, Any]], None]) -> None:
        self._context.update_container(self._scene.pod, self.name, change)

    def _event(self, reason: str, message: str, *, warning: bool = False) -> None:
        self._context.event(self._scene.pod, reason, message, container=self.name, warning=warning)


def _next_number(entry: dict[str, Any]) -> int:
    """Which attempt comes next: the first, or one more than what an earlier life of the emulator has seen."""
    state = entry.get("state") or {}
    seen = "terminated" in state or "terminated" in (entry.get("lastState") or {})
    return int(entry.get("restartCount", 0)) + (1 if seen else 0)
