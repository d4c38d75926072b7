"""The control API under /_emulator: what the real service has no API for. Bearer token of daemon.json."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from aks_wasm.emulator.faults import Faults
from aks_wasm.emulator.fleet import Fleet
from aks_wasm.emulator.identity import TokenAuthority
from aks_wasm.emulator.journal import Journal
from aks_wasm.emulator.local import LocalClusters, NoSuchCluster
from aks_wasm.emulator.node.images import ImageError
from aks_wasm.errors import AksWasmError


@dataclass(frozen=True)
class Controlled:
    """What the control API reaches.

    Attributes:
        token: What a request must bear.
        fleet: All clusters, those behind ARM too.
        status: The status document of now.
        stop: Asks the daemon to end.
        incoming: Where image archives land on their way in.
    """

    token: str
    clusters: LocalClusters
    fleet: Fleet
    faults: Faults
    identities: TokenAuthority
    journal: Journal
    status: Callable[[], dict[str, Any]]
    stop: Callable[[], None]
    incoming: Path


class ControlError(Exception):
    """A control request that can't be done."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def control_application(controlled: Controlled) -> web.Application:
    """Return the application to mount at `/_emulator`."""
    routes = _Routes(controlled)
    app = web.Application(middlewares=[_answer_errors, _bearer(controlled.token)])
    app.add_routes(
        [
            web.get("/status", routes.status),
            web.get("/environment", routes.environment),
            web.get("/requests", routes.requests),
            web.post("/stop", routes.stop),
            web.get("/faults", routes.list_faults),
            web.post("/faults", routes.add_fault),
            web.delete("/faults", routes.clear_faults),
            web.delete("/faults/{id}", routes.remove_fault),
            web.post("/nodes/{name}/replace", routes.replace_node),
            web.get("/clusters", routes.list_clusters),
            web.put("/clusters/{name}", routes.put_cluster),
            web.get("/clusters/{name}", routes.get_cluster),
            web.delete("/clusters/{name}", routes.delete_cluster),
            web.put("/clusters/{name}/images", routes.load_images),
            web.get("/clusters/{name}/images", routes.list_images),
            web.get("/clusters/{name}/kubeconfig", routes.kubeconfig),
        ]
    )
    return app


class _Routes:
    def __init__(self, controlled: Controlled) -> None:
        self._controlled = controlled

    async def status(self, _request: web.Request) -> web.Response:
        return web.json_response(self._controlled.status())

    async def environment(self, _request: web.Request) -> web.Response:
        return web.json_response(self._controlled.identities.environment())

    async def requests(self, request: web.Request) -> web.Response:
        since = request.query.get("since", "0")
        if not since.isdigit():
            raise ControlError(HTTPStatus.BAD_REQUEST, "`since` is the number of a request")
        return web.json_response({"requests": self._controlled.journal.since(int(since))})

    async def stop(self, _request: web.Request) -> web.Response:
        self._controlled.stop()
        return web.json_response({}, status=HTTPStatus.ACCEPTED)

    async def list_faults(self, _request: web.Request) -> web.Response:
        return web.json_response({"faults": [fault.to_dict() for fault in self._controlled.faults.all()]})

    async def add_fault(self, request: web.Request) -> web.Response:
        fault = self._controlled.faults.add(await _document(request))
        return web.json_response(fault.to_dict(), status=HTTPStatus.CREATED)

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._controlled.faults.clear()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def remove_fault(self, request: web.Request) -> web.Response:
        self._controlled.faults.remove(request.match_info["id"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def replace_node(self, request: web.Request) -> web.Response:
        name, of = request.match_info["name"], request.query.get("cluster", "")
        for key in self._controlled.fleet.keys():  # noqa: SIM118 - a method of the fleet
            cluster = self._controlled.fleet.get(key) if of in key else None  # local clusters' nodes share their names
            if cluster is not None and await cluster.replace_node(name):
                return web.Response(status=HTTPStatus.NO_CONTENT)
        raise ControlError(HTTPStatus.NOT_FOUND, f"there is no node `{name}`")

    async def list_clusters(self, _request: web.Request) -> web.Response:
        return web.json_response({"clusters": self._controlled.clusters.all()})

    async def put_cluster(self, request: web.Request) -> web.Response:
        document = await _document(request)
        return web.json_response(await self._controlled.clusters.put(request.match_info["name"], document))

    async def get_cluster(self, request: web.Request) -> web.Response:
        return web.json_response(self._controlled.clusters.get(request.match_info["name"]))

    async def delete_cluster(self, request: web.Request) -> web.Response:
        await self._controlled.clusters.delete(request.match_info["name"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def load_images(self, request: web.Request) -> web.Response:
        images = self._controlled.clusters.running(request.match_info["name"]).images
        with tempfile.NamedTemporaryFile(dir=self._controlled.incoming, suffix=".tar") as archive:
            async for piece in request.content.iter_chunked(1024 * 1024):
                archive.write(piece)
            archive.flush()
            names = await asyncio.to_thread(images.load, Path(archive.name))
        return web.json_response({"images": names})

    async def list_images(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"images": self._controlled.clusters.running(request.match_info["name"]).images.names()}
        )

    async def kubeconfig(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        cluster = self._controlled.clusters.running(name)
        context = request.query.get("context", name)
        text = cluster.kubeconfig(name=context, user=f"clusterAdmin_{context}", kind="certificate")
        return web.Response(text=text, content_type="application/yaml")


def _bearer(token: str) -> Middleware:
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not secrets.compare_digest(request.headers.get("Authorization", "").encode(), expected):
            raise ControlError(HTTPStatus.UNAUTHORIZED, "the control API wants the token of `daemon.json`")
        return await handler(request)

    return check


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ControlError as error:
        return _error(error.status, error.status.phrase.replace(" ", ""), str(error))
    except NoSuchCluster as error:
        return _error(HTTPStatus.NOT_FOUND, "NotFound", str(error))
    except ValueError as error:
        return _error(HTTPStatus.BAD_REQUEST, "BadRequest", str(error))
    except ImageError as error:
        return _error(HTTPStatus.BAD_REQUEST, error.reason, error.message)
    except AksWasmError as error:
        return web.json_response({"error": error.to_dict()}, status=HTTPStatus.INSUFFICIENT_STORAGE)


def _error(status: HTTPStatus, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


async def _document(request: web.Request) -> dict[str, Any]:
    document = await request.json()  # what is no JSON is a ValueError
    if not isinstance(document, dict):
        raise ControlError(HTTPStatus.BAD_REQUEST, "the body is not a JSON object")
    return document
