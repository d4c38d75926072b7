"""A registry for nodes of the bench: Debian's build of distribution, with TLS, on the engine's bridge only."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from e2e.artefacts import folder_of
from e2e.places import CHECKOUT, Places
from e2e.recipes.registry import PACKAGE, REGISTRY
from tests.e2e.clusters import eventually
from tests.e2e.machine import Machine

USER, PASSWORD = "bench", "bench"
_BCRYPT = "$2b$04$xo5WXFdJfO7TZqC0hrXliOdedfc6cE3xSTMBOn3OzH7gis27plnbq"  # of the password
_TRUSTED = "/etc/containerd/certs.d"
_SECONDS = 20


@dataclass(frozen=True)
class Registry:
    """A registry that runs.

    Attributes:
        host: Its address and port, as images are named by it.
        certificate: Its own, which it signed itself.
        folder: What it is and keeps, and room for more.
    """

    host: str
    certificate: Path
    folder: Path

    def push_module(self, module: Path, repository: str) -> str:
        """Package a module and push it, as `up` does for a cluster that pulls; return the image's name."""
        return self._client("push", module, repository).strip()

    def put(self, archive: Path) -> None:
        """Put every image of an OCI archive in as it is; their names in it lack the registry."""
        self._client("put", archive)

    def trust(self) -> str:
        """Return the script that lets a node pull from here."""
        place = f"{_TRUSTED}/{self.host}"
        hosts = f'server = "https://{self.host}"\n[host."https://{self.host}"]\n  ca = "{place}/ca.crt"\n'
        return (
            f"mkdir -p '{place}'\ncat >'{place}/ca.crt' <<'END'\n{self.certificate.read_text()}END\n"
            f"cat >'{place}/hosts.toml' <<'END'\n{hosts}END\n"
        )

    def distrust(self) -> str:
        """Return the script that undoes it."""
        return f"rm -r '{_TRUSTED}/{self.host}'"

    def _client(self, *arguments: str | Path) -> str:
        """Run the client; the tests' own process reaches nothing but loopback."""
        command = [sys.executable, "-m", "tests.e2e.registry_client", self.host, self.certificate, *arguments]
        ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=_SECONDS, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout


@contextmanager
def registry_of(machine: Machine, folder: Path, *, wants_login: bool = False) -> Iterator[Registry]:
    """Run a registry, empty at first, for the length of a `with`; which wants a login takes `USER` and `PASSWORD`."""
    folder.mkdir(parents=True, exist_ok=True)
    template = "{{(index .IPAM.Config 0).Gateway}}"
    address = machine.docker("network", "inspect", "--format", template, "bridge").strip()
    with socket.create_server((address, 0)) as probe:
        port = probe.getsockname()[1]
    made = Registry(f"{address}:{port}", folder / "certificate.pem", folder)
    _sign(made, address)
    (folder / "users").write_text(f"{USER}:{_BCRYPT}\n")
    (folder / "config.yml").write_text(yaml.safe_dump(_configuration(made, wants_login=wants_login)))
    program = folder_of(REGISTRY, Places(machine.root)) / PACKAGE
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", folder / "config.yml"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        eventually(_answers(machine, made, process), f"a registry: {folder / 'log'}", _SECONDS)
        yield made
    finally:
        process.terminate()
        process.wait()


def _configuration(made: Registry, *, wants_login: bool) -> dict[str, Any]:
    folder = made.folder
    tls = {"certificate": str(made.certificate), "key": str(folder / "key.pem")}
    login = {"auth": {"htpasswd": {"realm": "bench", "path": str(folder / "users")}}} if wants_login else {}
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": made.host, "tls": tls},
        **login,
    }


def _sign(made: Registry, address: str) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-subj", "/CN=bench", "-addext", f"subjectAltName=IP:{address}",
         "-keyout", made.folder / "key.pem", "-out", made.certificate],
        check=True,
        capture_output=True,
    )  # fmt: skip


def _answers(machine: Machine, made: Registry, process: subprocess.Popen[bytes]) -> Callable[[], bool | None]:
    def ask() -> bool | None:
        assert process.poll() is None, (made.folder / "log").read_text()
        told = machine.run("curl", "--silent", "--cacert", made.certificate, "--include", f"https://{made.host}/v2/",
                           check=False)  # fmt: skip
        return "docker-distribution-api-version" in told.lower() or None

    return ask
