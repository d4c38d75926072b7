"""The application on a TLS socket in a thread of its own, with a fleet that lives in memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from aiohttp import web

from aks_wasm.emulator.arm.app import ArmContext, arm_application
from aks_wasm.emulator.arm.context import Age
from aks_wasm.emulator.certificates import CertificateAuthority
from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.faults import Faults
from aks_wasm.emulator.identity import TokenAuthority
from aks_wasm.emulator.node.profile import NodePoolProfile
from aks_wasm.emulator.state import Documents

T = TypeVar("T")
ANSWER_SECONDS = 20


class MemoryCluster:
    """A cluster that is its pools."""

    def __init__(self) -> None:
        self.pools: tuple[NodePoolProfile, ...] = ()
        self.running = True

    async def converge(self, pools: Sequence[NodePoolProfile]) -> None:
        self.pools = tuple(pools)

    def kubeconfig(self, *, name: str, user: str, kind: str, exec_config: dict[str, Any] | None = None) -> str:
        credentials = {"exec": exec_config} if kind == "exec" else {"token": "t"}
        return yaml.safe_dump({"current-context": name, "users": [{"name": user, "user": credentials}]})

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False


class MemoryFleet:
    """Clusters by key; `broken` makes the next one fail to come up."""

    def __init__(self) -> None:
        self.clusters: dict[str, MemoryCluster] = {}
        self.broken = False
        self.automatic: set[str] = set()

    async def create(self, key: str, *, kubernetes_version: str, automatic: bool = False) -> MemoryCluster:
        del kubernetes_version
        self.automatic |= {key} if automatic else set()
        if self.broken:
            raise OSError("no space left on device")
        return self.clusters.setdefault(key, MemoryCluster())

    def get(self, key: str) -> MemoryCluster | None:
        return self.clusters.get(key)

    async def delete(self, key: str) -> None:
        self.clusters.pop(key, None)


class ArmServer:
    """One emulated Azure; `stop` and `start` again keep state and fleet."""

    context: ArmContext
    url: str

    def __init__(self, home: Path, *, age: Age = "today", pace: float = 0.0) -> None:
        self._home, self._age, self._pace = home, age, Pace(pace)
        self.fleet = MemoryFleet()
        self.limits: dict[str, int] = {}
        self._port = 0

    @property
    def ca_file(self) -> Path:
        return self._home / "ca.pem"

    def start(self) -> None:
        answering = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live(answering)), name="arm")
        self._thread.start()
        assert answering.wait(ANSWER_SECONDS)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(ANSWER_SECONDS)
        assert not self._thread.is_alive()

    def restart(self) -> None:
        """Stop and start again: the fleet's clusters and the state are as they were."""
        self.stop()
        self.start()

    def do(self, work: Callable[[], T]) -> T:
        """Call something where the server lives."""

        async def done() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(ANSWER_SECONDS)

    async def _live(self, answering: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        documents = Documents(self._home / "state.db")
        tls = CertificateAuthority.open(self._home, "test").server_context(["localhost", "127.0.0.1"])
        self.context = ArmContext(
            documents=documents,
            pace=self._pace,
            fleet=self.fleet,
            base_url=lambda: self.url,
            age=self._age,
            faults=Faults(documents),
            tokens=TokenAuthority(documents),
            limits=self.limits,
        )
        runner = web.AppRunner(arm_application(self.context), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port, ssl_context=tls, reuse_address=True)
        await site.start()
        self._port = runner.addresses[0][1]
        self.url = f"https://localhost:{self._port}"
        answering.set()
        await self._stopped.wait()
        await _end(runner)
        documents.close()


async def _end(runner: web.AppRunner) -> None:
    """Take the server down, connections included: a client that keeps one open never answers TLS's goodbye."""
    assert runner.server is not None
    transports = [connection.transport for connection in runner.server.connections]
    await runner.cleanup()
    for transport in transports:
        if transport is not None:
            transport.abort()
    await asyncio.sleep(0)
