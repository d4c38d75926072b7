"""How long a Job waits before it replaces a failed pod: 10 s, doubled with each failure in a row, paced."""

from __future__ import annotations

import time
from dataclasses import dataclass

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster.controllers.job_plan import backoff
from aks_wasm.emulator.cluster.trees import Tree


@dataclass(frozen=True)
class _Row:
    failures: int
    at: float  # monotonic seconds


class FailureLog:
    """The failures in a row of each Job; kept in memory, as the real controller does."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._rows: dict[str, _Row] = {}

    def note(self, job: Tree, *, succeeded: int, failed: int) -> None:
        """Take in what ended just now; a success ends the row of failures."""
        uid = job["metadata"]["uid"]
        if succeeded:
            self._rows.pop(uid, None)
        if failed:
            before = self._rows.get(uid)
            self._rows[uid] = _Row((before.failures if before else 0) + failed, time.monotonic())

    def wait(self, job: Tree) -> float | None:
        """Return the seconds of wall time until a pod may be made, None when it may be made now."""
        row = self._rows.get(job["metadata"]["uid"])
        if row is None:
            return None
        left = row.at + self._pace.scaled(backoff(row.failures)) - time.monotonic()
        return left if left > 0 else None

    def forget(self, job: Tree) -> None:
        """Forget a Job that has ended."""
        self._rows.pop(job["metadata"]["uid"], None)
