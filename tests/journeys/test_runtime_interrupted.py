"""Several `runtime` commands at once, and ones that are killed: the same command again ends in the same state."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from aks_wasm.shims.labels import SYSTEM_NAMESPACE
from tests.journeys.conftest import Tool
from tests.journeys.given_cluster import Given, given_cluster
from tests.running_emulator import RunningEmulator, running_emulator

NEW, OLD = "aks-wasm-spin-v0-25-1", "aks-wasm-spin-v0-23-0"
PATIENCE = 120  # seconds


@pytest.fixture(scope="module")
def own_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """One on which a node takes half a second to install, so that there is something to interrupt."""
    with running_emulator(tmp_path_factory.mktemp("emulator-own"), pace=0.025) as running:
        yield running


@pytest.fixture
def given(own_tool: Tool) -> Iterator[Given]:
    """A cluster with a node of each architecture."""
    with given_cluster(own_tool) as made:
        yield made


def test_two_at_once_do_not_lose_each_others_shims(given: Given) -> None:
    both = [given.process("install", "--shim", word) for word in ("spin", "spin@v0.23.0")]
    for process in both:
        said, told = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, told
        assert json.loads(said)["ok"] is True
    assert {NEW, OLD} <= given.classes()
    assert given.handlers() == [f"{OLD} {NEW}"] * 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_an_install_that_is_stopped_half_way_is_finished_by_the_same_command(
    given: Given, number: signal.Signals, code: int
) -> None:
    process = given.process("install", "--shim", "spin")
    assert process.stderr is not None
    for line in process.stderr:
        if "nodes installed" in line:
            process.send_signal(number)
            break
    process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert given.document("install", "--shim", "spin")["ok"] is True
    assert given.document("install", "--shim", "spin")["steps"] == []
    given.document("remove", "--all", "--yes")
    assert given.is_clean()


def test_a_run_that_was_cut_off_is_finished_by_the_same_command(given: Given) -> None:
    """As after kill -9 between any two writes: some objects are there, some are not."""
    given.document("install", "--shim", "spin")
    for kind, name in (("RuntimeClass", NEW), ("DaemonSet", f"shim-probe-{NEW}"), ("ConfigMap", "shim-installer")):
        given.client.delete(kind, name, None if kind == "RuntimeClass" else SYSTEM_NAMESPACE)
        assert given.document("install", "--shim", "spin")["ok"] is True
    given.client.delete("DaemonSet", "shim-installer", SYSTEM_NAMESPACE)
    assert given.document("install", "--shim", "spin")["ok"] is True
    assert given.document("install", "--shim", "spin")["steps"] == []
    given.client.delete("ConfigMap", "shim-installer", SYSTEM_NAMESPACE)
    given.document("remove", "--all", "--yes")
    assert given.is_clean()
