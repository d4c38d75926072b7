"""Our shim installer's DaemonSet pods: the one kind of ordinary container that a node takes, for what it does to it.

The real installer's script can't run here; the node does to itself what the script would do, and as slowly. It
refuses what the script refuses. As real files do, the handlers outlive the pod; they go when the node is replaced.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any

from aks_wasm.emulator.node.crash_loop import back_off, restart_delay
from aks_wasm.emulator.node.logs import ContainerLog
from aks_wasm.emulator.node.node_context import NodeContext
from aks_wasm.emulator.node.pod_status import Pod, set_running, set_terminated
from aks_wasm.emulator.node.runtimes import Runtime, installed_runtimes, remember_runtimes, runtime_from_type

LABEL = ("app.kubernetes.io/component", "shim-installer")
ANNOTATION = "aks-wasm.dev/shims"
INSTALL_SECONDS = 20.0  # download, check, copy, restart of containerd: recorded on AKS-like nodes
_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_ARCHES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class InstallRefused(Exception):
    """The installer ends with an error; the message is its last log line."""


def is_installer(pod: Mapping[str, Any]) -> bool:
    """Tell whether the pod is one of the installer's."""
    metadata = pod["metadata"]
    key, value = LABEL
    return (metadata.get("labels") or {}).get(key) == value and ANNOTATION in (metadata.get("annotations") or {})


def wanted_runtimes(text: str, arch: str) -> dict[str, Runtime]:
    """Return what the annotation asks a node of that architecture to have, by handler.

    Args:
        text: JSON list of {name, version, handler, runtimeType, platforms: [{os, arch, location, sha256}]}.
        arch: `amd64` or `arm64`.

    Raises:
        InstallRefused: It is no such list, no platform fits, or a checksum is missing or malformed.
    """
    try:
        shims = json.loads(text)
        found = [_checked(shim, arch) for shim in shims]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InstallRefused(f"{ANNOTATION} can't be read: {error}") from error
    return {runtime.handler: runtime for runtime in found}


def _checked(shim: Mapping[str, Any], arch: str) -> Runtime:
    title = f"{shim['name']} {shim.get('version', '')}".strip()
    offered = [(entry.get("os", "linux"), _ARCHES.get(entry["arch"], entry["arch"])) for entry in shim["platforms"]]
    if ("linux", arch) not in offered:
        have = ", ".join("/".join(platform) for platform in offered) or "none"
        raise InstallRefused(f"{title}: no platform for linux/{arch}, there is {have}")
    chosen = shim["platforms"][offered.index(("linux", arch))]
    if not chosen.get("location"):
        raise InstallRefused(f"{title}: no location for linux/{arch}")
    if not _SHA256.match(str(chosen.get("sha256") or "")):
        raise InstallRefused(f"{title}: no valid sha256 for {chosen['location']}, nothing is installed unchecked")
    version = str(shim.get("version") or "")
    version = f"v{version}" if version[:1].isdigit() else version
    runtime = runtime_from_type(shim["handler"], str(shim["runtimeType"]), version=version)
    return Runtime(runtime.handler, runtime.shim, runtime.version or version)


class Installer:
    """Plays one installer pod on its node until it is cancelled."""

    def __init__(self, context: NodeContext, pod: Pod) -> None:
        self._context = context
        self._pod = pod
        inits = pod["spec"].get("initContainers") or []
        self._main = pod["spec"]["containers"][0]["name"]
        self._working = inits[0]["name"] if inits else self._main
        self._others = [spec["name"] for spec in inits[1:]]
        self._more = [spec["name"] for spec in pod["spec"]["containers"][1:]]

    async def run(self) -> None:
        """Install, then stay Running; a refusal ends the container and is tried again with back-off."""
        attempt = 0
        while not await self._install(attempt):
            if delay := restart_delay(attempt):
                await back_off(self._context, self._pod, self._working, delay)
            attempt += 1
            self._update(self._working, lambda entry: entry.update(restartCount=entry["restartCount"] + 1))
        for name in self._others:
            self._update(name, lambda entry: set_terminated(entry, 0, "Completed"))
        for name in (self._main, *self._more):
            self._start(name)
            self._update(name, lambda entry: entry.update(ready=True))
        log = self._log(self._main, attempt if self._main == self._working else 0)
        log.write("stdout", b"the handlers are configured; waiting")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            log.close()

    async def _install(self, attempt: int) -> bool:
        self._start(self._working)
        log = self._log(self._working, attempt)
        try:
            node = self._context.store.peek("nodes", self._pod["spec"]["nodeName"]) or {"metadata": {}}
            arch = (node["metadata"].get("labels") or {}).get("kubernetes.io/arch", "")
            wanted = wanted_runtimes(self._pod["metadata"]["annotations"][ANNOTATION], arch)
            if not wanted.items() <= installed_runtimes(node).items():
                await self._context.pace.spend(INSTALL_SECONDS)
            for runtime in wanted.values():
                line = f"installed {runtime.shim} {runtime.version} for linux/{arch} as handler {runtime.handler}"
                log.write("stdout", line.encode())
            self._context.store.mutate(
                "nodes", self._pod["spec"]["nodeName"], None, lambda stored: remember_runtimes(stored, wanted)
            )
        except InstallRefused as error:
            log.write("stderr", f"error: {error}".encode())
            self._update(self._working, lambda entry: set_terminated(entry, 1, "Error"))
            return False
        finally:
            log.close()
        if self._working != self._main:
            self._update(self._working, lambda entry: set_terminated(entry, 0, "Completed"))
        return True

    def _start(self, name: str) -> None:
        spec = next(
            entry
            for entry in [*(self._pod["spec"].get("initContainers") or ()), *self._pod["spec"]["containers"]]
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

    def _update(self, name: str, change: Any) -> None:
        self._context.update_container(self._pod, name, change)
