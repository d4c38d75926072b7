"""Our shim installer's pods: the one kind of ordinary container that a node takes, for what it does to it.

The real script can't run here; the node does to itself what the script would do, as slowly, from the same files, taking
turns by the same leases, and says the same. As real files do, the handlers outlive the pod; they go when the node is
replaced.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from aks_wasm.emulator.node.crash_loop import back_off, restart_delay
from aks_wasm.emulator.node.logs import ContainerLog, tail_text
from aks_wasm.emulator.node.node_context import NodeContext
from aks_wasm.emulator.node.node_report import is_as_wanted, is_probe, label_node, report
from aks_wasm.emulator.node.pod_status import Pod, set_running, set_terminated
from aks_wasm.emulator.node.runtimes import installed_runtimes, remember_runtimes
from aks_wasm.emulator.node.sandbox import make_sandbox, set_up_volumes
from aks_wasm.emulator.node.shim_list import LIST, InstallRefused, Told, read_folder
from aks_wasm.emulator.node.turns import turn
from aks_wasm.errors import AksWasmError

LABEL = ("app.kubernetes.io/component", "shim-installer")
FAULT_LABEL = "emulator.aks-wasm.dev/shim-fault"
"""Node label, so that a pool can give it to its nodes: the code that installing ends with there."""

FETCH_SECONDS = 15.0  # download, check, copy: recorded on AKS-like nodes; nodes do it side by side
RESTART_SECONDS = 5.0  # of containerd, until it answers: by turns
LOOK_SECONDS = 30.0
_MESSAGE_LINES, _MESSAGE_BYTES = 80, 2048  # of FallbackToLogsOnError


def is_installer(pod: Mapping[str, Any]) -> bool:
    """Tell whether the pod is one of the installer's."""
    key, value = LABEL
    return (pod["metadata"].get("labels") or {}).get(key) == value


