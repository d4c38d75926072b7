"""A workload's log on stdout: lines as they come, or one document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aks_wasm.errors import UsageError

if TYPE_CHECKING:
    from aks_wasm.cli.context import AppContext


def show_logs(app: AppContext, name: str, lines: Iterable[str], *, follow: bool) -> None:
    """Print lines as they come; with `-o json` or `yaml` as one document once there are no more.

    Raises:
        UsageError: One document was asked for of a log that does not end.
    """
    if app.output not in ("json", "yaml"):
        app.stream(lines)
        return
    if follow:
        raise UsageError(f"`--follow` can't be one document (`-o {app.output}`)", hint="leave out one of them")
    from aks_wasm.workflows.results import ActionResult

    collected = [line.rstrip("\n") for line in lines]
    app.show(ActionResult("WorkloadLogs", name, {"name": name, "lines": collected}))
