from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from aks_wasm.emulator.launch import Running, Wanted, hold_daemon_lock, start, status, stop
from aks_wasm.emulator.layout import FileLock, Layout
from aks_wasm.errors import AksWasmError, UsageError
from aks_wasm.settings import Settings

QUICK = Wanted(pace="0")


@pytest.fixture
def settings(tmp_path) -> Iterator[Settings]:
    here = Settings(home=tmp_path / "home")
    yield here
    stop(here)


@pytest.fixture(scope="module")
def started(tmp_path_factory) -> Iterator[Running]:
    """A daemon that its tests only look at."""
    here = Settings(home=tmp_path_factory.mktemp("launch") / "home")
    yield start(here, Wanted(pace="0.5", service_age="2022"))
    stop(here)


@pytest.fixture
def layout(settings) -> Layout:
    return Layout.of(settings.home)


def has_ended(pid: int) -> bool:
    """Its lock is free a moment before the kernel has taken the process away."""
    patience = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < patience:
        time.sleep(0.01)
    return not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        # A zombie has ended; it waits for init to count it.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def answers(url: str) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


def test_a_started_emulator_answers_and_lives_apart_from_its_starter(started):
    assert (started.fresh, started.pace, started.service_age) == (True, 0.5, "2022")
    assert started.client().get("status")["pid"] == started.pid
    assert os.getsid(started.pid) == started.pid
    assert status(Settings(home=started.home)) == replace(started, fresh=False)


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(pace="0.50", service_age="2022")])
def test_a_second_start_takes_the_running_one(started, wanted):
    again = start(Settings(home=started.home), wanted)
    assert (again.pid, again.url, again.fresh) == (started.pid, started.url, False)


@pytest.mark.parametrize("wanted", [Wanted(pace="1"), Wanted(service_age="today"), Wanted(port=1)])
def test_a_running_one_is_not_taken_for_another_kind(started, wanted):
    with pytest.raises(AksWasmError) as caught:
        start(Settings(home=started.home), wanted)
    assert caught.value.code == "EmulatorDiffers"
    assert "aks-wasm emulator stop" in caught.value.hint
    assert is_alive(started.pid)


def test_two_starts_at_once_make_one_emulator(settings):
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: start(settings, QUICK), range(2)))
    assert len({one.pid for one in both}) == 1
    assert sorted(one.fresh for one in both) == [False, True]


def test_stop_leaves_no_process_no_port_and_no_lock_though_a_client_stays_connected(settings, layout):
    running = start(settings, QUICK)
    with closing(socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2])))):
        assert stop(settings)
    assert has_ended(running.pid)
    assert not answers(running.url)
    assert not layout.information.exists()
    with FileLock(layout.daemon_lock) as lock:
        assert lock.acquire()
    assert status(settings) is None
    assert not stop(settings)


def test_stop_finds_the_process_when_the_control_api_cannot_be_asked(settings, layout):
    running = start(settings, QUICK)
    layout.information.unlink()
    assert status(settings) is None
    assert stop(settings)
    assert has_ended(running.pid)


def test_stopping_what_was_never_started_makes_nothing(settings):
    assert not stop(settings)
    assert not settings.home.exists()


def test_state_and_port_live_through_kill_9(settings, layout):
    killed = start(settings, QUICK)
    killed.client().request("POST", "faults", {"fault": "quota", "id": "mine"})
    os.kill(killed.pid, signal.SIGKILL)
    again = start(settings, QUICK)
    assert again.fresh
    assert again.url == killed.url
    assert [fault["id"] for fault in again.client().get("faults")["faults"]] == ["mine"]


def test_what_a_dead_one_left_behind_is_not_taken_for_a_running_one(settings, layout):
    layout.make()
    # Process 1 lives, so a pid alone proves nothing.
    layout.information.write_text(json.dumps({"pid": 1, "url": "https://localhost:1", "token": "x"}))
    layout.daemon_lock.write_text("1")
    assert status(settings) is None
    assert not stop(settings)
    assert start(settings, QUICK).fresh


def test_a_port_in_use_is_named_and_nothing_stays_behind(settings, layout):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AksWasmError, match=f"port {port} on 127.0.0.1 is in use") as caught:
            start(settings, Wanted(port=port))
    assert caught.value.code == "PortInUse"
    assert "--port" in caught.value.hint
    with FileLock(layout.daemon_lock) as lock:
        assert lock.acquire()


