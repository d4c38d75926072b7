"""The daemon: one process with the front door (Resource Manager, control API, registry) and all clusters."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from aks_wasm import __version__
from aks_wasm.emulator.arm.app import ArmContext, arm_application
from aks_wasm.emulator.certificates import CertificateAuthority, write_private
from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.control import Controlled, control_application
from aks_wasm.emulator.faults import Faults
from aks_wasm.emulator.fleet import Fleet
from aks_wasm.emulator.identity import TokenAuthority
from aks_wasm.emulator.journal import Journal
from aks_wasm.emulator.layout import PRIVATE, Layout, unwritable
from aks_wasm.emulator.local import LocalClusters
from aks_wasm.emulator.node.images import RegistryTrust
from aks_wasm.emulator.registry import registry_application
from aks_wasm.emulator.repositories import Repositories
from aks_wasm.emulator.shutdown import end
from aks_wasm.emulator.state import Documents
from aks_wasm.errors import AksWasmError

ADDRESS = "127.0.0.1"
HOSTS = ["localhost", ADDRESS]
GRACE_SECONDS = 1.0  # what open requests get when the daemon ends; a watch would stay for ever

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DaemonOptions:
    """What a daemon is started with.

    Attributes:
        home: AKS_WASM_HOME.
        port: Of the front door; None for the one it had last time, else any free one.
        pace: The clock.
        service_age: Whether WASI node pools are still granted: `2022` or `today`.
    """

    home: Path
    port: int | None = None
    pace: Pace = field(default_factory=Pace)
    service_age: Literal["2022", "today"] = "today"


class Daemon:
    """The emulator, from the first port to the last; whoever starts it holds the daemon's lock."""

    def __init__(self, options: DaemonOptions) -> None:
        self._options = options
        self._layout = Layout.of(options.home)
        self._token = secrets.token_urlsafe(32)
        self._started = datetime.now(UTC)
        self._undo: list[Callable[[], Any]] = []
        self.stopped = asyncio.Event()
        self.journal = Journal()
        self.url = ""

    async def start(self) -> None:
        """Bring everything up as the state says; when this returns, it all answers.

        Raises:
            AksWasmError: The port is taken, or the home can't be written.
        """
        try:
            await self._start()
        except OSError as error:
            await self.stop()
            raise unwritable(self._layout.root, error) from error
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Take everything down, the last thing first; the state is kept."""
        for undo in reversed(self._undo):
            await undo()
        self._undo.clear()

    async def _start(self) -> None:
        self._layout.make()
        for folder in (self._layout.clusters, self._layout.incoming):
            folder.mkdir(exist_ok=True, mode=PRIVATE)
        documents = Documents(self._layout.state)
        self._undo.append(_later(documents.close))
        authority = CertificateAuthority.open(self._layout.root, "aks-wasm emulator")
        front_door = self._bind(documents)
        self._undo.append(_later(front_door.close))
        port = front_door.getsockname()[1]
        self.url = f"https://localhost:{port}"
        identities = TokenAuthority(documents)
        trust = RegistryTrust(ca_file=self._layout.certificate)
        self._fleet = Fleet(
            documents, self._options.pace, self._layout.clusters, identities.user_of, trust, self.journal
        )
        self._undo.append(self._fleet.close)
        app = self._application(documents, identities)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_SECONDS)
        self._undo.append(lambda: end(runner))
        await self._fleet.resume()
        await runner.setup()
        await web.SockSite(runner, front_door, ssl_context=authority.server_context(HOSTS)).start()
        documents.put("daemon", "port", {"port": port})
        write_private(self._layout.information, json.dumps(self.information).encode())
        self._undo.append(_later(lambda: self._layout.information.unlink(missing_ok=True)))
        log.info("answering at %s with %d clusters", self.url, len(self._fleet.keys()))

    @property
    def information(self) -> dict[str, Any]:
        """What daemon.json holds; the token opens the control API."""
        return {"pid": os.getpid(), "url": self.url, "token": self._token}

    def status(self) -> dict[str, Any]:
        """Return what runs, without secrets."""
        clusters = [(key, self._fleet.get(key)) for key in self._fleet.keys()]  # noqa: SIM118 - it is no mapping
        return {
            "pid": os.getpid(),
            "url": self.url,
            "version": __version__,
            "pace": self._options.pace.factor,
            "serviceAge": self._options.service_age,
            "startedAt": self._started.isoformat(timespec="seconds"),
            "clusters": [
                {"key": key, "url": cluster.url, "running": cluster.running} for key, cluster in clusters if cluster
            ],
        }

    def _application(self, documents: Documents, identities: TokenAuthority) -> web.Application:
        faults = Faults(documents)
        controlled = Controlled(
            token=self._token,
            clusters=LocalClusters(documents, self._fleet),
            fleet=self._fleet,
            faults=faults,
            identities=identities,
            journal=self.journal,
            status=self.status,
            stop=self.stopped.set,
            incoming=self._layout.incoming,
        )
        context = ArmContext(
            documents=documents,
            pace=self._options.pace,
            fleet=self._fleet,
            base_url=lambda: self.url,
            age=self._options.service_age,
            faults=faults,
            tokens=identities,
        )
        # Resource Manager has the root; its own middlewares have no say over what is mounted beside it.
        app = arm_application(context)
        app.middlewares[:] = [self.journal.middleware(_api_of), *map(_for_the_root, app.middlewares)]
        app.add_subapp("/_emulator", control_application(controlled))
        app.add_subapp("/v2", registry_application(Repositories(documents, self._layout.registry)))
        return app

    def _bind(self, documents: Documents) -> socket.socket:
        """Return the socket of the front door: the port asked for, the one of last time, or any free one."""
        if self._options.port is not None:
            return _listen(self._options.port)
        remembered = documents.get("daemon", "port")
        if remembered is not None:
            try:
                return _listen(remembered["port"])
            except AksWasmError as error:
                log.warning("%s; taking another", error)
        return _listen(0)


async def run(options: DaemonOptions, answering: Callable[[dict[str, Any]], None]) -> None:
    """Run a daemon until SIGTERM, SIGINT or a stop through the control API.

    Args:
        options: What to start.
        answering: Told what daemon.json holds once everything answers.
    """
    daemon = Daemon(options)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stopped.set)
    await daemon.start()
    try:
        answering(daemon.information)
        await daemon.stopped.wait()
    finally:
        log.info("stopping")
        await daemon.stop()
        log.info("stopped")


def _api_of(path: str) -> str | None:
    path = path.lower()
    if path.startswith("/_emulator"):
        return None
    if path.startswith("/v2/"):
        return "registry"
    return "arm" if path.startswith(("/subscriptions", "/providers", "/tenants")) else "identity"


def _for_the_root(middleware: Middleware) -> Middleware:
    @web.middleware
    async def chosen(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _api_of(request.path) in (None, "registry"):
            return await handler(request)
        return await middleware(request, handler)

    return chosen


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Connections of the daemon before us may linger on the port.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        raise AksWasmError(
            f"port {port} on {ADDRESS} is in use" if taken else f"port {port} can't be opened: {error.strerror}",
            code="PortInUse" if taken else "PortRefused",
            hint="choose another with `--port`, or leave it out to get a free one",
        ) from error
    return listener


def _later(action: Callable[[], None]) -> Callable[[], Any]:
    async def undo() -> None:
        action()

    return undo
