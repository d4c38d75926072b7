"""What Ctrl+C does: the first ends the waiting, the second the process; SIGTERM counts as one.

Answers demand 10 of shared/facts/demands.md.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

EXIT_CODE = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)
TELLING_SECONDS = 1.0  # a line on stderr takes no time, unless nobody takes it off a full pipe


class Interrupts:
    """Tells whoever waits by the clock to stop, so that work under way can end in order and what exists can be said.

    While nothing waits by the clock (a prompt, a log that is followed) the first signal raises KeyboardInterrupt, as
    Python does by itself.
    """

    def __init__(
        self, stop: Callable[[], None], tell: Callable[[str], None], leave: Callable[[int], Any] = os._exit
    ) -> None:
        self._stop = stop
        self._tell = tell
        self._leave = leave
        self._count = 0
        self._telling: threading.Thread | None = None
        self.in_order = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Handle the signals inside the block; only the main thread can, so elsewhere nothing changes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle) for number in SIGNALS}
        try:
            yield
        finally:
            if self._telling is not None:
                self._telling.join(TELLING_SECONDS)
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Take one signal."""
        self._count += 1
        if self._count > 1:
            self._leave(EXIT_CODE)
        self._stop()
        if not self.in_order:
            raise KeyboardInterrupt(number)
        # In a thread of its own: the signal may have come in the middle of a write to the very stream.
        text = "stopping; press Ctrl+C again to leave at once"
        self._telling = threading.Thread(target=self._tell, args=(text,), daemon=True)
        self._telling.start()
