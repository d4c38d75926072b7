"""The journal of requests: what clients asked the emulator, for tests and benches that count writes."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

CAPACITY = 10_000  # entries; about 3 MB when full, the oldest go first


@dataclass(frozen=True)
class Entry:
    """One answered request. Query and headers are left out: they carry signatures and tokens.

    Attributes:
        number: Grows by one with each request, from 1 on.
        api: `arm`, `identity` (tokens and metadata), `kubernetes` or `registry`.
        method: The HTTP method.
        path: The path without its query.
        status: The HTTP status; 0 when the client went away first.
        seconds: From request to the end of the answer.
        cluster: The key of the cluster asked; empty for the other APIs.
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

    def listener(self, api: str, cluster: str) -> Callable[[str, str, int, float], None]:
        """Return what a server may call with method, path (a query is cut off), status and seconds."""
        return lambda method, path, status, seconds: self._note(
            api, method, path.partition("?")[0], status, seconds, cluster
        )

    def middleware(self, api: Callable[[str], str | None]) -> Middleware:
        """Return an aiohttp middleware that writes down requests.

        Args:
            api: Tells the `api` of a path; None for a path that is not written down.
        """

        @web.middleware
        async def write_down(request: web.Request, handler: Handler) -> web.StreamResponse:
            name = api(request.path)
            if name is None:
                return await handler(request)
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
                self._note(name, request.method, request.path, status, time.monotonic() - start)

        return write_down

    def _note(self, api: str, method: str, path: str, status: int, seconds: float, cluster: str = "") -> None:
        self._entries.append(Entry(next(self._numbers), api, method, path, status, round(seconds, 6), cluster))
