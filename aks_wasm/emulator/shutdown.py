"""Takes aiohttp servers down with every connection that clients keep open."""

from __future__ import annotations

import asyncio

from aiohttp import web


async def end(runner: web.AppRunner) -> None:
    """Stop listening and close all connections; a client that keeps one open never answers TLS's goodbye."""
    connections = runner.server.connections if runner.server else []
    transports = [transport for connection in connections if (transport := connection.transport) is not None]
    await runner.cleanup()
    for transport in transports:
        transport.abort()
    await asyncio.sleep(0)
