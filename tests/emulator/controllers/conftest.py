from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.emulator.controllers.cluster import Cluster, node, running


@pytest.fixture
async def cluster(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Cluster]:
    """A cluster with one node; a controller that stumbled fails the test."""
    async with running(tmp_path) as made:
        made.store.create("nodes", node())
        yield made
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
