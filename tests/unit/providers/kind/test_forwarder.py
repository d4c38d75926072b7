"""The forwarder against an API server of its own on a socket, and a node port behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from aks_wasm.providers.kind.forwarder import Forwarder
from aks_wasm.providers.kind.relay import NodeDoor
from aks_wasm.providers.kind.services import target_of
from tests.unit.providers.kind.standins import program

ANNOTATION = "aks-wasm.dev/endpoint"


def service(node_port: int, *, name: str = "hello", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default", **metadata},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": node_port, "protocol": "TCP"}]},
        "status": {"loadBalancer": {}},
    }


class Api:
    """Lists the Services it has, passes on what it is told, and notes what is written."""

    def __init__(self, *services: dict[str, Any]) -> None:
        self.services = list(services)
        self.events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.written: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    async def get(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": self.services})
        response = web.StreamResponse()
        await response.prepare(request)
        while (event := await self.events.get()) is not None:
            await response.write(json.dumps(event).encode() + b"\n")
        return response

    async def patch(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/merge-patch+json"
        await self.written.put((request.path, await request.json()))
        return web.json_response({})

    async def endpoint(self) -> str:
        path, document = await asyncio.wait_for(self.written.get(), 10)
        assert path == "/api/v1/namespaces/default/services/hello"
        url: str = document["metadata"]["annotations"][ANNOTATION]
        path, document = await asyncio.wait_for(self.written.get(), 10)
        assert path == "/api/v1/namespaces/default/services/hello/status"
        assert document["status"]["loadBalancer"]["ingress"] == [{"hostname": "localhost"}]
        return url


@asynccontextmanager
async def node() -> AsyncIterator[int]:
    """A program behind a node port, which answers with what it was sent."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"got " + await reader.read(1000))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def following(api: Api, door: NodeDoor) -> AsyncIterator[asyncio.Task[None]]:
    app = web.Application()
    app.router.add_get("/api/v1/services", api.get)
    app.router.add_patch("/api/v1/namespaces/{namespace}/services/{name}", api.patch)
    app.router.add_patch("/api/v1/namespaces/{namespace}/services/{name}/status", api.patch)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as session:
        forwarder = Forwarder(session, f"http://127.0.0.1:{port}", door)
        task = asyncio.create_task(forwarder.follow())
        try:
            yield task
        finally:
            await api.events.put(None)
            await asyncio.wait_for(task, 10)
            await forwarder.close()
            await runner.cleanup()


async def ask(url: str, text: bytes = b"hello") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(text)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


async def test_a_service_answers_on_the_host_and_says_where() -> None:
    async with node() as port:
        api = Api(service(port))
        async with following(api, NodeDoor("no-engine", "no-node", "127.0.0.1")):
            assert await ask(await api.endpoint()) == b"got hello"


async def test_a_later_service_is_served_and_a_deleted_one_is_not() -> None:
    async with node() as port:
        api = Api()
        async with following(api, NodeDoor("no-engine", "no-node", "127.0.0.1")):
            await api.events.put({"type": "ADDED", "object": service(port)})
            url = await api.endpoint()
            assert await ask(url) == b"got hello"
            await api.events.put({"type": "DELETED", "object": service(port)})
            await api.events.put({"type": "ADDED", "object": service(port)})
            await api.endpoint()  # what came before it has been taken
            with pytest.raises(OSError):
                await ask(url)


async def test_an_endpoint_stays_the_same_when_the_forwarder_starts_anew() -> None:
    async with node() as port:
        api = Api(service(port))
        async with following(api, NodeDoor("no-engine", "no-node", "127.0.0.1")):
            url = await api.endpoint()
        known = service(port, annotations={ANNOTATION: url})
        known["status"]["loadBalancer"] = {"ingress": [{"hostname": "localhost"}]}
        api = Api(known)
        async with following(api, NodeDoor("no-engine", "no-node", "127.0.0.1")):
            await api.events.put({"type": "MODIFIED", "object": known})
            await asyncio.sleep(0)
            while True:
                try:
                    assert await ask(url) == b"got hello"
                except ConnectionRefusedError:
                    continue
                break
            assert api.written.empty()


async def test_a_service_without_anybody_behind_it_ends_the_connection() -> None:
    async with node() as port:
        pass
    api = Api(service(port))
    async with following(api, NodeDoor("no-engine", "no-node", "127.0.0.1")):
        assert await ask(await api.endpoint()) == b""


async def test_where_the_host_does_not_reach_nodes_the_engine_passes_the_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with Docker Desktop and rootless Podman."""
    program(
        tmp_path,
        "podman",
        'test "$*" = "exec -i hello-control-plane socat STDIO TCP:127.0.0.1:30080" && read x; echo "got $x"',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    api = Api(service(30080))
    async with following(api, NodeDoor("podman", "hello-control-plane", "")):
        assert await ask(await api.endpoint(), b"hello\n") == b"got hello\n"


@pytest.mark.parametrize(
    "change",
    [
        {"type": "ClusterIP"},
        {"loadBalancerClass": "other.example/lb"},
        {"ports": [{"port": 53, "nodePort": 30053, "protocol": "UDP"}]},
        {"ports": [{"port": 80}]},
    ],
)
def test_services_that_are_not_ours_to_serve_are_left_alone(change: dict[str, Any]) -> None:
    found = service(30080)
    found["spec"].update(change)
    assert target_of(found) is None
