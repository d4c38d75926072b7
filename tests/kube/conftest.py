from __future__ import annotations

from collections.abc import Iterator

import pytest

from aks_wasm.kube.client import KubeClient
from tests.kube.running_api import RunningApi, client_of, running_api


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    """One API server for all tests of a worker; each test uses names of its own."""
    with running_api(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
def client(api: RunningApi) -> Iterator[KubeClient]:
    with client_of(api) as opened:
        yield opened
