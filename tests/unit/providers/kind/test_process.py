from __future__ import annotations

import os
import sys
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


def test_a_program_keeps_the_lock_that_it_was_given(tmp_path: Path) -> None:
    """As kind does when we are killed while it works: the next run waits for it."""
    path = tmp_path / "lock"
    code = (
        "import subprocess; from pathlib import Path; from aks_wasm.providers.kind.lock import try_lock; "
        f"handle = try_lock(Path({str(path)!r})); quiet = subprocess.DEVNULL; "
        "print(subprocess.Popen(['sleep', '30'], pass_fds=(handle,), stdout=quiet, stderr=quiet).pid)"
    )
    done = run((sys.executable, "-c", code))
    child = int(done.out)
    try:
        assert try_lock(path) is None
    finally:
        os.kill(child, 9)
    deadline = time.monotonic() + 5
    while (handle := try_lock(path)) is None and time.monotonic() < deadline:
        pass
    assert handle is not None
    os.close(handle)
