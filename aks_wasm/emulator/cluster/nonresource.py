"""Paths outside the resources: health, version, discovery, OpenAPI."""

from __future__ import annotations

from aiohttp import web

from aks_wasm.emulator.cluster import answers, discovery, openapi
from aks_wasm.emulator.cluster.context import ApiContext
from aks_wasm.emulator.cluster.statuses import MethodNotAllowed, UnknownPath

_HEALTH = ("/healthz", "/livez", "/readyz")
# What anybody may ask (the role system:public-info-viewer).
PUBLIC_PATHS = frozenset({*_HEALTH, "/version", "/version/"})
_CHECKS = ("ping", "log", "etcd", "poststarthook/start-apiextensions-controllers", "shutdown")


def answer_path(context: ApiContext, request: web.Request) -> web.Response:
    """Answer a GET of such a path.

    Raises:
        UnknownPath: Nothing is there.
        MethodNotAllowed: It is no GET.
    """
    if request.method not in {"GET", "HEAD"}:
        raise MethodNotAllowed
    path = request.path.rstrip("/")
    if path.startswith(_HEALTH):
        return _health(request, path)
    if path == "/version":
        return answers.document(discovery.version_info(context.version))
    if path.startswith("/openapi/"):
        return openapi.answer(context.kinds, request, path)
    if path == "":
        return answers.document({"paths": _root_paths(context)})
    return _discovery(context, request, path)


def _health(request: web.Request, path: str) -> web.Response:
    if "verbose" not in request.query:
        return web.Response(text="ok")
    lines = [f"[+]{check} ok" for check in _CHECKS]
    return web.Response(text="\n".join([*lines, f"{path.lstrip('/').split('/')[0]} check passed", ""]))


def _discovery(context: ApiContext, request: web.Request, path: str) -> web.Response:
    kinds, parts = context.kinds, path.strip("/").split("/")
    if len(parts) == 1 and parts[0] in {"api", "apis"}:
        if version := _aggregated_version(request):
            response = answers.document(discovery.aggregated(kinds, version, core=parts[0] == "api"))
            media = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
            response.headers["Content-Type"] = media
            response.headers["Vary"] = "Accept"
            return response
        if parts[0] == "api":
            return answers.document(discovery.core_versions(context.url))
        return answers.document(discovery.group_list(kinds))
    if parts[0] == "api" and len(parts) == 2:
        return answers.document(discovery.resource_list(kinds, "", parts[1]))
    if parts[0] == "apis" and len(parts) == 2:
        return answers.document(discovery.group(kinds, parts[1]))
    if parts[0] == "apis" and len(parts) == 3:
        return answers.document(discovery.resource_list(kinds, parts[1], parts[2]))
    raise UnknownPath


def _aggregated_version(request: web.Request) -> str | None:
    """Return the first version of aggregated discovery the client takes and we have."""
    for part in request.headers.get("Accept", "").split(","):
        pieces = {piece.strip() for piece in part.split(";")}
        if discovery.AGGREGATED in pieces and "as=APIGroupDiscoveryList" in pieces:
            for version in ("v2", "v2beta1"):
                if f"v={version}" in pieces:
                    return version
        elif pieces & {"application/json", "*/*"}:
            return None
    return None


def _root_paths(context: ApiContext) -> list[str]:
    groups = [f"/apis/{group}" for group in context.kinds.groups()]
    versions = [
        f"/apis/{group}/{version}" for group in context.kinds.groups() for version in context.kinds.versions(group)
    ]
    return ["/api", "/api/v1", "/apis", *sorted([*groups, *versions]), *_HEALTH, "/openapi/v2", "/openapi/v3",
            "/version"]  # fmt: skip
