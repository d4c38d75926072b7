"""The emulator's container registry: the OCI distribution API (v1.1) under /v2, open to all on loopback."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler

from aks_wasm.emulator.repositories import DIGEST, NAME, TAG, RegistryError, Repositories

LARGEST_MANIFEST = 4 * 1024 * 1024  # bytes, the limit the specification advises


def registry_application(repositories: Repositories) -> web.Application:
    """Return the application to mount at `/v2`."""
    routes = _Routes(repositories)
    app = web.Application(middlewares=[_answer_errors])
    app.add_routes(
        [
            web.get("/", routes.version),
            web.get("/_catalog", routes.catalog),
            web.get("/{name:.+}/tags/list", routes.tags),
            web.post("/{name:.+}/blobs/uploads/", routes.begin_upload),
            web.get("/{name:.+}/blobs/uploads/{upload}", routes.upload_status),
            web.patch("/{name:.+}/blobs/uploads/{upload}", routes.append),
            web.put("/{name:.+}/blobs/uploads/{upload}", routes.finish_upload),
            web.delete("/{name:.+}/blobs/uploads/{upload}", routes.cancel_upload),
            web.get("/{name:.+}/blobs/{digest}", routes.get_blob),  # HEAD comes with it
            web.delete("/{name:.+}/blobs/{digest}", routes.delete_blob),
            web.get("/{name:.+}/manifests/{reference}", routes.get_manifest),
            web.put("/{name:.+}/manifests/{reference}", routes.put_manifest),
            web.delete("/{name:.+}/manifests/{reference}", routes.delete_manifest),
        ]
    )
    return app


class _Routes:
    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories

    async def version(self, _request: web.Request) -> web.Response:
        return web.json_response({})

    async def catalog(self, request: web.Request) -> web.Response:
        return _page(request, "repositories", self._repositories.names(), {})

    async def tags(self, request: web.Request) -> web.Response:
        name = _name(request)
        return _page(request, "tags", self._repositories.tags(name), {"name": name})

    async def begin_upload(self, request: web.Request) -> web.Response:
        name = _name(request)
        mount, source = request.query.get("mount"), request.query.get("from")
        if mount and source and self._repositories.mount(name, mount, source):
            return _created(f"/v2/{name}/blobs/{mount}", mount)
        upload = self._repositories.begin_upload()
        if "digest" in request.query:
            return await self._complete(request, name, upload)
        return web.Response(status=202, headers=_progress(name, upload, 0))

    async def upload_status(self, request: web.Request) -> web.Response:
        upload = request.match_info["upload"]
        size = self._repositories.upload_file(upload).stat().st_size
        return web.Response(status=204, headers=_progress(_name(request), upload, size))

    async def append(self, request: web.Request) -> web.Response:
        name, upload = _name(request), request.match_info["upload"]
        size = await self._receive(request, upload)
        return web.Response(status=202, headers=_progress(name, upload, size))

    async def finish_upload(self, request: web.Request) -> web.Response:
        return await self._complete(request, _name(request), request.match_info["upload"])

    async def cancel_upload(self, request: web.Request) -> web.Response:
        self._repositories.upload_file(request.match_info["upload"]).unlink()
        return web.Response(status=204)

    async def get_blob(self, request: web.Request) -> web.StreamResponse:
        digest = request.match_info["digest"]
        path = self._repositories.blob(_name(request), digest)
        headers = {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
        return web.FileResponse(path, headers=headers)

    async def delete_blob(self, request: web.Request) -> web.Response:
        self._repositories.delete_blob(_name(request), request.match_info["digest"])
        return web.Response(status=202)

    async def get_manifest(self, request: web.Request) -> web.Response:
        found = self._repositories.manifest(_name(request), request.match_info["reference"])
        headers = {"Docker-Content-Digest": found.digest, "Content-Type": found.media_type}
        return web.Response(body=found.content, headers=headers)

    async def put_manifest(self, request: web.Request) -> web.Response:
        name, reference = _name(request), request.match_info["reference"]
        if not (TAG.fullmatch(reference) or DIGEST.fullmatch(reference)):
            raise RegistryError(400, "MANIFEST_INVALID", f"`{reference}` is neither a tag nor a digest")
        media_type = request.headers.get("Content-Type", "")
        digest = self._repositories.put_manifest(name, reference, media_type, await _manifest(request))
        return _created(f"/v2/{name}/manifests/{reference}", digest)

    async def delete_manifest(self, request: web.Request) -> web.Response:
        self._repositories.delete_manifest(_name(request), request.match_info["reference"])
        return web.Response(status=202)

    async def _complete(self, request: web.Request, name: str, upload: str) -> web.Response:
        digest = request.query.get("digest", "")
        if not DIGEST.fullmatch(digest):
            raise RegistryError(400, "DIGEST_INVALID", f"`{digest}` is not a sha256 digest")
        await self._receive(request, upload)
        await asyncio.to_thread(self._repositories.check_upload, upload, digest)
        self._repositories.finish_upload(name, upload, digest)
        return _created(f"/v2/{name}/blobs/{digest}", digest)

    async def _receive(self, request: web.Request, upload: str) -> int:
        """Append the request's body to an upload; return the upload's size."""
        path = self._repositories.upload_file(upload)
        size = path.stat().st_size
        start = request.headers.get("Content-Range", str(size)).removeprefix("bytes ").partition("-")[0]
        if start != str(size):
            raise RegistryError(416, "BLOB_UPLOAD_INVALID", f"the upload goes on at {size}, not at {start}")
        with path.open("ab") as file:
            async for piece in request.content.iter_chunked(1024 * 1024):
                file.write(piece)
            return file.tell()


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        response = await handler(request)
    except RegistryError as error:
        problem = {"code": error.code, "message": str(error), "detail": None}
        response = web.json_response({"errors": [problem]}, status=error.status)
    # Clients look at this header to tell a registry from any other server.
    response.headers["Docker-Distribution-API-Version"] = "registry/2.0"
    return response


def _name(request: web.Request) -> str:
    name = request.match_info["name"]
    if not NAME.fullmatch(name):
        raise RegistryError(400, "NAME_INVALID", f"`{name}` is not a repository name")
    return name


async def _manifest(request: web.Request) -> bytes:
    """Return the body; the limit of the application around this one is a smaller one."""
    content = bytearray()
    async for piece in request.content.iter_any():
        content += piece
        if len(content) > LARGEST_MANIFEST:
            raise RegistryError(413, "SIZE_INVALID", f"a manifest has at most {LARGEST_MANIFEST} bytes")
    return bytes(content)


def _page(request: web.Request, field: str, names: list[str], more: dict[str, str]) -> web.Response:
    """Answer with the names after `last`, at most `n`, and a link to the next page."""
    rest = [name for name in names if name > request.query.get("last", "")]
    limit = request.query.get("n", "")
    page = rest[: int(limit)] if limit.isdigit() else rest
    link = f'<{request.path}?n={limit}&last={page[-1]}>; rel="next"' if page and len(page) < len(rest) else None
    return web.json_response({**more, field: page}, headers={"Link": link} if link else None)


def _progress(name: str, upload: str, size: int) -> dict[str, str]:
    return {
        "Location": f"/v2/{name}/blobs/uploads/{upload}",
        "Range": f"0-{max(size - 1, 0)}",
        "Docker-Upload-UUID": upload,
    }


def _created(location: str, digest: str) -> web.Response:
    return web.Response(status=201, headers={"Location": location, "Docker-Content-Digest": digest})
