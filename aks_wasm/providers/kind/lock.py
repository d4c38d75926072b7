"""One run at a time on a cluster; the lock goes with its holders, however they end."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aks_wasm.errors import OperationInProgress, TimedOut
from aks_wasm.providers.kind.folder import unwritable
from aks_wasm.waits import Patience, Seen, wait_until

_HINT = "wait for the other run, then run the same command again"


def try_lock(path: Path, text: str = "") -> int | None:
    """Return the descriptor that holds the lock on a file, or None when somebody else holds it.

    Args:
        path: The file; its folder is made.
        text: Written into it for those who look, for example our pid.

    Raises:
        AksWasmError: The file can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        current = os.stat(path).st_ino == os.fstat(handle).st_ino  # noqa: PTH116 - beside fstat
    except (BlockingIOError, FileNotFoundError):
        current = False
    if not current:  # held, or deleted by the one who held it before
        os.close(handle)
        return None
    os.ftruncate(handle, os.pwrite(handle, text.encode(), 0))
    return handle


def holder(path: Path) -> str | None:
    """Return what the one who holds the lock wrote into its file; None when nobody does. Nothing is written."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(handle, 64, 0).decode("ascii", "replace")
    finally:
        os.close(handle)
    return None


@contextmanager
def alone(path: Path, what: str, patience: Patience) -> Iterator[int]:
    """Hold the lock; programs that are handed its descriptor hold it on when we are killed.

    Raises:
        OperationInProgress: Somebody else held it all the time.
        Interrupted: The user stopped waiting.
    """

    def look() -> Seen[int]:
        handle = try_lock(path, str(os.getpid()))
        return Seen("another run is at work" if handle is None else "", done=handle is not None, value=handle)

    try:
        handle = wait_until(look, what=what, patience=patience)
    except TimedOut as error:
        raise OperationInProgress(f"another run is at work on {what}", code="RunInProgress", hint=_HINT) from error
    if handle is None:
        raise OperationInProgress(f"another run is at work on {what}", code="RunInProgress", hint=_HINT)
    try:
        yield handle
    finally:
        os.close(handle)
