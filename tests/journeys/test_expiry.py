from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aks_wasm.providers.marks import EXPIRES_TAG, expiry, marks
from aks_wasm.spec.models import ClusterSpec
from tests.journeys.conftest import Tool
from tests.running_emulator import EmulatorFactory

BARE = ["--set", "workloads=[]", "--set", "nodePools.0.route=shim", "--set", "shims=[]"]


def test_an_expiry_is_counted_from_the_making() -> None:
    spec = ClusterSpec.model_validate({"metadata": {"name": "a"}, "azure": {"expiresAfter": "1h30m"}})
    now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    assert marks(spec, now)[EXPIRES_TAG] == "2026-11-22T11:30:00Z"
    assert expiry(marks(spec, now)) == now + timedelta(minutes=90)


@pytest.mark.parametrize("target", ["emulator", "local"])
def test_down_expired_reaps_what_other_specs_left_behind_and_nothing_else(
    start_emulator: EmulatorFactory, tool: Tool, target: str
) -> None:
    tool.emulator, tool.target = start_emulator(), target
    tool.name = "keep"
    tool.up(*BARE, "--set", "azure.expiresAfter=4h")
    tool.name = "plain"
    tool.up(*BARE)
    tool.name = "stale"
    tool.up(*BARE, "--set", "azure.expiresAfter=0s")
    tool.name = "somebody-in-ci"
    document = tool.document("down", "--expired", "--yes")
    assert len(document["deleted"]) in (1, 2)
    assert all("stale" in thing for thing in document["deleted"])
    assert document["left"] == []
    for name, state in (("keep", "Succeeded"), ("plain", "Succeeded"), ("stale", "absent")):
        tool.name = name
        assert tool.document("status")["cluster"]["state"] == state
