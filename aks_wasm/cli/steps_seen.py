"""Remembers how steps went, from the events alone, so that a failed run can still say so."""

from __future__ import annotations

import threading
from dataclasses import replace

from aks_wasm.events import Event, StepFailed, StepFinished, StepSkipped, StepStarted
from aks_wasm.workflows.results import StepRecord


class StepsSeen:
    """The steps of this run in the order in which they began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, StepRecord] = {}

    def note(self, event: Event) -> None:
        """Take an event."""
        with self._lock:
            match event:
                case StepStarted(step, summary):
                    self._records[step] = StepRecord(step, "running", summary=summary)
                case StepFinished(step, seconds):
                    self._end(step, "done", seconds)
                case StepFailed(step, seconds):
                    self._end(step, "failed", seconds)
                case StepSkipped(step):
                    self._end(step, "not-run" if step not in self._records else "skipped", 0.0)

    def records(self) -> tuple[StepRecord, ...]:
        """Return what is known; a step that never ended counts as not finished: `interrupted`."""
        with self._lock:
            return tuple(
                replace(record, state="interrupted") if record.state == "running" else record
                for record in self._records.values()
            )

    def _end(self, step: str, state: str, seconds: float) -> None:
        known = self._records.get(step, StepRecord(step, state))
        self._records[step] = replace(known, state=state, seconds=round(seconds, 3))