class Installer:
    """Plays one installer pod on its node until it is cancelled."""

    def __init__(self, context: NodeContext, pod: Pod) -> None:
        """Prepare; `run` does everything.

        Args:
            context: The node's.
            pod: With one init container that installs and one container that keeps.
        """
        self._context = context
        self._pod = pod
        self._node = str(pod["spec"]["nodeName"])
        self._worker = str(pod["spec"]["initContainers"][0]["name"])
        self._keeper = str(pod["spec"]["containers"][0]["name"])
        self._told: Told | None = None
        self._error: str | None = None
        self._line = ""

    async def run(self) -> None:
        """Install, then look after the node; a refusal ends the container and is tried again with back-off."""
        await set_up_volumes(self._context, self._pod, leave_out="hostPath")
        await make_sandbox(self._context, self._pod)
        attempt = 0
        while not await self._work(attempt):
            if delay := restart_delay(attempt):
                await back_off(self._context, self._pod, self._worker, delay)
            attempt += 1
            self._update(self._worker, lambda entry: entry.update(restartCount=entry["restartCount"] + 1))
        self._start(self._keeper)
        log = self._log(self._keeper, 0)
        try:
            await self._keep(log)
        finally:
            log.close()

    async def _work(self, attempt: int) -> bool:
        self._start(self._worker)
        log = self._log(self._worker, attempt)
        try:
            await self._install(log)
        except InstallRefused as error:
            log.write("stderr", f"aks-wasm: error: {error.code}: {error.words}".encode())
            said = tail_text(log.path, lines=_MESSAGE_LINES, size=_MESSAGE_BYTES)
            self._update(self._worker, lambda entry: set_terminated(entry, 1, "Error", said))
            return False
        finally:
            log.close()
        self._update(self._worker, lambda entry: set_terminated(entry, 0, "Completed"))
        return True

    async def _install(self, log: ContainerLog) -> None:
        """Converge the node to the list.

        Raises:
            InstallRefused: The node stays as it was.
        """
        node = self._peek()
        told = self._told = read_folder(self._folder(), _label(node, "kubernetes.io/arch"))
        self._import(told)
        if is_as_wanted(node, told):
            log.write("stderr", b"aks-wasm: the node is as it should be")
            return
        if told.runtimes.items() - installed_runtimes(node).items():
            for shim in told.shims:
                log.write("stderr", f"aks-wasm: fetching {shim.name} {shim.version} from {shim.location}".encode())
            await self._context.pace.spend(FETCH_SECONDS)
        if code := _label(node, FAULT_LABEL):
            raise InstallRefused(code, f"the label {FAULT_LABEL} of this node says so")
        async with turn(self._context, self._node, turns=told.turns, namespace=told.namespace):
            log.write("stderr", b"aks-wasm: restarting containerd")
            await self._context.pace.spend(RESTART_SECONDS)
            self._change_node(lambda stored: remember_runtimes(stored, told.runtimes))
        log.write("stderr", f"aks-wasm: ready: {' '.join(told.runtimes)}".encode())

    def _import(self, told: Told) -> None:
        for archive in told.probes:
            try:
                self._context.images.load(archive)
            except AksWasmError as error:
                raise InstallRefused("Unsupported", f"{archive.name} can't be imported: {error.message}") from error

    async def _keep(self, log: ContainerLog) -> None:
        """Every 30 s: mend what is not as wanted. At once: what the probes say becomes the node's labels."""
        changes = self._context.store.subscribe("pods")
        try:
            while True:
                self._say(log)
                await self._labels_until_next_look(changes)
                if not is_as_wanted(self._peek(), self._told):
                    self._say(log)
                    await self._mend(log)
        finally:
            changes.close()

    async def _mend(self, log: ContainerLog) -> None:
        try:
            await self._install(log)
            self._error = None
        except InstallRefused as error:
            self._error = str(error)
            log.write("stderr", f"aks-wasm: error: {error.code}: {error.words}".encode())

    async def _labels_until_next_look(self, changes: Any) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + max(self._context.pace.scaled(LOOK_SECONDS), LOOK_SECONDS / 100)
        while True:
            self._label()
            try:
                async with asyncio.timeout_at(end):
                    async for _, _, pod in changes:
                        if pod["spec"].get("nodeName") == self._node and is_probe(pod):
                            break
            except TimeoutError:
                return

    def _label(self) -> None:
        told = self._told
        if told is not None:
            pods = [pod for pod in self._context.store.view("pods") if pod["spec"].get("nodeName") == self._node]
            self._change_node(lambda node: label_node(node, told, pods))

    def _say(self, log: ContainerLog) -> None:
        node = self._peek()
        line = report(node, self._told, self._error)
        if line != self._line:
            self._line = line
            log.write("stdout", line.encode())
        healthy = self._error is None and is_as_wanted(node, self._told)
        self._update(self._keeper, lambda entry: entry.update(ready=healthy))

    def _folder(self) -> Any:
        volumes = self._context.pod_folder(self._pod["metadata"]["uid"]) / "volumes"
        found = next((path.parent for path in volumes.glob(f"*/{LIST}")), None)
        if found is None:
            raise InstallRefused("NotFound", f"{LIST} did not come with the pod")
        return found

    def _peek(self) -> Mapping[str, Any]:
        gone: dict[str, Any] = {
            "metadata": {"name": self._node},
            "status": {"nodeInfo": {"containerRuntimeVersion": ""}},
        }
        return self._context.store.peek("nodes", self._node) or gone

    def _change_node(self, change: Callable[[dict[str, Any]], None]) -> None:
        self._context.store.mutate("nodes", self._node, None, change)

    def _start(self, name: str) -> None:
        spec = next(
            entry
            for entry in [*self._pod["spec"]["initContainers"], *self._pod["spec"]["containers"]]
            if entry["name"] == name
        )
        present = f'Container image "{spec.get("image", "")}" already present on machine'
        for reason, message in (
            ("Pulled", present),
            ("Created", f"Created container: {name}"),
            ("Started", f"Started container {name}"),
        ):
            self._context.event(self._pod, reason, message, container=name)

        def running(entry: dict[str, Any]) -> None:
            set_running(entry, f"containerd://{secrets.token_hex(32)}")
            entry["started"] = True

        self._update(name, running)

    def _log(self, name: str, attempt: int) -> ContainerLog:
        uid = self._pod["metadata"]["uid"]
        log = ContainerLog(self._context.log_file(uid, name, attempt))
        self._context.logs[uid, name] = log
        return log

    def _update(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        self._context.update_container(self._pod, name, change)


def _label(node: Mapping[str, Any], key: str) -> str:
    return str((node["metadata"].get("labels") or {}).get(key, ""))
