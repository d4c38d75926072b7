"""Passes bytes between a client on the host and a port of a node: directly, or through the container engine.

Linux reaches the nodes' addresses; engines in a virtual machine and rootless ones do not let the host do that.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

_PIECE = 1 << 16
_CONNECT_SECONDS = 2.0

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class NodeDoor:
    """The way to the ports of one node.

    Attributes:
        program: The engine's client.
        container: The node.
        address: The node's address in the engine's network.
        direct: Whether the host reaches that address; found out with the first connection.
    """

    program: str
    container: str
    address: str = ""
    direct: bool | None = None

    async def carry(self, client: Streams, port: int) -> None:
        """Connect to a port of the node and pass bytes both ways until both sides have ended.

        Raises:
            OSError: Nobody listens there.
        """
        if self.direct is not False and self.address:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    node = await asyncio.open_connection(self.address, port)
            except ConnectionRefusedError:
                self.direct = True
                raise
            except (OSError, TimeoutError):
                if self.direct:
                    raise  # it could before: the node is away for now
                self.direct = False
            else:
                self.direct = True
                await _both_ways(client, node)
                return
        await self._through_engine(client, port)

    async def _through_engine(self, client: Streams, port: int) -> None:
        process = await asyncio.create_subprocess_exec(
            *(self.program, "exec", "-i", self.container, "socat", "STDIO", f"TCP:127.0.0.1:{port}"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        if process.stdin is None or process.stdout is None:
            return
        try:
            await _both_ways(client, (process.stdout, process.stdin))
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
            await process.wait()


async def _both_ways(one: Streams, other: Streams) -> None:
    try:
        await asyncio.gather(_pass(one[0], other[1]), _pass(other[0], one[1]))
    finally:
        for _, writer in (one, other):
            writer.close()


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(_PIECE):
            target.write(piece)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
