"""What becomes of Wasm tasks when containerd restarts. The stand-in for ctr answers as 1.7, 2.2 and 2.3 do."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("dash") is None, reason="needs dash")

# Tasks `wasm` and `pause` are of a shim that lists no processes, `runc` is of one that does; `pause` is a pod's own
# task, which containerd 2 has a record of. Where `ctr.lost` is there, containerd no longer has `wasm`.
CTR = """#!/bin/sh
shift 2
echo "$*" >>"$0.calls"
line='%s %s RUNNING\\n'
case "$*" in
    'tasks ls -q') printf '%s\\n' pause runc; [ -e "$0.lost" ] || echo wasm ;;
    'tasks ls') echo TASK PID STATUS; printf "$line" wasm $WASM pause $RUNC runc $RUNC; echo ended 2 STOPPED ;;
    'tasks ps runc' | 'sandboxes info pause') ;;
    *) exit 1 ;;
esac
"""
PRELUDE = """set -eu
at_least() { [ "$major" -gt "$1" ] || { [ "$major" -eq "$1" ] && [ "$minor" -ge "$2" ]; }; }
ctr_k8s() { "$ctr" --namespace k8s.io "$@"; }
say() { echo "$*"; }
sleep() { command sleep 0.01; }
"""


@dataclass
class Node:
    """A node with two processes that stand for a Wasm and a runc container."""

    folder: Path
    wasm: subprocess.Popen[bytes]
    runc: subprocess.Popen[bytes]
    container: int = 0

    def run(self, release: str, script: str) -> str:
        part = files("aks_wasm.shims.installer.node").joinpath("tasks.sh").read_text(encoding="utf-8")
        ctr = self.folder / "ctr"
        ctr.write_text(CTR)
        ctr.chmod(0o755)
        major, _, minor = release.partition(".")
        own = {
            "major": major,
            "minor": minor,
            "ctr": str(ctr),
            "work": str(self.folder),
            "opt": str(self.folder / "opt"),
        }
        ids = {"WASM": str(self.container or self.wasm.pid), "RUNC": str(self.runc.pid)}
        ran = subprocess.run(
            ["dash", "-c", f"{PRELUDE}{part}\n{script}"],
            env={**os.environ, **own, **ids},
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stdout

    @property
    def recorded(self) -> list[str]:
        calls = (self.folder / "ctr.calls").read_text().splitlines() if (self.folder / "ctr.calls").exists() else []
        return [call.split()[-1] for call in calls if call.startswith("sandboxes run")]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    processes = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
    yield Node(tmp_path, processes[0], processes[1])
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize("release", ["2.2", "2.3", "3.0"])
def test_a_task_whose_shim_lists_no_processes_is_recorded_before_the_restart(node: Node, release: str) -> None:
    node.run(release, "hold_tasks")
    assert node.recorded == ["wasm"]


@pytest.mark.parametrize("release", ["1.6", "1.7", "2.0", "2.1"])
def test_no_containerd_gets_a_record_that_it_might_not_start_with(node: Node, release: str) -> None:
    node.run(release, "hold_tasks")
    assert node.recorded == []


def test_what_containerd_has_lost_is_ended_and_nothing_else(node: Node) -> None:
    lost = 'touch "$ctr.lost"'
    assert "wasm" in node.run("1.7", f"hold_tasks; {lost}; end_lost_tasks")
    assert node.wasm.wait(5) == -signal.SIGKILL
    assert node.runc.poll() is None


def test_what_containerd_still_has_lives(node: Node) -> None:
    assert node.run("2.3", "hold_tasks; end_lost_tasks") == ""
    assert (node.wasm.poll(), node.runc.poll()) == (None, None)


def test_a_process_that_has_got_the_number_since_is_left_alone(node: Node) -> None:
    other = f'echo "wasm {node.wasm.pid} 1" >"$work/mute"; touch "$ctr.lost"'
    node.run("1.7", f"{other}; end_lost_tasks")
    assert node.wasm.poll() is None


@pytest.fixture
def shim(node: Node) -> Iterator[subprocess.Popen[str]]:
    """A shim of ours, a program below $opt, that has started the Wasm container, and a helper that is its own."""
    program = node.folder / "opt/wasm/v1/containerd-shim-wasm-v1"
    program.parent.mkdir(parents=True)
    shutil.copy(shutil.which("dash") or "", program)
    words = "sleep 60 & echo $!; (read never) & read never"
    process = subprocess.Popen([program, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    node.container = int(process.stdout.readline())
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.kill(node.container, signal.SIGKILL)  # it would keep the pipe open
    process.communicate()


def test_a_shim_that_containerd_has_given_up_ends_with_its_last_container(
    node: Node, shim: subprocess.Popen[str]
) -> None:
    node.run("1.7", 'hold_tasks; touch "$ctr.lost"; end_lost_tasks')
    assert shim.wait(5) == -signal.SIGKILL


def test_a_shim_of_which_containerd_knows_a_task_lives(node: Node, shim: subprocess.Popen[str]) -> None:
    node.run("1.7", 'hold_tasks; end_lost_tasks; end_empty "$(cut -d " " -f 4 "$work/mute" | head -n 1)" any')
    assert shim.poll() is None


def test_a_shim_with_a_container_that_nobody_lists_lives(node: Node, shim: subprocess.Popen[str]) -> None:
    other = 'sed -i "s/^wasm [0-9]* /wasm 1 /" "$work/mute"; touch "$ctr.lost"'
    node.run("1.7", f"hold_tasks; {other}; end_lost_tasks")
    assert shim.poll() is None


def test_a_shim_that_is_not_ours_lives(node: Node, shim: subprocess.Popen[str]) -> None:
    node.run("1.7", 'opt=/elsewhere; hold_tasks; touch "$ctr.lost"; end_lost_tasks')
    assert shim.poll() is None
