"""Starting, stopping and finding the daemon; safe when several do it at once, and after `kill -9`."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aks_wasm.emulator.client import ControlClient
from aks_wasm.emulator.clock import DEFAULT_FACTOR, Pace
from aks_wasm.emulator.detach import START_SECONDS, died, spawn
from aks_wasm.emulator.layout import FileLock, Layout, unwritable
from aks_wasm.errors import AksWasmError, ServiceError, TimedOut, UsageError
from aks_wasm.settings import Settings
from aks_wasm.waits import Clock, Patience, Seen, SystemClock, wait_until

STOP_SECONDS = 15.0  # what a daemon gets to stop by itself, then for SIGTERM, before SIGKILL
STATUS_SECONDS = 10.0  # what a daemon gets to answer its status; a busy machine is slow


@dataclass(frozen=True)
class Wanted:
    """What a daemon is asked to be; None takes what is there, or the default.

    Attributes:
        port: Of the front door.
        pace: A factor from 0 on, or `real`.
        service_age: `today` or `2022`.
    """

    port: int | None = None
    pace: str | None = None
    service_age: str | None = None


@dataclass(frozen=True)
class Running:
    """A daemon that answers.

    Attributes:
        url: Its front door: Resource Manager, sign-in, registry.
        pid: Its process.
        pace: Its factor of time.
        service_age: `today` or `2022`.
        home: Its AKS_WASM_HOME.
        clusters: What runs on it: {key, url, running} each.
        fresh: Whether this call started it.
        token: Opens the control API.
    """

    url: str
    pid: int
    pace: float
    service_age: str
    home: Path
    clusters: tuple[dict[str, Any], ...] = ()
    fresh: bool = False
    token: str = field(default="", repr=False)

    @property
    def ca_file(self) -> Path:
        """The certificate to trust at `url`."""
        return Layout.of(self.home).certificate

    def client(self) -> ControlClient:
        """Return a client of its control API."""
        return ControlClient(self.url, self.token, self.ca_file)


def start(settings: Settings, wanted: Wanted | None = None, clock: Clock | None = None) -> Running:
    """Start the daemon and wait until it answers; one that runs already is taken as it is.

    Raises:
        UsageError: The pace is none.
        AksWasmError: It runs with other options, the port is in use, the home can't be written, or it died.
        TimedOut: It does not answer.
    """
    wanted = wanted or Wanted()
    parse_pace(wanted.pace or str(DEFAULT_FACTOR))
    layout = Layout.of(settings.home)
    layout.make()
    with _alone(layout, clock or SystemClock()):
        running = _await_earlier_one(settings, clock or SystemClock())
        if running is not None:
            _check_same(running, wanted)
            return running
        _remove(layout.information)
        spawn(layout, _options(wanted))
        running = status(settings)
        if running is None:
            raise died(layout)
        return replace(running, fresh=True)


def stop(settings: Settings, clock: Clock | None = None) -> bool:
    """Stop the daemon, in the end by force; return False when none ran. All state is kept.

    Raises:
        TimedOut: It can't be stopped.
    """
    layout = Layout.of(settings.home)
    if not layout.root.is_dir():
        return False
    clock = clock or SystemClock()
    with _alone(layout, clock):
        if _is_free(layout.daemon_lock):
            _remove(layout.information)
            return False
        for ask in (_ask_to_stop, _terminate, _kill):
            with suppress(TimedOut, ServiceError, OSError, ValueError, KeyError):
                ask(layout)
                _await_end(layout, clock, STOP_SECONDS)
                return True
        raise TimedOut(f"the emulator (process {FileLock(layout.daemon_lock).holder()}) can't be stopped")


def status(settings: Settings) -> Running | None:
    """Return the daemon if one answers, else None."""
    layout = Layout.of(settings.home)
    try:
        known = json.loads(layout.information.read_text())
        client = ControlClient(known["url"], known["token"], layout.certificate, STATUS_SECONDS)
        answer = client.get("status")
    except (OSError, ValueError, KeyError, AksWasmError):
        return None
    return Running(
        url=answer["url"],
        pid=answer["pid"],
        pace=answer["pace"],
        service_age=answer["serviceAge"],
        home=settings.home,
        clusters=tuple(answer["clusters"]),
        token=known["token"],
    )


def parse_pace(text: str) -> Pace:
    """Read `--pace`.

    Raises:
        UsageError: It is neither a number from 0 on nor `real`.
    """
    try:
        return Pace.parse(text)
    except ValueError as error:
        raise UsageError(f"`{text}` is not a pace", hint="0, a factor such as 0.01, or `real`") from error


def hold_daemon_lock(home: Path, clock: Clock | None = None) -> FileLock:
    """Return the daemon's lock, held; launchers that look at it let go at once, so it is tried for a second.

    Raises:
        AksWasmError: Another daemon runs on this home.
    """
    layout = Layout.of(home)
    layout.make()
    lock = FileLock(layout.daemon_lock)
    try:
        wait_until(
            lambda: Seen("held", done=lock.acquire()), what="the lock", patience=Patience(1.0, clock or SystemClock())
        )
    except TimedOut as error:
        raise AksWasmError(
            f"an emulator runs on `{layout.root}` already (process {lock.holder()})",
            code="EmulatorRuns",
            hint="stop it with `aks-wasm emulator stop`, or set another `AKS_WASM_HOME`",
        ) from error
    return lock


@contextmanager
def _alone(layout: Layout, clock: Clock) -> Iterator[None]:
    """Keep other launchers out; they hold the lock for seconds at most."""
    lock = FileLock(layout.launch_lock)
    patience = Patience(START_SECONDS + 3 * STOP_SECONDS, clock)
    wait_until(lambda: Seen("being started or stopped", done=lock.acquire()), what="the emulator", patience=patience)
    with lock:
        yield


def _await_earlier_one(settings: Settings, clock: Clock) -> Running | None:
    """Return the daemon that runs, once it answers; None when there is none, or once a leaving one has left."""

    def look() -> Seen[Running]:
        running = status(settings)
        if running is not None:
            return Seen("answers", done=True, value=running)
        free = _is_free(Layout.of(settings.home).daemon_lock)
        return Seen("gone" if free else "holds its lock, does not answer", done=free)

    hint = "`aks-wasm emulator stop` ends it in any case; its state is kept"
    return wait_until(look, what="the emulator", patience=Patience(STOP_SECONDS, clock), hint=hint)


def _check_same(running: Running, wanted: Wanted) -> None:
    port = int(running.url.rpartition(":")[2])
    pace = parse_pace(wanted.pace).factor if wanted.pace is not None else running.pace
    pairs = (
        ("--port", port, port if wanted.port is None else wanted.port),
        ("--pace", running.pace, pace),
        ("--service-age", running.service_age, wanted.service_age or running.service_age),
    )
    for flag, is_, asked in pairs:
        if is_ != asked:
            raise AksWasmError(
                f"the emulator runs with `{flag} {is_}`, not with `{asked}`",
                code="EmulatorDiffers",
                hint="run `aks-wasm emulator stop` first; its clusters are kept",
            )


def _options(wanted: Wanted) -> list[str]:
    pairs = (("--port", wanted.port), ("--pace", wanted.pace), ("--service-age", wanted.service_age))
    return [word for flag, value in pairs if value is not None for word in (flag, str(value))]


def _ask_to_stop(layout: Layout) -> None:
    known = json.loads(layout.information.read_text())
    ControlClient(known["url"], known["token"], layout.certificate, STATUS_SECONDS).request("POST", "stop")


def _terminate(layout: Layout) -> None:
    pid = FileLock(layout.daemon_lock).holder()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)


def _kill(layout: Layout) -> None:
    pid = FileLock(layout.daemon_lock).holder()
    if pid is None:
        return
    if os.getpgid(pid) == pid:
        os.killpg(pid, signal.SIGKILL)  # the containers with it
    else:
        os.kill(pid, signal.SIGKILL)


def _await_end(layout: Layout, clock: Clock, timeout: float) -> None:
    lock = layout.daemon_lock
    patience = Patience(timeout, clock)
    wait_until(lambda: Seen("still running", done=_is_free(lock)), what="the emulator's end", patience=patience)
    _remove(layout.information)


def _is_free(path: Path) -> bool:
    with FileLock(path) as lock:
        return lock.acquire()


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
