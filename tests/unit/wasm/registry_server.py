"""A registry that wants tokens, in the way of the OCI distribution API and of Azure Container Registry."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from aks_wasm.emulator.certificates import CertificateAuthority
from tests.threaded_server import ThreadedServer

ALICE = "Basic " + base64.b64encode(b"alice:s3cret").decode()


class TokenRegistry(ThreadedServer):
    """Keeps what is pushed with a good token; `requests` notes method, path and status."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.ca_file = folder / "ca.pem"
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.read_only = False
        self.keeps_location_to_itself = False
        self.troubles: dict[str, list[web.Response]] = {}  # by method: answers in place of the next ones
        self._authority = CertificateAuthority.open(folder, "registry")

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    async def open(self) -> int:
        application = web.Application(client_max_size=2**24)
        application.router.add_get("/oauth2/token", self._basic_token)
        application.router.add_post("/oauth2/token", self._refreshed_token)
        application.router.add_post("/oauth2/exchange", self._exchange)
        application.router.add_route("*", "/v2/{path:.*}", self._registry)
        self._runner = runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._authority.server_context(["localhost"]))
        await site.start()
        port: int = runner.addresses[0][1]
        return port

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _basic_token(self, request: web.Request) -> web.Response:
        header = request.headers.get("Authorization")
        if header != ALICE:
            return web.json_response({"token": "anonymous"}, status=200 if not header else 401)
        return web.json_response({"token": "good"})

    async def _refreshed_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        good = form["grant_type"] == "refresh_token" and form["refresh_token"] == "refresh"
        return web.json_response({"access_token": "good"} if good else {}, status=200 if good else 401)

    async def _exchange(self, request: web.Request) -> web.Response:
        form = await request.post()
        good = form["access_token"] == "entra"
        return web.json_response({"refresh_token": "refresh"} if good else {}, status=200 if good else 401)

    async def _registry(self, request: web.Request) -> web.Response:
        answer = await self._answer(request)
        self.requests.append(f"{request.method} {request.path} {answer.status}")
        return answer

    async def _answer(self, request: web.Request) -> web.Response:
        await request.read()
        if request.headers.get("Authorization") != "Bearer good":
            realm = (
                f'Bearer realm="https://{self.host}/oauth2/token",service="test",scope="repository:team/x:pull,push"'
            )
            return web.json_response(
                {"errors": [{"code": "UNAUTHORIZED"}]}, status=401, headers={"WWW-Authenticate": realm}
            )
        if self.read_only and request.method in ("POST", "PUT"):
            return web.json_response({"errors": [{"message": "denied: read only"}]}, status=403)
        if troubles := self.troubles.get(request.method):
            return troubles.pop(0)
        _, kind, name = request.path.rsplit("/", 2)
        if request.method == "POST" and self.keeps_location_to_itself:
            return web.Response(status=202)
        if request.method == "POST":
            return web.Response(status=202, headers={"Location": "/v2/team/x/uploads/1?state=a"})
        if kind == "uploads":
            digest = request.query["digest"]
            content = await request.read()
            assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
            assert request.query["state"] == "a"
            self.blobs[digest] = content
            return web.Response(status=201)
        if request.method == "PUT":
            self.manifests[name] = await request.read()
            return web.Response(status=201)
        return web.Response(status=200 if name in (self.blobs if kind == "blobs" else self.manifests) else 404)


@contextmanager
def token_registry(folder: Path) -> Iterator[TokenRegistry]:
    registry = TokenRegistry(folder)
    with registry.running():
        yield registry
