"""Progress for logs: one line per event, each with the time since the start; no colour, no cursor movement.

Answers demand 9 of shared/facts/demands.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import assert_never

from aks_wasm.display.errors import render_error
from aks_wasm.display.terminal import write_talk
from aks_wasm.display.text import DONE, FAILED, RUNNING, SKIPPED, WARNING, duration, one_line, redact
from aks_wasm.errors import AksWasmError
from aks_wasm.events import Event, StepFailed, StepFinished, StepProgressed, StepSkipped, StepStarted, Warned


class SilentDisplay:
    """No progress; remarks and errors only."""

    def emit(self, event: Event) -> None:
        """Show warnings, which are not progress, and nothing else."""
        if isinstance(event, Warned):
            self.say(f"warning: {one_line(event.message)}")

    def say(self, text: str) -> None:
        """Show a remark."""
        write_talk(redact(text) + "\n")

    def fail(self, error: AksWasmError, *, verbose: bool) -> None:
        """Show why the command ends."""
        self.say(render_error(error, verbose=verbose))

    def close(self) -> None:
        """Nothing to put back."""


class PlainDisplay(SilentDisplay):
    """One line per event."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._start = now()
        self._states: dict[str, str] = {}

    def emit(self, event: Event) -> None:
        """Write the event's line; a state that was told already is not told again."""
        if isinstance(event, StepProgressed):
            if self._states.get(event.step) == event.message:
                return
            self._states[event.step] = event.message
        elapsed = duration(self._now() - self._start)
        self.say(f"{elapsed:>9}  {event_line(event)}")


def event_line(event: Event) -> str:
    """Return an event as one line; a step goes by its name once its sentence was told."""
    match event:
        case StepStarted(step, summary):
            text = f"{RUNNING} {step}: {summary}"
        case StepProgressed(step, message):
            text = f"{RUNNING} {step}: {message}"
        case StepSkipped(step, reason):
            text = f"{SKIPPED} {step}: {reason}"
        case StepFinished(step, seconds, message):
            text = f"{DONE} {step} [{duration(seconds)}]" + (f": {message}" if message else "")
        case StepFailed(step, seconds, message):
            text = f"{FAILED} {step} [{duration(seconds)}]: {message}"
        case Warned(message):
            text = f"{WARNING} {message}"
        case _:
            assert_never(event)
    return one_line(text)
