"""Both API servers for the whole session, side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.contract.emulated_api import emulated_api
from tests.e2e.contract.real_api import Endpoint, real_api
from tests.e2e.contract.transcript import Transcript
from tests.e2e.machine import Machine

VERSION = "1.34.4"  # of the bench's kube-apiserver: e2e/versions.py


@pytest.fixture(scope="session")
def real(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with real_api(machine.programs, tmp_path_factory.mktemp("real-api")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with emulated_api(tmp_path_factory.mktemp("emulated-api"), VERSION) as endpoint:
        yield endpoint


@pytest.fixture
def transcripts(real: Endpoint, emulated: Endpoint) -> Iterator[tuple[Transcript, Transcript]]:
    """One that asks the real server, one that asks the emulator's."""
    pair = Transcript(real), Transcript(emulated)
    yield pair
    for transcript in pair:
        transcript.close()
