"""A real API server of the emulator on a socket, without controllers: tests say what the cluster's state is."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml

from aks_wasm.emulator.certificates import CertificateAuthority
from aks_wasm.emulator.cluster.logs import LogQuery
from aks_wasm.emulator.cluster.server import ApiServer
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.state import Documents
from aks_wasm.kube.client import KubeClient
from tests.threaded_server import SECONDS, ThreadedServer

T = TypeVar("T")


class Logs:
    """Container logs by (pod, previous)."""

    def __init__(self) -> None:
        self.texts: dict[tuple[str, bool], bytes] = {}

    async def open_log(self, namespace: str, pod: str, container: str, query: LogQuery) -> AsyncIterator[bytes]:
        lines = self.texts[pod, query.previous].splitlines(keepends=True)
        for line in lines[-query.tail_lines :] if query.tail_lines else lines:
            yield line[: len(line) // 2]
            yield line[len(line) // 2 :]
        if query.follow:
            yield b"followed"


class RunningApi(ThreadedServer):
    """One API server in a thread; `do` changes its store."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.logs = Logs()
        self.requests: list[tuple[str, str, int]] = []
        self._folder = folder
        self._authority = CertificateAuthority.open(folder, "test cluster")

    def do(self, change: Callable[[Store], T]) -> T:
        """Run something with the store, in the server's own thread."""

        async def run() -> T:
            return change(self.store)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(SECONDS)

    def kubeconfig(
        self,
        *,
        user: dict[str, Any] | None = None,
        port: int | None = None,
        authority: CertificateAuthority | None = None,
    ) -> str:
        trusted = authority or self._authority
        certificate, key = trusted.client_certificate("admin", ["system:masters"])
        own = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
        cluster = {
            "server": f"https://127.0.0.1:{port or self.port}",
            "certificate-authority-data": encoded(trusted.certificate_pem),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": own if user is None else user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        return yaml.safe_dump(document)

    async def open(self) -> int:
        self._documents = documents = Documents(self._folder / "state.db")
        self.store = Store(documents, "clusters/test")
        self._server = server = ApiServer(
            self.store,
            self._authority,
            kubernetes_version="1.35.5",
            logs=self.logs,
            tokens={"good": ["alice", "system:masters"], "poor": ["bob"]}.get,
        )
        server.on_request = lambda method, path, status, _seconds: self.requests.append((method, path, status))
        return await server.start(None)

    async def close(self) -> None:
        await self._server.stop()
        self._documents.close()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@contextmanager
def running_api(folder: Path) -> Iterator[RunningApi]:
    api = RunningApi(folder)
    with api.running():
        yield api


@contextmanager
def client_of(api: RunningApi, **options: Any) -> Iterator[KubeClient]:
    client = KubeClient.from_kubeconfig(api.kubeconfig(**options))
    try:
        yield client
    finally:
        client.close()
