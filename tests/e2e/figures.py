"""Figures that cases measure, printed at the end whether they passed or not."""

from __future__ import annotations

import pytest


class Figures:
    """Lines for the end of the run."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __call__(self, line: str) -> None:
        self._lines.append(line)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._lines:
            terminalreporter.section("measured")
            for line in self._lines:
                terminalreporter.write_line(line)
