from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import warnings
from pathlib import Path

import pytest
from aiohttp import web

from aks_wasm.emulator.certificates import CertificateAuthority
from aks_wasm.emulator.shutdown import end

SECONDS = 10


async def serve_and_end(authority: CertificateAuthority, request: bytes) -> bytes:
    """Serve one client, which never says goodbye, and end; return what it was answered."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="here")

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server_context(["localhost"])).start()
    trust = ssl.create_default_context(cadata=authority.certificate_pem.decode())

    def ask() -> tuple[ssl.SSLSocket, bytes]:
        plain = socket.create_connection(runner.addresses[0][:2], SECONDS)
        connection = trust.wrap_socket(plain, server_hostname="localhost")
        connection.sendall(request)
        return connection, connection.recv(65536)

    connection, answered = await asyncio.to_thread(ask)
    with connection:
        await end(runner)
    return answered


@pytest.mark.parametrize("header", ["keep-alive", "close"])
def test_a_client_that_keeps_its_connection_open_does_not_keep_the_server_from_ending(
    tmp_path: Path, header: str
) -> None:
    authority = CertificateAuthority.open(tmp_path, "test")
    request = f"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: {header}\r\n\r\n".encode()
    gc.collect()
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always")
        answered = asyncio.run(serve_and_end(authority, request))
        gc.collect()
    assert b" 200 " in answered
    assert [str(warning.message) for warning in left if warning.category is ResourceWarning] == []
