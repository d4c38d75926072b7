"""The one way to wait: what for, until when, by which clock; the error tells the last state seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from aks_wasm.errors import Interrupted, TimedOut
from aks_wasm.events import Progress

T = TypeVar("T")

FIRST_PAUSE = 0.1  # seconds; short enough that waiting for something quick costs nothing
LONGEST_PAUSE = 10.0  # seconds; AKS allows 2 status reads a second per subscription (quotas-skus-regions)
PAUSE_SHARE = 0.05  # of the time waited so far, so that a wait ends at most about 5 % late
LOST_SECONDS = 120.0  # how long a wait outlives a lost connection or a failing gateway; AKS restarts API servers


class Clock(Protocol):
    """Where time comes from. Tests hand in one that does not sleep."""

    def now(self) -> float:
        """Return monotonic seconds."""

    def pause(self, seconds: float) -> bool:
        """Sleep; return True when interrupted instead."""


@dataclass
class SystemClock:
    """Real time, cut short by `interrupt()` from a signal handler."""

    stopped: threading.Event = field(default_factory=threading.Event)

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def pause(self, seconds: float) -> bool:
        """Sleep up to `seconds`; return True when interrupted."""
        return self.stopped.wait(seconds)

    def interrupt(self) -> None:
        """End every wait on this clock with Interrupted."""
        self.stopped.set()


@dataclass(frozen=True)
class Seen(Generic[T]):
    """One look: the state in words, and the result once there is nothing more to wait for.

    Attributes:
        state: What was seen, shown as progress (unless it is empty) and in the time-out's message.
        done: Whether the wait is over.
        value: What the wait returns when done.
        pause: Seconds to the next look that the service asked for (Retry-After), or None.
    """

    state: str
    done: bool = False
    value: T | None = None
    pause: float | None = None


@dataclass(frozen=True)
class Patience:
    """How long to wait, by which clock, and who hears of each new state.

    Attributes:
        timeout: Seconds until TimedOut.
        clock: Where time comes from.
        on_state: Called with each state that differs from the one before.
    """

    timeout: float
    clock: Clock
    on_state: Progress = lambda _state: None


class Tolerant(Generic[T]):
    """A look that may go unanswered for LOST_SECONDS: over a lost connection, a failing gateway, a restart."""

    def __init__(
        self,
        look: Callable[[], Seen[T]],
        clock: Clock,
        is_lost: Callable[[Exception], bool],
        state: str = "no answer; trying again",
        pause: float | None = None,
    ) -> None:
        """Take the look.

        Args:
            look: What is tried.
            clock: Where time comes from.
            is_lost: Whether an error of the look says that nobody answered; any other is raised at once.
            state: What is seen meanwhile.
            pause: Seconds to the next try; None as with any wait.
        """
        self._look = look
        self._clock = clock
        self._is_lost = is_lost
        self._meanwhile: Seen[T] = Seen(state, pause=pause)
        self._lost_since: float | None = None

    def __call__(self) -> Seen[T]:
        """Look, unless nobody answers."""
        try:
            seen = self._look()
        except Exception as error:
            now = self._clock.now()
            self._lost_since = now if self._lost_since is None else self._lost_since
            if not self._is_lost(error) or now - self._lost_since > LOST_SECONDS:
                raise
            return self._meanwhile
        self._lost_since = None
        return seen


def wait_until(probe: Callable[[], Seen[T]], *, what: str, patience: Patience, hint: str | None = None) -> T | None:
    """Look again and again until `probe` says done; return its value.

    A state without return is the probe's to raise. Pauses grow with the time waited.

    Args:
        probe: One look.
        what: The subject of the sentence, for example "node pool `wasm`".
        patience: How long, by which clock, who hears of it.
        hint: Put into the time-out error.

    Raises:
        TimedOut: `patience.timeout` seconds went by; the message names the last state.
        Interrupted: The clock was interrupted.
    """
    start = patience.clock.now()
    last = ""
    while True:
        seen = probe()
        if seen.state != last:
            last = seen.state
            if last:
                patience.on_state(last)
        if seen.done:
            return seen.value
        waited = patience.clock.now() - start
        if waited >= patience.timeout:
            raise TimedOut(f"{what} was not ready after {waited:.0f} s (last seen: {last})", hint=hint)
        pause = seen.pause if seen.pause is not None else min(LONGEST_PAUSE, max(FIRST_PAUSE, PAUSE_SHARE * waited))
        if patience.clock.pause(min(pause, max(0.0, patience.timeout - waited))):
            raise Interrupted(f"stopped waiting for {what} (last seen: {last})")
