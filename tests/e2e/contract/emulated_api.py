"""The emulator's API server alone, as the real one runs beside it: no controllers, no nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from aks_wasm.emulator.certificates import CertificateAuthority
from aks_wasm.emulator.cluster.logs import LogQuery
from aks_wasm.emulator.cluster.server import ApiServer, LogUnavailable
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.state import Documents
from tests.e2e.contract.real_api import TOKENS, Endpoint
from tests.threaded_server import ThreadedServer


class _NoLogs:
    async def open_log(self, namespace: str, pod: str, container: str, query: LogQuery) -> AsyncIterator[bytes]:
        raise LogUnavailable(f'container "{container}" in pod "{pod}" is waiting to start: ContainerCreating')
        yield b""


class _Emulated(ThreadedServer):
    def __init__(self, folder: Path, version: str) -> None:
        super().__init__()
        self.authority = CertificateAuthority.open(folder / "ca", "contract")
        self._folder = folder
        self._version = version

    async def open(self) -> int:
        self._documents = Documents(self._folder / "state.db")
        tokens = {token: list(who) for token, who in TOKENS.items()}
        self._server = ApiServer(
            Store(self._documents, "clusters/contract"),
            self.authority,
            kubernetes_version=self._version,
            logs=_NoLogs(),
            tokens=tokens.get,
        )
        return await self._server.start(None)

    async def close(self) -> None:
        await self._server.stop()
        self._documents.close()


@contextmanager
def emulated_api(folder: Path, version: str) -> Iterator[Endpoint]:
    """Answer for the length of a `with`, as a cluster of that Kubernetes version."""
    folder.mkdir(parents=True, exist_ok=True)
    server = _Emulated(folder, version)
    with server.running():
        authority = folder / "authority.pem"
        authority.write_bytes(server.authority.certificate_pem)
        yield Endpoint(f"https://127.0.0.1:{server.port}", authority)
