"""What the three streams are (terminals or pipes, width, colour), and writing that survives a closed pipe."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from aks_wasm.display.text import for_encoding
from aks_wasm.errors import AksWasmError

PIPED_WIDTH = 80  # columns; what a log viewer can be relied on to show


class OutputClosed(Exception):
    """Nobody reads stdout any more, as in `aks-wasm status | head -1`."""


class OutputLost(AksWasmError):
    """Stdout goes where nothing can be written."""


@dataclass(frozen=True)
class Terminal:
    """What can be done with the streams.

    Attributes:
        prompts: A question can be asked: stdin and stderr are terminals.
        redraws: stderr is a terminal that can move its cursor, and nobody records it (CI).
        redraws_output: The same for stdout.
        colour: Colour is welcome on stderr.
        width: Columns of stdout.
    """

    prompts: bool = False
    redraws: bool = False
    redraws_output: bool = False
    colour: bool = False
    width: int = PIPED_WIDTH

    @classmethod
    def look(cls, environment: Mapping[str, str] | None = None) -> Terminal:
        """Look at this process's streams; NO_COLOR, TERM=dumb and CI are honoured."""
        source = os.environ if environment is None else environment
        recorded = source.get("CI", "") not in ("", "false", "0")
        able = source.get("TERM") != "dumb" and not recorded
        redraws = able and sys.stderr.isatty()
        return cls(
            prompts=sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty() and not recorded,
            redraws=redraws,
            redraws_output=able and sys.stdout.isatty(),
            colour=redraws and not source.get("NO_COLOR"),
            width=shutil.get_terminal_size((PIPED_WIDTH, 24)).columns if sys.stdout.isatty() else PIPED_WIDTH,
        )


def write_output(text: str) -> None:
    """Write data to stdout, at once.

    Raises:
        OutputClosed: The reader has gone.
        OutputLost: The answer can't be kept where stdout goes, for want of room, say.
    """
    try:
        sys.stdout.write(for_encoding(text, sys.stdout.encoding))
        sys.stdout.flush()
    except BrokenPipeError as error:
        _discard_rest(sys.stdout)
        raise OutputClosed from error
    except OSError as error:
        _discard_rest(sys.stdout)
        raise OutputLost(
            f"the answer can't be written to stdout: {error.strerror}",
            hint="what was asked for is done; make room or send stdout elsewhere; `aks-wasm status` tells again",
        ) from error


def write_talk(text: str) -> None:
    """Write talk to stderr; when nobody reads it any more, the work goes on in silence."""
    try:
        sys.stderr.write(for_encoding(text, sys.stderr.encoding))
        sys.stderr.flush()
    except (OSError, ValueError):
        _discard_rest(sys.stderr)


def _discard_rest(stream: TextIO) -> None:
    """Point the stream at nothing, or the interpreter complains about it when it exits."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)
