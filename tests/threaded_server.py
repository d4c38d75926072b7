"""An asyncio server in a thread of its own, for tests that speak to it as an ordinary client does."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 30


class ThreadedServer(ABC):
    """Starts, answers until it is told to stop, and leaves no thread behind."""

    port = 0

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()))

    @abstractmethod
    async def open(self) -> int:
        """Start to listen; return the port."""

    @abstractmethod
    async def close(self) -> None:
        """Stop listening."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Answer for the length of a `with`."""
        self._thread.start()
        assert self._ready.wait(SECONDS), "the server did not start"
        try:
            yield
        finally:
            self.loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(SECONDS)
            assert not self._thread.is_alive(), "the server did not stop"

    async def _live(self) -> None:
        self.loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self.port = await self.open()
        self._ready.set()
        await self._stopped.wait()
        await self.close()
