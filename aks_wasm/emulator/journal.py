"""The journal of requests: what clients asked the emulator, for tests and benches that count writes."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

CAPACITY = 10_000  # entries; about 3 MB when full, the oldest go first

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Entry:
    """One answered request. Query and headers are left out: they carry signatures and tokens.

    Attributes:
        number: Grows by one with each request, from 1 on.
        api: `arm`, `kubernetes` or `registry`.
        method: The HTTP method.
        path: The path without its query.
        status: The HTTP status; 0 when the client went away first.
        seconds: From request to the end of the answer.
        cluster: The key of the cluster asked; empty for `arm` and `registry`.
    """

    number: int
    api: str
    method: str
    path: str
    status: int
    seconds: float
    cluster: str = ""


class Journal:
    """The last requests, oldest first."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._entries: deque[Entry] = deque(maxlen=capacity)
        self._numbers = itertools.count(1)

    def since(self, number: int) -> list[dict[str, Any]]:
        """Return the entries after `number` that are still kept."""
        return [asdict(entry) for entry in self._entries if entry.number > number]

    def middleware(
        self, api: str, cluster: str = ""
    ) -> Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]:
        """Return an aiohttp middleware that writes down every request of one application."""

        @web.middleware
        async def write_down(request: web.Request, handler: Handler) -> web.StreamResponse:
            start, status = time.monotonic(), 0
            try:
                response = await handler(request)
                status = response.status
            except web.HTTPException as error:
                status = error.status
                raise
            else:
                return response
            finally:
                seconds = round(time.monotonic() - start, 6)
                number = next(self._numbers)
                self._entries.append(
                    Entry(number, api, request.method, request.path, status, seconds, cluster)
                )

        return write_down
