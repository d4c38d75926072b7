"""Ctrl+C and kill -9 at any point, and several at once, with real processes: `up` again ends in the same state."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.conftest import Tool, fetch, fields_of
from tests.running_emulator import RunningEmulator, running_emulator

BARE = fields_of("workloads=[]", "shims=[]")
WHOLE = fields_of("nodePools.0.route=shim")
PATIENCE = 40  # seconds


@pytest.fixture(scope="module")
def own_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """One on which a cluster takes half a second, so that there is something to interrupt."""
    with running_emulator(tmp_path_factory.mktemp("emulator-own"), pace=0.0025) as running:
        yield running


class Process:
    """The program as a process; ended for good when the block ends."""

    def __init__(self, tool: Tool, *arguments: str) -> None:
        named = ["--target", tool.target, "--set", f"metadata.name={tool.name}"]
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "aks_wasm", *arguments, *named, "--yes", "--progress", "jsonl", "-o", "json"],
            env={**os.environ, "AKS_WASM_HOME": str(tool.emulator.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.events: list[dict[str, Any]] = []
        self.said = ""

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._popen.kill()
        self._popen.communicate()

    def until(self, step: str, message: str = "") -> None:
        """Read what it says until a step says this."""
        assert self._popen.stderr is not None
        for line in self._popen.stderr:
            event = json.loads(line)
            self.events.append(event)
            if event.get("step", "") == step and message in event.get("message", ""):
                return
        raise AssertionError(f"{step} never said {message}: {self.events}")

    def signal(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return exit code and stdout."""
        out, self.said = self._popen.communicate(timeout=PATIENCE)
        return self._popen.returncode, out


def started(tool: Tool) -> tuple[str, str]:
    """Return the step that makes the cluster, and what it says when Azure has begun."""
    return f"cluster/{tool.name}", "accepted"


def test_ctrl_c_leaves_azure_at_work_and_up_again_joins(own_tool: Tool) -> None:
    since = own_tool.mark()
    with Process(own_tool, "up", *BARE) as process:
        process.until(*started(own_tool))
        process.signal(signal.SIGINT)
        code, out = process.ended()
    assert code == 130
    document = json.loads(out)
    assert document["error"]["code"] == "Interrupted"
    assert "go on:     aks-wasm up" in process.said
    assert "clean up:  aks-wasm down --target emulator --set 'workloads=[]'" in process.said
    assert own_tool.up(*BARE)["ok"] is True
    asked = [w["method"] for w in own_tool.writes(since) if w["path"].endswith(f"managedClusters/{own_tool.name}")]
    assert asked == ["PUT"]
    assert own_tool.up(*BARE)["steps"] == []


def test_ctrl_c_before_the_cluster_is_asked_for_asks_for_none(own_tool: Tool) -> None:
    where = {"method": "GET", "path": f"managedClusters/{own_tool.name}$"}
    own_tool.emulator.control("POST", "faults", {"fault": "slow", "match": where, "after": 1, "seconds": 0.5})
    with Process(own_tool, "up", *BARE) as process:
        process.until(f"cluster/{own_tool.name}")
        process.signal(signal.SIGINT)
        code, _ = process.ended()
    assert code == 130
    assert own_tool.document("status", *BARE)["cluster"]["state"] == "absent"


def test_a_second_ctrl_c_leaves_at_once(own_tool: Tool) -> None:
    """A request that takes its time does not hear the first."""
    own_tool.fault("slow", seconds=30)
    with Process(own_tool, "up", *BARE) as process:
        process.until(f"cluster/{own_tool.name}")
        while own_tool.emulator.control("GET", "faults")["faults"]:
            pass  # until the request is there
        process.signal(signal.SIGINT)
        process.until("", "press Ctrl+C again")
        process.signal(signal.SIGINT)
        code, _ = process.ended()
    assert code == 130


@pytest.mark.parametrize(
    ("step", "message", "arguments"),
    [
        ("cluster/{name}", "accepted", BARE),
        ("node-pool/wasm", "accepted", BARE),
        ("workload/hello", "", WHOLE),
    ],
)
def test_after_kill_9_up_again_ends_in_the_same_state(
    own_tool: Tool, step: str, message: str, arguments: list[str]
) -> None:
    with Process(own_tool, "up", *arguments) as process:
        process.until(step.format(name=own_tool.name), message)
        process.signal(signal.SIGKILL)
        assert process.ended()[0] == -signal.SIGKILL
    document = own_tool.up(*arguments)
    assert document["ok"] is True
    for workload in document["workloads"]:
        assert workload["ready"] is True
        if workload["endpoint"]:
            assert "Hello" in fetch(workload["endpoint"])
    since = own_tool.mark()
    assert own_tool.up(*arguments)["steps"] == []
    assert own_tool.writes(since) == []


def test_two_at_once_both_end_well(own_tool: Tool) -> None:
    with Process(own_tool, "up", *WHOLE) as one, Process(own_tool, "up", *WHOLE) as other:
        ends = [one.ended(), other.ended()]
    assert [code for code, _ in ends] == [0, 0], [one.said, other.said]
    assert own_tool.up(*WHOLE)["steps"] == []


def test_down_while_the_cluster_is_being_made(own_tool: Tool) -> None:
    with Process(own_tool, "up", *BARE) as process:
        process.until(*started(own_tool))
        assert own_tool.document("down", "--yes")["left"] == []
        code, out = process.ended()
    assert code != 0
    assert "bug" not in json.loads(out)["error"]["message"]
    assert own_tool.document("down", "--yes")["left"] == []
