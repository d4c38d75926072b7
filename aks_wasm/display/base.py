"""What a display of progress is, and which one is taken when nobody says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, Protocol

from aks_wasm.display.terminal import Terminal
from aks_wasm.errors import AksWasmError
from aks_wasm.events import Event

ProgressMode = Literal["auto", "live", "plain", "jsonl", "none"]


class Display(Protocol):
    """Where talk goes. Called from the threads that steps run in, one event at a time."""

    def emit(self, event: Event) -> None:
        """Show an event."""

    def say(self, text: str) -> None:
        """Show a remark to the user, of one line or several."""

    def fail(self, error: AksWasmError, *, verbose: bool) -> None:
        """Show why the command ends."""

    def close(self) -> None:
        """Put the terminal back as it was; called before anything else is written, and harmless when repeated."""


def open_display(mode: ProgressMode, terminal: Terminal, now: Callable[[], float] = time.monotonic) -> Display:
    """Return the display for a mode; `auto` is live where the terminal can, else plain."""
    if mode == "auto":
        mode = "live" if terminal.redraws else "plain"
    match mode:
        case "live":
            from aks_wasm.display.live import LiveDisplay

            return LiveDisplay(colour=terminal.colour, now=now)
        case "jsonl":
            from aks_wasm.display.jsonl import JsonLinesDisplay

            return JsonLinesDisplay()
        case "none":
            from aks_wasm.display.plain import SilentDisplay

            return SilentDisplay()
        case "plain":
            from aks_wasm.display.plain import PlainDisplay

            return PlainDisplay(now)
