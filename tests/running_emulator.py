"""A running emulator for tests: the daemon's application in a thread of its own, on a free port, pace 0."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest

from aks_wasm.emulator.client import ControlClient
from aks_wasm.emulator.environment import variables
from aks_wasm.emulator.launch import Running, hold_daemon_lock, status
from aks_wasm.settings import Settings

if TYPE_CHECKING:
    from aks_wasm.emulator.daemon import Daemon

Age = Literal["2022", "today"]
ANSWER_SECONDS = 60  # a test that hangs here hangs for good
GOODBYE_SECONDS = 0.1  # what open TLS connections get to end; asyncio warns of those that the loop's end cuts off


class RunningEmulator:
    """One emulator; `stop` and `start` again keep its state and its ports.

    Attributes:
        home: Its AKS_WASM_HOME.
        running: What `launch.status` says of it.
    """

    running: Running

    def __init__(self, home: Path, *, age: Age = "today", pace: float = 0.0, port: int | None = None) -> None:
        self.home = home
        self._age: Age = age
        self._pace = pace
        self._port = port
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Resource Manager, sign-in and registry: https://localhost:PORT."""
        return self.running.url

    @property
    def ca_file(self) -> Path:
        """The certificate to trust at `url`."""
        return self.running.ca_file

    @property
    def environment(self) -> dict[str, str]:
        """What `aks-wasm emulator env` gives; sign in with AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, ..."""
        return variables(self.running, {})

    @property
    def client(self) -> ControlClient:
        """A client of the control API."""
        return self.running.client()

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Send a request to the control API: `control("PUT", "clusters/a", {...})`."""
        return self.client.request(method, path, body)

    def requests(self, api: str = "arm", since: int = 0) -> list[dict[str, Any]]:
        """Return the journal's requests of one API: `arm`, `identity`, `kubernetes` or `registry`."""
        entries = self.control("GET", f"requests?since={since}")["requests"]
        return [entry for entry in entries if entry["api"] == api]

    def start(self) -> None:
        """Start it; it answers when this returns."""
        outcome: list[BaseException | None] = []
        answered = threading.Event()

        def note(error: BaseException | None) -> None:
            outcome.append(error)
            answered.set()

        self._thread = threading.Thread(target=self._live, args=(note,), name="emulator")
        self._thread.start()
        assert answered.wait(ANSWER_SECONDS), "the emulator did not start"
        if outcome[0] is not None:
            self._thread.join(ANSWER_SECONDS)
            raise outcome[0]
        running = status(Settings(home=self.home))
        assert running is not None
        self.running = running

    def stop(self) -> None:
        """Stop it; harmless when it does not run."""
        if self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._daemon.stopped.set)
            self._thread.join(ANSWER_SECONDS)
            assert not self._thread.is_alive(), "the emulator did not stop"
        self._thread = None

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def _make(self) -> Daemon:
        # Tests that need no emulator do not pay for its imports.
        from aks_wasm.emulator.clock import Pace
        from aks_wasm.emulator.daemon import Daemon, DaemonOptions

        return Daemon(DaemonOptions(self.home, self._port, Pace(self._pace), self._age))

    def _live(self, note: Callable[[BaseException | None], None]) -> None:
        async def live() -> None:
            self._loop, self._daemon = asyncio.get_running_loop(), self._make()
            await self._daemon.start()
            note(None)
            await self._daemon.stopped.wait()
            await self._daemon.stop()
            await asyncio.sleep(GOODBYE_SECONDS)

        try:
            with hold_daemon_lock(self.home):
                asyncio.run(live())
        except BaseException as error:
            note(error)
            raise


class EmulatorFactory(Protocol):
    """Starts emulators of their own for one test."""

    def __call__(self, *, age: Age = "today", pace: float = 0.0, home: Path | None = None) -> RunningEmulator:
        """Start one; it is stopped at the test's end."""


@contextmanager
def running_emulator(home: Path, *, age: Age = "today", pace: float = 0.0) -> Iterator[RunningEmulator]:
    """Run an emulator on a home for the length of a `with`."""
    emulator = RunningEmulator(home, age=age, pace=pace)
    emulator.start()
    try:
        yield emulator
    finally:
        emulator.stop()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """The emulator that all tests of a worker share: take names of your own, leave no faults behind."""
    with running_emulator(tmp_path_factory.mktemp("emulator-today")) as running:
        yield running


@pytest.fixture(scope="session")
def emulator_2022(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """The same of the year 2022, when WASI node pools were granted."""
    with running_emulator(tmp_path_factory.mktemp("emulator-2022"), age="2022") as running:
        yield running


@pytest.fixture
def start_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorFactory]:
    """Start emulators of one's own: for restarts, faults, counted requests."""
    started: list[RunningEmulator] = []

    def start(*, age: Age = "today", pace: float = 0.0, home: Path | None = None) -> RunningEmulator:
        one = RunningEmulator(home or tmp_path_factory.mktemp("emulator"), age=age, pace=pace)
        started.append(one)
        one.start()
        return one

    yield start
    for one in started:
        one.stop()