def test_the_port_of_last_time_is_preferred_but_not_insisted_on(settings):
    first = start(settings, QUICK)
    stop(settings)
    with closing(socket.create_server(("127.0.0.1", int(first.url.rpartition(":")[2])))):
        second = start(settings, QUICK)
        assert second.url != first.url
        stop(settings)
    assert start(settings, QUICK).url == second.url


@pytest.mark.parametrize("home", ["file/home", "/proc/aks-wasm"])
def test_a_home_that_cannot_be_made_is_named_with_the_way_out(tmp_path, home):
    (tmp_path / "file").touch()
    with pytest.raises(AksWasmError, match="can't be written") as caught:
        start(Settings(home=tmp_path / home))
    assert caught.value.code == "HomeUnwritable"
    assert "AKS_WASM_HOME" in caught.value.hint


def test_a_full_disk_is_told_by_the_daemon_itself(settings, layout):
    # No file may grow beyond a few blocks: the next best thing to a full disk that needs no mount.
    script = 'ulimit -f 16; exec "$@"'
    command = [sys.executable, "-m", "aks_wasm.emulator", "--home", str(settings.home)]
    shown = subprocess.run(["/bin/sh", "-c", script, "sh", *command], capture_output=True, text=True, check=False)
    assert shown.returncode == 1
    assert f"`{layout.state}` can't be written" in shown.stderr
    assert "hint: free space there" in shown.stderr


def test_a_state_that_cannot_be_read_is_told_by_the_daemon_itself(settings, layout):
    layout.make()
    layout.state.write_text("not a database" * 100)
    with pytest.raises(AksWasmError, match="can't be read") as caught:
        start(settings, QUICK)
    assert caught.value.code == "StateBroken"


def test_a_daemon_that_dies_without_a_word_is_told_by_the_last_line_of_its_log(settings, layout, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", str(settings.home))  # no interpreter starts with that
    with pytest.raises(AksWasmError, match=r"ended while starting: .+") as caught:
        start(settings, QUICK)
    assert caught.value.code == "EmulatorDied"
    assert str(layout.log) in caught.value.hint


@pytest.mark.parametrize("pace", ["fast", "-1"])
def test_what_is_no_pace_is_a_usage_error_before_anything_is_made(settings, pace):
    with pytest.raises(UsageError, match=f"`{pace}` is not a pace"):
        start(settings, Wanted(pace=pace))
    assert not settings.home.exists()


def test_secrets_are_in_private_files_and_not_in_the_log(settings, layout):
    running = start(settings, QUICK)
    secret = running.client().get("environment")["AZURE_CLIENT_SECRET"]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in layout.root.iterdir()}
    assert {mode for name, mode in modes.items() if (layout.root / name).is_file()} == {0o600}
    assert {mode for name, mode in modes.items() if (layout.root / name).is_dir()} == {0o700}
    assert stat.S_IMODE(layout.root.stat().st_mode) == 0o700
    stop(settings)
    written = layout.log.read_text()
    assert "answering at" in written
    assert running.token not in written
    assert secret not in written


def test_a_log_that_has_grown_long_moves_aside(settings, layout):
    layout.make()
    layout.log.touch()
    os.truncate(layout.log, 6 * 1024 * 1024)
    start(settings, QUICK)
    assert layout.log.stat().st_size < 10_000
    assert layout.log.with_suffix(".log.1").stat().st_size == 6 * 1024 * 1024


def test_two_daemons_on_one_home_are_refused(started):
    with pytest.raises(AksWasmError, match=f"process {started.pid}") as caught:
        hold_daemon_lock(started.home)
    assert caught.value.code == "EmulatorRuns"


def test_the_module_starts_a_detached_one_and_prints_its_url(settings):
    command = [sys.executable, "-m", "aks_wasm.emulator", "--home", str(settings.home), "--pace", "0"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    running = status(settings)
    assert running is not None
    assert shown.stdout == f"{running.url}\n"


def test_one_in_the_foreground_ends_on_an_interrupt_with_its_port(settings):
    command = [sys.executable, "-m", "aks_wasm.emulator", "--home", str(settings.home), "--foreground"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert "answering at" in first
        running = status(settings)
        assert running is not None
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert not answers(running.url)
