"""A relay in front of a server that cuts connections, as a load balancer or a server that goes down does."""

from __future__ import annotations

import asyncio
import contextlib

from tests.threaded_server import ThreadedServer


class CuttingRelay(ThreadedServer):
    """Passes bytes on in both directions; the first `cuts` connections end after the client's first `after` pieces."""

    def __init__(self, upstream: int, *, cuts: int, after: int = 1) -> None:
        super().__init__()
        self.accepted = 0
        self._upstream = upstream
        self._cuts = cuts
        self._after = after
        self._connections: list[asyncio.Task[None]] = []

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        pieces = self._after if self.accepted <= self._cuts else None
        self._connections.append(asyncio.create_task(self._serve(reader, writer, pieces)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pieces: int | None) -> None:
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._upstream)
        back = asyncio.create_task(_copy(upstream_reader, writer))
        await _copy(reader, upstream, pieces)
        back.cancel()
        for end in (upstream, writer):
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, pieces: int | None = None) -> None:
    with contextlib.suppress(OSError):
        while pieces is None or pieces > 0:
            chunk = await source.read(65536)
            if not chunk:
                return
            pieces = None if pieces is None else pieces - 1
            if pieces != 0:
                target.write(chunk)
                await target.drain()
