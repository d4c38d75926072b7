"""Running other programs: kind and the container engine; what goes wrong leaves here as our error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aks_wasm.errors import AksWasmError, ServiceError, TimedOut
from aks_wasm.providers.kind.folder import unwritable
from aks_wasm.waits import Patience, Seen, wait_until

SHORT = 60.0  # seconds; for what only asks
STOP_SECONDS = 5.0  # what a program gets to end by itself once nobody waits for it any more
LOOK_SECONDS = 0.1  # between looks at a program that runs long
_LAST_LINES = 15
# Holds a descriptor until a program ends, which itself does not get it: Podman leaves its resolver running, for one.
_HOLD = """
import os, signal, sys
os.set_inheritable(int(sys.argv[1]), False)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
started = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, setsigdef=[signal.SIGTERM])
code = os.waitstatus_to_exitcode(os.waitpid(started, 0)[1])
sys.exit(code if code >= 0 else 128 - code)
"""
_STEP_MARKS = ("•", "✓", "✗")  # of kind; what the engine says meanwhile is for the log


@dataclass(frozen=True)
class Finished:
    """How a program ended, and what it wrote."""

    code: int
    out: str
    err: str

    def checked(self, doing: str, hint: str | None = None) -> str:
        """Return what it wrote to its output.

        Args:
            doing: What it was to do, as in "cannot ...".
            hint: The way out.

        Raises:
            ServiceError: It ended with another code than 0.
        """
        if self.code == 0:
            return self.out
        raise failed(doing, self.err or self.out, hint=hint)


@dataclass(frozen=True)
class Watched:
    """How a long run is watched.

    Attributes:
        what: The subject of the sentence when it takes too long.
        log: Where its output goes: a file, so that it can end what it does even when we are killed.
        keep: A file descriptor that is held for its life, for example of a lock; None for none.
        environment: On top of ours.
    """

    what: str
    log: Path
    keep: int | None = None
    environment: Mapping[str, str] | None = None


def run(
    command: Sequence[str],
    *,
    data: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = SHORT,
) -> Finished:
    """Run a program to its end.

    Args:
        command: Program and arguments.
        data: Its standard input; None for none.
        environment: On top of ours.
        timeout: Seconds.

    Raises:
        ServiceError: It can't be started.
        TimedOut: It took too long, and was ended.
    """
    try:
        done = subprocess.run(
            list(command),
            capture_output=True,
            timeout=timeout,
            env=_environment(environment),
            check=False,
            stdin=subprocess.DEVNULL if data is None else None,
            input=data,
        )
    except subprocess.TimeoutExpired as error:
        raise TimedOut(f"`{_shown(command)}` did not end within {timeout:.0f} s") from error
    except OSError as error:
        raise _not_started(command, error) from error
    return Finished(done.returncode, _text(done.stdout), _text(done.stderr))


def watch(command: Sequence[str], watched: Watched, patience: Patience, *, data: bytes = b"") -> Finished:
    """Run a program that takes long: the last line it wrote is shown, and Ctrl+C ends the wait and the program.

    Raises:
        ServiceError: It can't be started.
        TimedOut: It took too long, and was ended.
        Interrupted: The user stopped waiting; it was ended.
    """
    with _opened(watched.log) as log:
        process = _start(command, watched, log, data)
    try:
        wait_until(
            lambda: Seen(_last_line(watched.log), done=process.poll() is not None, pause=LOOK_SECONDS),
            what=watched.what,
            patience=patience,
        )
    except AksWasmError:
        _end(process)
        raise
    return Finished(process.wait(), "", _tail(watched.log))


def failed(doing: str, said: str, *, code: str | None = None, hint: str | None = None) -> ServiceError:
    """Return the error for a program that said no; its last line is the message, all it said the details."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = next((line for line in reversed(lines) if line.upper().startswith("ERROR")), lines[-1] if lines else "")
    told = told.partition(": ")[2] if told.upper().startswith("ERROR: ") else told
    why = f": {told}" if told else ""
    return ServiceError(f"cannot {doing}{why}", code=code or "EngineFailed", hint=hint, details=said.strip() or None)


def _start(command: Sequence[str], watched: Watched, log: BinaryIO, data: bytes) -> subprocess.Popen[bytes]:
    keep = watched.keep
    holder = () if keep is None else (sys.executable, "-I", "-S", "-c", _HOLD, str(keep))
    try:
        process = subprocess.Popen(
            [*holder, *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(watched.environment),
            pass_fds=() if keep is None else (keep,),
            start_new_session=True,  # Ctrl+C in the terminal is ours to handle
        )
    except OSError as error:
        raise _not_started(command, error) from error
    if process.stdin is not None:
        try:
            process.stdin.write(data)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already and says why in its log
    return process


def _opened(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path.open("wb")
    except OSError as error:
        raise unwritable(path, error) from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program with what it has started; they are a session of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_line(path: Path) -> str:
    """Return the last step that kind tells of, without its marks; empty as long as there is none."""
    steps = [line for line in _tail(path).splitlines() if line.lstrip().startswith(_STEP_MARKS)]
    return "".join(char for char in steps[-1] if char.isascii()).strip(" .") if steps else ""


def _tail(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-_LAST_LINES:])


def _environment(more: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if more is None else {**os.environ, **more}


def _not_started(command: Sequence[str], error: OSError) -> ServiceError:
    return ServiceError(
        f"`{command[0]}` cannot be started: {error.strerror or error}",
        code="EngineMissing",
        hint="install it, or set `local.engine: embedded`, which needs no container engine",
    )


def _shown(command: Sequence[str]) -> str:
    return " ".join(command[:4])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
