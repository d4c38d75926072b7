"""Ties a container's process to its agent and to its memory limit. Runs inside that process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.01  # a module that fills memory as fast as it can is some ten MiB over by then
_STATM = Path("/proc/self/statm")


def die_with(parent: int) -> None:
    """End this process as soon as its agent is gone, however that ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    if sys.platform != "linux":
        threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


class MemoryWatch:
    """Kills the process when the module uses more than its limit, as the kernel kills a container's shim.

    What is counted is resident memory beyond what the process had when the watch began, so that Python and the
    compiled module are not held against the limit.
    """

    def __init__(self, limit: int | None) -> None:
        """Begin to watch; None watches nothing."""
        self._limit = limit
        if limit is None:
            return
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # forgets the peak that compiling may have left
        self._start = _resident()
        self._peak_start = _peak()
        threading.Thread(target=self._watch, daemon=True).start()

    def check(self) -> None:
        """Kill the process if the limit was exceeded between two looks; call before it ends by itself."""
        if self._limit is not None and _peak() - max(self._peak_start, self._start) > self._limit:
            _kill()

    def _watch(self) -> None:
        assert self._limit is not None  # noqa: S101 - the thread is only started with a limit
        while True:
            if _resident() - self._start > self._limit:
                _kill()
            time.sleep(_POLL_SECONDS)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _resident() -> int:
    if sys.platform == "linux":
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    return _peak()


def _peak() -> int:
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
