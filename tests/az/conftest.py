"""One az per worker, signed in once, with one cluster that is there for pools to be added to."""

from __future__ import annotations

import pytest

from tests.az.azure_cli import CONTAINER_SERVICE, Az
from tests.running_emulator import RunningEmulator

SHARED = "az-shared"


def signed_in(emulator: RunningEmulator, folders: pytest.TempPathFactory) -> Az:
    az = Az(emulator, folders.mktemp("az"))
    done = az.sign_in()
    assert done.returncode == 0, done.stderr
    return az


@pytest.fixture(scope="session")
def az(emulator: RunningEmulator, tmp_path_factory: pytest.TempPathFactory) -> Az:
    """The owner's az on the emulator that the worker's tests share; the provider is registered."""
    az = signed_in(emulator, tmp_path_factory)
    az("provider", "register", *CONTAINER_SERVICE, "--wait")
    return az


@pytest.fixture(scope="session")
def group(az: Az) -> str:
    """The group of cluster `c` in uksouth; tests add pools of names of their own."""
    az.make_cluster(SHARED, "uksouth")
    return SHARED


@pytest.fixture
def az_2022(emulator_2022: RunningEmulator, tmp_path_factory: pytest.TempPathFactory) -> Az:
    """An az when WASI node pools were granted."""
    return signed_in(emulator_2022, tmp_path_factory)
