"""Emulated subscriptions that the tests of a worker share, and a resource group for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aks_wasm.emulator.arm.context import Age
from tests.emulator.arm.azure import Azure, Place, place_in
from tests.emulator.arm.server import ArmServer


@contextmanager
def running(home: Path, age: Age) -> Iterator[Azure]:
    server = ArmServer(home, age=age)
    server.start()
    signed_in = Azure(server)
    try:
        yield signed_in
    finally:
        signed_in.close()
        server.stop()


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with running(tmp_path_factory.mktemp("today"), "today") as signed_in:
        yield signed_in


@pytest.fixture(scope="session")
def azure_2022(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with running(tmp_path_factory.mktemp("year-2022"), "2022") as signed_in:
        yield signed_in


@pytest.fixture
def place(azure: Azure) -> Iterator[Place]:
    with place_in(azure) as made:
        yield made


@pytest.fixture
def place_2022(azure_2022: Azure) -> Iterator[Place]:
    with place_in(azure_2022) as made:
        yield made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ArmServer]:
    """An emulated Azure of one's own: for restarts and broken fleets."""
    one = ArmServer(tmp_path)
    one.start()
    yield one
    one.stop()
