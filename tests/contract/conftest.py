"""The providers that keep the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aks_wasm.emulator.client import ControlClient
from aks_wasm.providers.azure.clients import Clients
from aks_wasm.providers.azure.connection import connection_from
from aks_wasm.providers.azure.provider import AzureProvider
from aks_wasm.providers.base import Provider
from aks_wasm.providers.embedded.provider import EmbeddedProvider
from aks_wasm.settings import Settings
from aks_wasm.spec.models import ClusterSpec, Metadata
from tests.contract.targets import Target
from tests.running_emulator import RunningEmulator


def open_azure(emulator: RunningEmulator, spec: ClusterSpec) -> AzureProvider:
    environment = emulator.environment
    connection = connection_from(spec.azure, Settings(home=Path("/nowhere")), environment)
    return AzureProvider(Clients(connection), spec)


class Recorder(ControlClient):
    """The control API's client, with a list of what it was asked: the journal leaves the control API out."""

    def __init__(self, client: ControlClient) -> None:
        super().__init__(client.url, client.token, client.ca_file)
        object.__setattr__(self, "sent", [])

    sent: list[str]

    def request(self, method: str, path: str, body: object = None) -> Any:
        self.sent.append(f"{method} {path}")
        return super().request(method, path, body)


def target_on(kind: str, request: pytest.FixtureRequest) -> Target:
    fixture = "emulator_2022" if kind == "azure-2022" else "emulator"
    emulator: RunningEmulator = request.getfixturevalue(fixture)
    if kind == "embedded":
        recorder = Recorder(emulator.client)
        return Target(kind, emulator, lambda _spec: EmbeddedProvider(recorder), recorded=recorder.sent)
    route = "wasi-preview" if kind == "azure-2022" else "shim"
    return Target(kind, emulator, lambda spec: open_azure(emulator, spec), route)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def azure_today(emulator: RunningEmulator) -> Iterator[AzureProvider]:
    """A provider that the tests share, as the steps of a run do: signed in once, closed before its emulator stops."""
    with closing(open_azure(emulator, ClusterSpec(metadata=Metadata(name="any")))) as provider:
        yield provider


@pytest.fixture(scope="session")
def azure_of_2022(emulator_2022: RunningEmulator) -> Iterator[AzureProvider]:
    with closing(open_azure(emulator_2022, ClusterSpec(metadata=Metadata(name="any")))) as provider:
        yield provider


@pytest.fixture(params=["azure", "azure-2022", "embedded"])
def target(request: pytest.FixtureRequest) -> Target:
    return target_on(request.param, request)


@pytest.fixture
def azure(request: pytest.FixtureRequest) -> Target:
    return target_on("azure", request)


@pytest.fixture
def provider(request: pytest.FixtureRequest) -> Provider:
    target: Target = request.getfixturevalue("azure" if "azure" in request.fixturenames else "target")
    if target.kind == "embedded":
        return target.open(target.spec())
    shared: Provider = request.getfixturevalue("azure_of_2022" if target.kind == "azure-2022" else "azure_today")
    return shared
