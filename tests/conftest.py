"""No test sees the real home, the real environment or a network beyond loopback."""

from __future__ import annotations

import errno
import gc
import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.running_emulator import emulator, emulator_2022, start_emulator

__all__ = ["emulator", "emulator_2022", "start_emulator"]

FOREIGN = ("AKS_WASM_", "ARM_", "AZURE_", "GITHUB_", "ACTIONS_", "SYSTEM_", "IDENTITY_", "MSI_")
FOREIGN_NAMES = (
    "CI",
    "KUBECONFIG",
    "NO_COLOR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "TF_BUILD",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--with-e2e", action="store_true", help="run tests/e2e on real clusters: see scripts/e2e")


@pytest.fixture(scope="session", autouse=True)
def _lonely_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """HOME is a folder that is not there; no proxies, no credentials, no network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.getbasetemp() / "no-home"))
        for name in os.environ:
            if name.startswith(FOREIGN) or name in FOREIGN_NAMES or name.lower().endswith("_proxy"):
                patch.delenv(name)
        patch.setattr(socket.socket, "connect", _guarded(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", _guarded(socket.socket.connect_ex))
        patch.setattr(socket, "getaddrinfo", _resolving_only_here(socket.getaddrinfo))
        yield


@pytest.fixture(scope="module", autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """Make what a file leaves to the garbage collector complain there, not wherever it is collected."""
    yield
    gc.collect()
    gc.freeze()  # what lives on is not looked through again: a collection takes no time then


def _guarded(connect: Any) -> Any:
    def connect_here(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_here(address[0]):
            raise OSError(errno.ENETUNREACH, f"tests reach loopback only, not {address[0]}")
        return connect(self, address)

    return connect_here


def _resolving_only_here(resolve: Any) -> Any:
    def resolve_here(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not _is_here(name):
            raise socket.gaierror(socket.EAI_NONAME, f"tests resolve loopback names only, not {name}")
        return resolve(host, *arguments, **options)

    return resolve_here


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"} or host.endswith(".localhost")
