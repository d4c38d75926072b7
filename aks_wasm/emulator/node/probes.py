"""Startup, liveness and readiness probes; their periods pass at the emulator's pace, their time-outs do not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aks_wasm.emulator.node.process import ContainerProcess

if TYPE_CHECKING:
    from aks_wasm.emulator.node.container_worker import PodScene

_LEAST_PERIOD = 0.1  # seconds of wall time
_EXEC_REFUSED = (
    'rpc error: code = Unknown desc = failed to exec in container: failed to create exec "{id}": '
    "/containerd.task.v2.Task/Exec is not supported"
)
OnFailure = Callable[[str], Awaitable[None]]


class ProbeFailed(Exception):
    """A probe did not succeed; the message is the kubelet's."""


@dataclass
class _Probe:
    kind: str
    spec: dict[str, Any]
    scene: PodScene
    container: dict[str, Any]

    async def run_until(self, turn: Callable[[bool], Awaitable[bool]]) -> None:
        """Probe each period; `turn` hears when the threshold for success or failure is reached, and may end it."""
        wait = self.scene.context.pace.scaled
        await asyncio.sleep(wait(float(self.spec.get("initialDelaySeconds") or 0)))
        good = bad = 0
        while True:
            try:
                await self._once()
                good, bad = good + 1, 0
            except ProbeFailed as error:
                good, bad = 0, bad + 1
                message = f"{self.kind.capitalize()} probe failed: {error}"
                context, name = self.scene.context, self.container["name"]
                context.event(self.scene.pod, "Unhealthy", message, container=name, warning=True)
            if good >= int(self.spec.get("successThreshold") or 1) and await turn(True):  # noqa: FBT003
                return
            if bad >= int(self.spec.get("failureThreshold") or 3) and await turn(False):  # noqa: FBT003
                return
            await asyncio.sleep(max(_LEAST_PERIOD, wait(float(self.spec.get("periodSeconds") or 10))))

    async def _once(self) -> None:
        timeout = float(self.spec.get("timeoutSeconds") or 1)
        if "httpGet" in self.spec:
            await _http_get(self.scene, self.container, self.spec["httpGet"], timeout)
        elif "tcpSocket" in self.spec:
            port = _port(self.container, self.spec["tcpSocket"].get("port"))
            _, writer = await _connect(self.scene, port, timeout)
            await _close(writer)
        elif "exec" in self.spec:
            raise ProbeFailed(_EXEC_REFUSED.format(id=self.scene.uid))
        else:
            raise ProbeFailed("this kind of probe is not emulated")


async def run_probes(
    scene: PodScene, container: dict[str, Any], process: ContainerProcess, on_failure: OnFailure
) -> None:
    """Probe a container until it ends; `on_failure` is called when it has to be restarted."""
    name = container["name"]

    async def started(ok: bool) -> bool:  # noqa: FBT001 - a callback
        if ok:
            scene.context.update_container(scene.pod, name, lambda entry: entry.update(started=True))
        else:
            await on_failure("startup")
        return True

    if container.get("startupProbe"):
        await _Probe("startup", container["startupProbe"], scene, container).run_until(started)
    if process.ended.done():
        return

    async def alive(ok: bool) -> bool:  # noqa: FBT001 - a callback
        if not ok:
            await on_failure("liveness")
        return not ok

    async def ready(ok: bool) -> bool:  # noqa: FBT001 - a callback
        scene.context.update_container(scene.pod, name, lambda entry: entry.update(ready=ok))
        return False

    if not container.get("readinessProbe"):
        await ready(ok=True)
    running = [
        _Probe(kind, container[f"{kind}Probe"], scene, container).run_until(turn)
        for kind, turn in (("liveness", alive), ("readiness", ready))
        if container.get(f"{kind}Probe")
    ]
    await asyncio.gather(*running)


async def _http_get(scene: PodScene, container: dict[str, Any], action: dict[str, Any], seconds: float) -> None:
    port = _port(container, action.get("port"))
    path = "/" + (action.get("path") or "/").removeprefix("/")
    scheme = (action.get("scheme") or "HTTP").lower()
    url = f"{scheme}://{action.get('host') or scene.ip}:{port}{path}"
    headers = {"Host": f"{scene.ip}:{port}", "User-Agent": "kube-probe/1.35", "Accept": "*/*", "Connection": "close"}
    headers |= {entry["name"]: entry["value"] for entry in action.get("httpHeaders") or ()}
    lines = [f"GET {path} HTTP/1.1", *(f"{key}: {value}" for key, value in headers.items()), "", ""]
    try:
        reader, writer = await _connect(scene, port, seconds)
        try:
            writer.write("\r\n".join(lines).encode())
            async with asyncio.timeout(seconds):
                status = await reader.readline()
        finally:
            await _close(writer)
    except ProbeFailed as error:
        raise ProbeFailed(f'Get "{url}": {error}') from error
    except TimeoutError as error:
        late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        raise ProbeFailed(f'Get "{url}": {late}') from error
    except OSError as error:
        raise ProbeFailed(f'Get "{url}": EOF') from error
    words = status.split()
    if len(words) < 2 or not words[1].isdigit():
        raise ProbeFailed(f'Get "{url}": EOF')
    if not 200 <= int(words[1]) < 400:
        raise ProbeFailed(f"HTTP probe failed with statuscode: {int(words[1])}")


async def _connect(scene: PodScene, port: int, seconds: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    place = scene.context.network.find(scene.ip, port)
    if place is not None:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(seconds):
                return await asyncio.open_connection(*place)
    raise ProbeFailed(f"dial tcp {scene.ip}:{port}: connect: connection refused")


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _port(container: dict[str, Any], port: Any) -> int:
    for entry in container.get("ports") or ():
        if entry.get("name") == port:
            return int(entry["containerPort"])
    if str(port).isdigit():
        return int(port)
    raise ProbeFailed(f"couldn't find port: {port}")
