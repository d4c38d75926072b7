"""Progress for a terminal: finished steps stay as lines; running ones are redrawn below, with time and state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import assert_never

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from aks_wasm.display.errors import render_error
from aks_wasm.display.text import DONE, FAILED, SKIPPED, WARNING, duration, one_line, redact
from aks_wasm.errors import AksWasmError
from aks_wasm.events import Event, StepFailed, StepFinished, StepProgressed, StepSkipped, StepStarted, Warned

REDRAWS_PER_SECOND = 8
STYLES = {DONE: "green", FAILED: "bold red", WARNING: "yellow", SKIPPED: "dim"}


@dataclass
class _Running:
    summary: str
    since: float
    state: str = ""


class LiveDisplay:
    """The five states: (✓) Done, (x) Failed, (!) Warning, (-) Skipped, and running with its time and last state."""

    def __init__(
        self, *, colour: bool, now: Callable[[], float] = time.monotonic, console: Console | None = None
    ) -> None:
        self._console = console or Console(stderr=True, no_color=not colour, highlight=False)
        self._now = now
        self._lock = threading.RLock()
        self._running: dict[str, _Running] = {}
        self._spinner = Spinner("dots" if self._console.encoding.startswith("utf") else "line")
        self._live: Live | None = None

    def emit(self, event: Event) -> None:
        """Redraw what is running, or move a step that has ended to the lines above."""
        with self._lock:
            match event:
                case StepStarted(step, summary):
                    self._running[step] = _Running(one_line(summary), self._now())
                    self._open()
                case StepProgressed(step, message):
                    if step in self._running:
                        self._running[step].state = one_line(message)
                case StepFinished(step, seconds, message):
                    self._settle(DONE, "Done", f"{self._end(step)} [{duration(seconds)}]", message)
                case StepFailed(step, seconds, message):
                    self._settle(FAILED, "Failed", f"{self._end(step)} [{duration(seconds)}]", message)
                case StepSkipped(step, reason):
                    self._settle(SKIPPED, "Skipped", self._end(step), reason)
                case Warned(message):
                    self._settle(WARNING, "Warning", message, "")
                case _:
                    assert_never(event)

    def say(self, text: str) -> None:
        """Show a remark above what is running."""
        with self._lock:
            self._console.print(Text(redact(text)), soft_wrap=True)

    def fail(self, error: AksWasmError, *, verbose: bool) -> None:
        """Show why the command ends."""
        self.close()
        text = Text(redact(render_error(error, verbose=verbose)))
        text.highlight_regex(r"\Aerror:", "bold red")
        text.highlight_regex(r"(?m)^hint:", "bold cyan")
        self._console.print(text, soft_wrap=True)

    def close(self) -> None:
        """Stop redrawing; what was running disappears from the screen."""
        with self._lock:
            live, self._live = self._live, None
            self._running.clear()
        if live is not None:
            live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Render what is running, a line a step; the state is cut off where the line ends, the step's name is not."""
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=3, no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        with self._lock:
            running = list(self._running.values())
        room = max(1, options.max_height - 1) if options.max_height else len(running)
        for step in running[:room]:
            told = f"{step.summary} [{duration(self._now() - step.since)}]"
            grid.add_row(self._spinner, Text(redact(f"{told} {step.state}".rstrip()), overflow="ellipsis"))
        yield grid
        if len(running) > room:
            yield Text(f"    and {len(running) - room} more", style="dim")

    def _open(self) -> None:
        if self._live is None and self._console.is_terminal:
            self._live = Live(
                self,
                console=self._console,
                refresh_per_second=REDRAWS_PER_SECOND,
                transient=True,
                redirect_stdout=False,
            )
            self._live.start()

    def _end(self, step: str) -> str:
        ended = self._running.pop(step, None)
        return ended.summary if ended else step

    def _settle(self, mark: str, word: str, what: str, more: str) -> None:
        line = Text(f"{mark} {word:<8}", style=STYLES[mark])
        line.append(redact(f" {one_line(what)}" + (f": {one_line(more)}" if more else "")), style="default")
        self._console.print(line, soft_wrap=True)
