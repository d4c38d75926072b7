from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from aks_wasm.errors import Interrupted, OperationInProgress, ServiceError, TimedOut
from aks_wasm.providers.kind.lock import alone, holder, try_lock
from aks_wasm.providers.kind.process import Watched, run, watch
from aks_wasm.waits import SystemClock
from tests.contract.targets import patience

SH = ("/bin/sh", "-c")


def test_output_and_code_are_kept_apart() -> None:
    done = run((*SH, "cat; echo said >&2; exit 3"), data=b"asked")
    assert (done.code, done.out, done.err) == (3, "asked", "said\n")


def test_the_last_error_line_is_the_message() -> None:
    done = run((*SH, "printf 'one\\nERROR: failed to create cluster: no space\\ntwo\\n' >&2; exit 1"))
    with pytest.raises(ServiceError, match=r"^cannot do it: failed to create cluster: no space$") as caught:
        done.checked("do it", hint="free some")
    assert caught.value.hint == "free some"
    assert caught.value.details is not None
    assert caught.value.details.startswith("one")


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(ServiceError, match="`no-such-program` cannot be started") as caught:
        run(("no-such-program",))
    assert caught.value.hint


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(TimedOut, match="did not end within 0 s"):
        run(("sleep", "60"), timeout=0.1)


def test_the_last_step_of_a_long_run_is_its_state(tmp_path: Path) -> None:
    states: list[str] = []
    script = "printf ' \\342\\200\\242 Preparing nodes \\360\\237\\223\\246  ...\\n'; sleep 0.3; cat; exit 2"
    done = watch((*SH, script), Watched("it", tmp_path / "a" / "log"), patience(seen=states), data=b"given\n")
    assert done.code == 2
    assert done.err.splitlines()[-1] == "given"
    assert states == ["Preparing nodes"]


def test_an_interrupt_ends_the_program(tmp_path: Path) -> None:
    clock = SystemClock()
    clock.interrupt()
    pid = tmp_path / "pid"
    with pytest.raises(Interrupted):
        watch((*SH, f"echo $$ >{pid}; exec sleep 60"), Watched("it", tmp_path / "log"), patience(clock=clock))
    if pid.exists() and pid.read_text().strip():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)


def test_a_lock_is_held_by_one_and_told_to_others(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    assert holder(path) is None
    with alone(path, "the cluster `a`", patience()):
        assert holder(path) == str(os.getpid())
        with (
            pytest.raises(OperationInProgress, match="another run is at work on the cluster `a`"),
            alone(path, "the cluster `a`", patience(0.0)),
        ):
            pass
    assert holder(path) is None


def test_a_lock_whose_file_was_deleted_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with alone(path, "it", patience()):
        path.unlink()
        handle = try_lock(path)
        assert handle is not None
        os.close(handle)


WATCHES = """
import sys
from pathlib import Path
from aks_wasm.providers.kind.lock import try_lock
from aks_wasm.providers.kind.process import Watched, watch
from tests.contract.targets import patience
folder = Path(sys.argv[1])
handle = try_lock(folder / "lock")
watch(("/bin/sh", "-c", sys.argv[2]), Watched("it", folder / "log", keep=handle), patience())
"""


def taken(path: Path) -> bool:
    """Take the lock as soon as it is free, and leave it."""
    deadline = time.monotonic() + 10
    while (handle := try_lock(path)) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if handle is not None:
        os.close(handle)
    return handle is not None


def test_the_lock_is_held_until_the_program_ends_also_when_we_are_killed(tmp_path: Path) -> None:
    """The next run waits for kind, which works on."""
    script = f"echo $$ >{tmp_path}/pid; while test ! -e {tmp_path}/end; do sleep 0.02; done"
    with subprocess.Popen([sys.executable, "-c", WATCHES, str(tmp_path), script]) as ours:
        while not (tmp_path / "pid").exists():
            assert ours.poll() is None
        ours.kill()
    assert try_lock(tmp_path / "lock") is None
    (tmp_path / "end").touch()
    assert taken(tmp_path / "lock")


def test_what_the_program_leaves_running_holds_no_lock(tmp_path: Path) -> None:
    """Podman's resolver is such a thing: it lives as long as the nodes."""
    handle = try_lock(tmp_path / "lock")
    assert handle is not None
    script = f"sleep 60 >/dev/null 2>&1 & echo $! >{tmp_path}/pid; exit 3"
    done = watch((*SH, script), Watched("it", tmp_path / "log", keep=handle), patience())
    os.close(handle)
    try:
        assert done.code == 3
        assert taken(tmp_path / "lock")
    finally:
        os.kill(int((tmp_path / "pid").read_text()), 9)


def test_an_interrupt_ends_a_program_that_holds_a_lock_too(tmp_path: Path) -> None:
    clock = SystemClock()
    handle = try_lock(tmp_path / "lock")
    assert handle is not None
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    script = f"trap 'touch {ended}; exit' TERM; touch {begun}; while :; do sleep 0.02; done"

    def interrupt() -> None:
        while not begun.exists():
            time.sleep(0.01)
        clock.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Interrupted):
        watch((*SH, script), Watched("it", tmp_path / "log", keep=handle), patience(clock=clock))
    thread.join()
    os.close(handle)
    assert ended.exists()
    assert taken(tmp_path / "lock")
