"""The program as a process: start-up, pipes, signals, completion."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "from aks_wasm.cli.main import main; main()"
WAIT = 'wait_until(lambda: Seen("Creating"), what="cluster `hello`", patience=Patience(60, clock))'
STUBBORN = "threading.Event().wait()"  # as a request that does not come back
IN_A_WORLD = f"""
import sys, threading
from pathlib import Path
from aks_wasm.cli.context import AppContext
from aks_wasm.cli.main import app
from aks_wasm.settings import Settings
from aks_wasm.waits import Patience, Seen, SystemClock, wait_until
from tests.cli.fakes import World, WorldUseCases

clock = SystemClock()

def wait():
    print("ready", file=sys.stderr, flush=True)
    {WAIT}

def lines():
    print("ready", file=sys.stderr, flush=True)
    while True:
        yield "x" * 1000

use_cases = WorldUseCases(World(half_way=wait))
use_cases.logs = lambda *_, **__: lines()
settings = Settings.from_environment()
app(obj=AppContext(settings, new_clock=lambda: clock, use_cases=use_cases, open_run=use_cases.open_run))
"""
ROOT = Path(__file__).parents[2]


def start(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", "AKS_WASM_HOME": "/nowhere/home", **environment},
    )


def run(code: str, *arguments: str, **environment: str) -> tuple[int, str, str]:
    process = start(code, *arguments, **environment)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("up", "--help"), ("nodepool", "--help")])
def test_starting_up_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    watched = f"import atexit, sys; atexit.register(lambda: print('MODULES', *sys.modules, file=sys.stderr)); {PROGRAM}"
    code, out, err = run(watched, *arguments)
    assert (code, bool(out)) == (0, True)
    loaded = {name.split(".")[0] for name in err.partition("MODULES ")[2].split()}
    assert loaded.isdisjoint(
        {"azure", "kubernetes", "wasmtime", "rich", "pydantic", "yaml", "aiohttp", "requests", "asyncio"}
    )


def test_ctrl_c_in_a_real_process_keeps_its_contract() -> None:
    process = start(IN_A_WORLD, "up", "-o", "json")
    assert process.stderr is not None
    while "ready" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert json.loads(out)["error"]["code"] == "Interrupted"
    assert "go on:     aks-wasm up -o json" in err
    assert "Traceback" not in err


def test_a_second_ctrl_c_leaves_at_once() -> None:
    process = start(IN_A_WORLD.replace(WAIT, STUBBORN), "up")
    assert process.stderr is not None
    while "ready" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    assert "press Ctrl+C again" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_reader_that_leaves_ends_the_stream_quietly() -> None:
    process = start(IN_A_WORLD, "workload", "logs", "hello", "-f")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(1) == "x"
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(30) == 141
    assert err == "ready\n"
    process.stderr.close()


def test_talk_that_nobody_reads_does_not_stop_the_work() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code = IN_A_WORLD.replace("World(half_way=wait)", "World()")
    with os.fdopen(writing, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-c", code, "up", "-o", "name"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=closed,
            text=True,
            cwd=ROOT,
            env={"AKS_WASM_HOME": "/nowhere"},
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "cluster/hello")


def test_marks_that_the_stream_can_not_write_are_replaced() -> None:
    code, _, err = run(IN_A_WORLD.replace("World(half_way=wait)", "World()"), "up", PYTHONIOENCODING="ascii")
    assert code == 0
    assert "(+) cluster/c" in err


@pytest.mark.parametrize(
    ("words", "position", "offered"),
    [
        ("aks-wasm node", 1, ["nodepool"]),
        ("aks-wasm nodepool ", 2, ["list", "add", "scale", "delete"]),
        ("aks-wasm up --tar", 2, ["--target"]),
        ("aks-wasm up --target ", 3, ["azure", "local", "emulator"]),
    ],
)
def test_the_shell_completes(words: str, position: int, offered: list[str]) -> None:
    code, out, _ = run(PROGRAM, _AKS_WASM_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(position))
    assert (code, out.split()) == (0, offered)
