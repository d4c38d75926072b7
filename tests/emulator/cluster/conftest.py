"""A real API server over sockets for each test, and the clients that ask it: requests, kubernetes, kubectl."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import kubernetes.client
import pytest
import requests
import yaml

from aks_wasm.emulator.certificates import CertificateAuthority
from aks_wasm.emulator.cluster.logs import LogQuery
from aks_wasm.emulator.cluster.server import ApiServer, LogUnavailable
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.state import Documents

T = TypeVar("T")


class WrittenLogs:
    """Logs that a test writes down; stands where the node agents stand."""

    def __init__(self) -> None:
        self.lines: dict[str, list[bytes]] = {}
        self.asked: list[LogQuery] = []

    async def open_log(self, namespace: str, pod: str, container: str, query: LogQuery) -> AsyncIterator[bytes]:
        self.asked.append(query)
        if f"{pod}/{container}" not in self.lines:
            raise LogUnavailable(f'container "{container}" in pod "{pod}" is waiting to start: ContainerCreating')
        for line in self.lines[f"{pod}/{container}"]:
            yield line


class Cluster:
    """One API server in a thread of its own, since the real clients block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = WrittenLogs()
        self.journal: list[tuple[str, str, int, float]] = []
        self.authority = CertificateAuthority.open(folder / "ca", "ca")
        self.tokens = {
            "owner": ["owner-id", "system:masters"],
            "reader": ["reader-id", "readers"],
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.do(self._start())

    def restart(self) -> None:
        """Stop the server and start one over the same documents and port, as a daemon does."""
        self.do(self._stop())
        self.do(self._start(self.port))

    async def _start(self, port: int | None = None) -> None:
        self.documents = Documents(self.folder / "state.db")
        self.store = Store(self.documents, "clusters/test")
        self.server = ApiServer(
            self.store, self.authority, kubernetes_version="1.35.5", logs=self.logs, tokens=self.tokens.get
        )
        self.server.on_request = lambda *told: self.journal.append(told)
        self.port = await self.server.start(port)

    async def _stop(self) -> None:
        await self.server.stop()
        self.documents.close()

    def do(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def within(self, change: Callable[[Store], T]) -> T:
        """Use the store as the emulator's other parts do: inside the server's loop."""

        async def run() -> T:
            return change(self.store)

        return self.do(run())

    def close(self) -> None:
        self.do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def kubeconfig(self, token: str | None = None) -> dict[str, Any]:
        user: dict[str, str] = {"token": token or ""}
        if token is None:
            certificate, key = self.authority.client_certificate("masterclient", ["system:masters"])
            user = {
                "client-certificate-data": base64.b64encode(certificate).decode(),
                "client-key-data": base64.b64encode(key).decode(),
            }
        authority = base64.b64encode(self.authority.certificate_pem).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.url, "certificate-authority-data": authority}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }


class Api:
    """Plain HTTP requests, to see what is on the wire."""

    def __init__(self, cluster: Cluster, token: str | None) -> None:
        self._url = cluster.url
        self._session = requests.Session()
        self._session.trust_env = False
        authority = cluster.folder / "ca.pem"
        authority.write_bytes(cluster.authority.certificate_pem)
        self._session.verify = str(authority)
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def request(
        self, method: str, path: str, body: Any = None, media: str = "application/json", **options: Any
    ) -> requests.Response:
        headers = {"Content-Type": media, **options.pop("headers", {})}
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        return self._session.request(method, self._url + path, headers=headers, **content, **options, timeout=10)

    def get(self, path: str, **options: Any) -> Any:
        return self.request("GET", path, **options).json()

    def post(self, path: str, body: Any, **options: Any) -> Any:
        return self.request("POST", path, body, **options).json()

    def put(self, path: str, body: Any) -> Any:
        return self.request("PUT", path, body).json()

    def patch(self, path: str, body: Any, media: str = "application/merge-patch+json") -> Any:
        return self.request("PATCH", path, body, media).json()

    def delete(self, path: str, body: Any = None) -> Any:
        return self.request("DELETE", path, body).json()

    def apply(self, path: str, body: Any, manager: str, query: str = "") -> Any:
        content = yaml.safe_dump(body).encode()
        place = f"{path}?fieldManager={manager}{query}"
        return self.request("PATCH", place, content, "application/apply-patch+yaml").json()

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path)
    yield running
    running.close()


@pytest.fixture
def as_user(cluster: Cluster) -> Iterator[Callable[[str | None], Api]]:
    made: list[Api] = []

    def ask(token: str | None) -> Api:
        made.append(Api(cluster, token))
        return made[-1]

    yield ask
    for api in made:
        api.close()


@pytest.fixture
def api(as_user: Callable[[str | None], Api]) -> Api:
    return as_user("owner")


@pytest.fixture
def client(cluster: Cluster) -> Iterator[kubernetes.client.ApiClient]:
    """The real Python client with a client certificate."""
    configuration = kubernetes.client.Configuration()
    loader = kubernetes.config.kube_config.KubeConfigLoader(cluster.kubeconfig())
    loader.load_and_set(configuration)
    with kubernetes.client.ApiClient(configuration) as made:
        yield made


class Kubectl:
    """The real kubectl with a home of its own."""

    def __init__(self, cluster: Cluster, program: str) -> None:
        self._program = program
        self._folder = cluster.folder
        config = cluster.folder / "kubeconfig"
        config.write_text(yaml.safe_dump(cluster.kubeconfig()))
        self._environment = {
            "KUBECONFIG": str(config), "HOME": str(cluster.folder / "home"), "PATH": os.environ["PATH"]
        }  # fmt: skip

    def __call__(self, *arguments: str, manifest: str = "", fails: bool = False) -> str:
        """Return what it prints; with `fails` what it says on stderr, after it has failed."""
        ran = subprocess.run(
            [self._program, *arguments],
            input=manifest,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode != 0) == fails, f"{arguments}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        return ran.stderr if fails else ran.stdout


@pytest.fixture
def kubectl(cluster: Cluster) -> Kubectl:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    return Kubectl(cluster, program)


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    """A Deployment as a user writes it."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "registry.example/hello:1"}]},
            },
            **spec,
        },
    }


def pod(name: str = "one", **spec: Any) -> dict[str, Any]:
    """A pod as a user writes it."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "registry.example/hello"}], **spec},
    }


def config_map(name: str = "settings", **data: str) -> dict[str, Any]:
    """A ConfigMap as a user writes it."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"a": "1"}}
