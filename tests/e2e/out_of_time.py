"""No case begins after the run's time is up; what is left out is told as skipped. `scripts/e2e` sets the time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

REASON = "out of time"


class OutOfTime:
    """Knows when the time is up, in seconds of this machine's monotonic clock; None when there is no end."""

    def __init__(self, folder: Path, ends: float | None) -> None:
        self._folder = folder
        self._ends = ends

    @property
    def is_up(self) -> bool:
        return self._ends is not None and time.monotonic() >= self._ends

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip the case before any cluster is made for it."""
        if self.is_up and self._folder in item.path.parents:
            pytest.skip(REASON)
