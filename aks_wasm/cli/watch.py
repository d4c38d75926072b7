"""Showing a result again and again: redrawn on a terminal, elsewhere printed when it has changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from aks_wasm.display.terminal import write_output
from aks_wasm.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from aks_wasm.cli.context import AppContext
    from aks_wasm.workflows.results import Result

PAUSE_SECONDS = 2.0  # some 5 reads a look; AKS allows 60 at once and 1 a second of each kind
CLEAR_SCREEN = "\x1b[H\x1b[2J"


def watch(app: AppContext, look: Callable[[], Result]) -> None:
    """Look and show until interrupted.

    Raises:
        UsageError: The output format is for one document.
        typer.Exit: Ctrl+C, the only way out, so nothing is said about it.
    """
    from aks_wasm.display.results import render_result

    if app.output != "table":
        raise UsageError(f"`--watch` shows tables, not `-o {app.output}`", hint="leave out one of them")
    shown = ""
    while True:
        text = render_result(look(), "table", app.terminal.width)
        if app.terminal.redraws_output:
            write_output(f"{CLEAR_SCREEN}{datetime.now(UTC):%H:%M:%S} UTC, every {PAUSE_SECONDS:.0f} s\n\n{text}")
        elif text != shown:
            write_output((f"\n{datetime.now(UTC):%H:%M:%S} UTC\n" if shown else "") + text)
        shown = text
        if app.clock.pause(PAUSE_SECONDS):
            raise typer.Exit(Interrupted.exit_code)
