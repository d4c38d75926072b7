"""Where libraries log to, and the file that keeps the traceback of an unexpected error."""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from aks_wasm.display.terminal import write_talk
from aks_wasm.display.text import HIDDEN, redact


class _TalkHandler(logging.Handler):
    """Writes records to stderr without secrets."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        write_talk(redact(self.format(record)) + "\n")


def quieten_libraries(*, debug: bool) -> None:
    """Keep libraries' warnings off stderr, which carries our own talk; with `debug` show all they say."""
    root = logging.getLogger()
    for handler in [known for known in root.handlers if isinstance(known, _TalkHandler | logging.NullHandler)]:
        root.removeHandler(handler)
    if not debug:
        root.addHandler(logging.NullHandler())
        return
    handler = _TalkHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)


def write_traceback(error: BaseException, folder: Path, arguments: tuple[str, ...]) -> Path | None:
    """Write what is needed to find the bug to a new file that only the user can read; None when that can't be done."""
    moment = datetime.now(UTC)
    path = folder / f"{moment:%Y%m%dT%H%M%S}-{os.getpid()}.log"
    text = f"{moment.isoformat()}\naks-wasm {_command_line(arguments)}\nPython {sys.version}\n\n{traceback_text(error)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(redact(text))
    except OSError:
        return None
    return path


def _command_line(arguments: tuple[str, ...]) -> str:
    """Return the arguments; values given to a workload's environment may be secrets."""
    return re.sub(r"(\benv(\.\w+)?=)\S+", rf"\1{HIDDEN}", " ".join(arguments))


def traceback_text(error: BaseException) -> str:
    """Return the traceback without secrets."""
    return redact("".join(traceback.format_exception(error)))
