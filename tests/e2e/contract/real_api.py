"""The bench's own etcd and kube-apiserver as two processes: the Kubernetes API alone, without controllers."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SECONDS_TO_START = 60
TOKENS = {"owner": ("owner-id", "system:masters"), "reader": ("reader-id", "readers")}


@dataclass(frozen=True)
class Endpoint:
    """Where an API server answers.

    Attributes:
        url: Without a slash at its end.
        authority: PEM file that its certificate is checked with.
    """

    url: str
    authority: Path


@contextmanager
def real_api(programs: Path, folder: Path) -> Iterator[Endpoint]:
    """Run the real thing for the length of a `with`; everything it writes lies in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        storage = stack.enter_context(_process(_etcd(programs, folder, ports := [_free_port(), _free_port()]), folder))
        port = _free_port()
        server = stack.enter_context(_process(_api_server(programs, folder, ports[0], port), folder))
        endpoint = Endpoint(f"https://127.0.0.1:{port}", folder / "certificates" / "apiserver.crt")
        _wait(endpoint, [storage, server], folder)
        yield endpoint


def _etcd(programs: Path, folder: Path, ports: list[int]) -> list[str]:
    client, peer = (f"http://127.0.0.1:{port}" for port in ports)
    return [
        str(programs / "etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # nothing of it is kept
    ]


def _api_server(programs: Path, folder: Path, storage: int, port: int) -> list[str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (folder / "accounts.key").write_bytes(key)
    lines = [f'{token},{user},{user},"{group}"' for token, (user, group) in TOKENS.items()]
    (folder / "tokens.csv").write_text("\n".join(lines))
    return [
        str(programs / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{storage}",
        f"--cert-dir={folder / 'certificates'}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        "--service-cluster-ip-range=10.0.0.0/16",  # as AKS has it
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",  # as on every node pool; namespaces decide
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'accounts.key'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--endpoint-reconciler-type=none",  # it refuses to advertise loopback
    ]


@contextmanager
def _process(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder)
        try:
            yield process
        finally:
            process.kill()  # nothing is to be kept
            process.wait()
            shutil.rmtree(folder / "etcd", ignore_errors=True)


def _wait(endpoint: Endpoint, processes: list[subprocess.Popen[bytes]], folder: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        for process in processes:
            if process.poll() is not None:
                log = folder / f"{Path(str(process.args[0])).name}.log"  # type: ignore[index]
                raise RuntimeError(f"{log.name} ended:\n" + "\n".join(log.read_text().splitlines()[-10:]))
        if endpoint.authority.exists() and _ready(endpoint):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"no API server after {SECONDS_TO_START} s, see {folder}")
        time.sleep(0.2)


def _ready(endpoint: Endpoint) -> bool:
    headers = {"Authorization": "Bearer owner"}
    try:
        answer = requests.get(f"{endpoint.url}/readyz", verify=str(endpoint.authority), headers=headers, timeout=5)
    except (requests.ConnectionError, requests.Timeout):  # a loaded machine lets a handshake wait
        return False
    return answer.status_code == 200


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
