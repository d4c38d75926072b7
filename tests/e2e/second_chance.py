"""A case on real clusters that fails is run once more; both outcomes are printed, the second one counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

from tests.e2e.out_of_time import OutOfTime


class SecondChance:
    """Runs the cases of a folder at most twice; those of folders below it depend on no timing and run once."""

    def __init__(self, folder: Path, time: OutOfTime) -> None:
        self._folder = folder
        self._time = time
        self._told: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run the case; run it again from its set-up when it failed."""
        if self._folder != item.path.parent:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if (first := _failure(reports)) and not self._time.is_up:
            if any(report.when == "setup" and report.failed for report in reports):
                item.session._setupstate.teardown_exact(None)  # or the fixture's failure would be remembered
            item._initrequest()  # type: ignore[attr-defined]
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            second = "failed again" if _failure(reports) else "passed"
            self._told.append(f"{item.nodeid}: {second} in the second run; the first one failed:\n{first}")
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print both outcomes."""
        if self._told:
            terminalreporter.section("run twice")
            for line in self._told:
                terminalreporter.write_line(line)


def _failure(reports: list[pytest.TestReport]) -> str | None:
    return next((report.longreprtext for report in reports if report.failed), None)
