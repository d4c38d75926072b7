from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from aks_wasm.errors import AksWasmError, Interrupted, Refused, TimedOut
from aks_wasm.providers.base import Observed, ObservedCluster, Provider
from aks_wasm.providers.embedded.provider import EmbeddedProvider
from aks_wasm.providers.marks import OWNER_TAG, Owned
from aks_wasm.settings import Settings
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.waits import Patience
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.down import down_expired
from tests.unit.clocks import FakeClock

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Leftovers:
    """A provider with clusters that have expired; `fails` names what their deletion ends with."""

    clock: FakeClock
    names: list[str]
    fails: dict[str, AksWasmError] = field(default_factory=dict)
    seconds: float = 0.0
    tried: list[str] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)
    info = replace(EmbeddedProvider.info, name="leftovers")

    def owned(self) -> list[Owned]:
        return [Owned(name, None, LONG_AGO) for name in self.names]

    def observe(self, spec: ClusterSpec) -> Observed:
        if spec.name not in self.names:
            return Observed()
        return Observed(ObservedCluster(spec.name, "Succeeded", "", "1.35", {OWNER_TAG: spec.name}))

    def delete(self, spec: ClusterSpec, node_pool: str | None, patience: Patience, *, wait: bool) -> None:
        self.tried.append(spec.name)
        self.timeouts.append(patience.timeout)
        self.clock.time += self.seconds
        if spec.name in self.fails:
            raise self.fails[spec.name]
        self.names.remove(spec.name)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def run_of(leftovers: Leftovers, home: Path) -> Run:
    spec = ClusterSpec.model_validate({"metadata": {"name": "ci"}})
    connect: Any = None
    provider = cast("Provider", leftovers)
    return Run(Settings(home), spec, provider, lambda _event: None, leftovers.clock, 100.0, connect=connect)


@pytest.fixture(autouse=True)
def _no_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))


def test_what_can_not_be_deleted_does_not_keep_the_others(clock: FakeClock, tmp_path: Path) -> None:
    leftovers = Leftovers(clock, ["a", "b"], {"a": Refused("locked")})
    with pytest.raises(Refused):
        down_expired(run_of(leftovers, tmp_path), wait=True)
    assert leftovers.names == ["a"]


def test_a_mark_that_somebody_wrote_by_hand_is_told_and_keeps_nobody(clock: FakeClock, tmp_path: Path) -> None:
    leftovers = Leftovers(clock, ["Not A Name", "b"])
    with pytest.raises(Refused, match="`aks-wasm-owner: Not A Name` was not written by aks-wasm"):
        down_expired(run_of(leftovers, tmp_path), wait=True)
    assert leftovers.names == ["Not A Name"]


@pytest.mark.parametrize("end", [Interrupted("Ctrl+C"), TimedOut("too long")])
def test_after_an_interrupt_or_a_time_out_no_further_deletion_begins(
    clock: FakeClock, tmp_path: Path, end: AksWasmError
) -> None:
    leftovers = Leftovers(clock, ["a", "b"], {"a": end})
    with pytest.raises(type(end)):
        down_expired(run_of(leftovers, tmp_path), wait=True)
    assert leftovers.tried == ["a"]


def test_the_time_out_is_for_all_deletions_together(clock: FakeClock, tmp_path: Path) -> None:
    leftovers = Leftovers(clock, ["a", "b"], seconds=30.0)
    down_expired(run_of(leftovers, tmp_path), wait=True)
    assert leftovers.timeouts == [100.0, 70.0]
