"""The API server of one cluster: TLS, who may in, and which handler answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from aiohttp import web

from aks_wasm.emulator.certificates import CertificateAuthority
from aks_wasm.emulator.cluster import (
    answers,
    bootstrap,
    crds,
    deleting,
    patching,
    pod_security,
    reading,
    subresources,
    watching,
    writing,
)
from aks_wasm.emulator.cluster.authentication import ANONYMOUS, user_of
from aks_wasm.emulator.cluster.authorization import Attributes, impersonated, require
from aks_wasm.emulator.cluster.calls import Call, Handler, call_of
from aks_wasm.emulator.cluster.context import ApiContext, Tokens
from aks_wasm.emulator.cluster.logs import LogSource, LogUnavailable
from aks_wasm.emulator.cluster.nonresource import PUBLIC_PATHS, answer_path
from aks_wasm.emulator.cluster.resources import Kinds
from aks_wasm.emulator.cluster.reviews import REVIEWS
from aks_wasm.emulator.cluster.service_accounts import TokenIssuer
from aks_wasm.emulator.cluster.statuses import ApiFailure, MethodNotAllowed, RequestTooLarge, Unauthorized
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.shutdown import end

__all__ = ["ApiServer", "LogSource", "LogUnavailable"]

log = logging.getLogger(__name__)
HOSTS = ["kubernetes", "kubernetes.default.svc.cluster.local", "localhost", "127.0.0.1"]
_LARGEST_BODY = 3 * 1024 * 1024  # as a real API server takes (MaxRequestBodyBytes)
OnRequest = Callable[[str, str, int, float], None]


class ApiServer:
    """Answers for one cluster on a port of loopback.

    Attributes:
        on_request: Told of each finished request: method, path, status, seconds.
    """

    def __init__(
        self,
        store: Store,
        authority: CertificateAuthority,
        *,
        kubernetes_version: str,
        logs: LogSource,
        tokens: Tokens,
    ) -> None:
        """Make a server over a store.

        Args:
            store: The cluster's objects.
            authority: Signs the server's certificate and those of clients.
            kubernetes_version: For example `1.35.5`.
            logs: Where container logs come from.
            tokens: Bearer token to [user, *groups], None when it is not known.
        """
        self._context = ApiContext(store, Kinds(), logs, tokens, TokenIssuer(store), kubernetes_version)
        store.guards["PodSecurity"] = pod_security.guard(kubernetes_version)
        self._authority = authority
        self._runner: web.AppRunner | None = None
        self.on_request: OnRequest | None = None

    async def start(self, port: int | None) -> int:
        """Listen on 127.0.0.1 and return the port; None takes any free one.

        Raises:
            OSError: The port is in use.
        """
        bootstrap.fill(self._context.store)
        crds.serve_stored(self._context)
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        context = self._authority.server_context(HOSTS, client_ca=True)
        site = web.TCPSite(runner, "127.0.0.1", port or 0, ssl_context=context)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        bound: int = runner.addresses[0][1]
        self._context.url = f"127.0.0.1:{bound}"
        return bound

    async def stop(self) -> None:
        """Close every connection, watches included; nothing happens when it does not listen."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self._context.store.log.disconnect()
            await end(runner)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        start = time.monotonic()
        status = 500
        try:
            response = await self._handle(request)
            status = response.status
        except ApiFailure as error:
            status = error.code
            response = answers.failure(error)
        except web.HTTPRequestEntityTooLarge:
            status = 413
            response = answers.failure(RequestTooLarge(_LARGEST_BODY))
        except asyncio.CancelledError:
            status = 499
            raise
        except Exception:
            # A bug here must reach the client as a Status and the log as a traceback, not as a cut connection.
            log.exception("%s %s", request.method, request.path_qs)
            response = answers.failure(ApiFailure("Internal error occurred: the emulator's log says more"))
        finally:
            if self.on_request is not None:
                self.on_request(request.method, request.path_qs, status, time.monotonic() - start)
        return response

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        context = self._context
        user = user_of(context, request)
        if user is ANONYMOUS and request.path not in PUBLIC_PATHS:
            raise Unauthorized
        groups = tuple(request.headers.getall("Impersonate-Group", ()))
        user = impersonated(context.store, user, request.headers.get("Impersonate-User", ""), groups)
        if not _is_resource(request.path):
            if user is not ANONYMOUS:
                require(context.store, user, Attributes(request.method.lower(), path=request.path))
            return answer_path(context, request)
        call = call_of(context.kinds, user, request)
        require(context.store, user, call.attributes())
        return await _handler(call)(context, call)


def _is_resource(path: str) -> bool:
    parts = path.strip("/").split("/")
    return (parts[0] == "api" and len(parts) > 2) or (parts[0] == "apis" and len(parts) > 3)


def _handler(call: Call) -> Handler:
    """Return who answers a call.

    Raises:
        MethodNotAllowed: The resource has no such verb.
    """
    kind, below = call.kind, call.subresource
    nameless = not call.name and call.verb in {"update", "patch"}
    if nameless or call.verb not in (kind.subresources[below] if below else kind.verbs):
        raise MethodNotAllowed
    special = subresources.HANDLERS.get((kind.plural, below)) or subresources.HANDLERS.get(("*", below))
    if special is not None:
        return special
    return REVIEWS.get(kind.plural) or _VERBS[call.verb]


async def _get(context: ApiContext, call: Call) -> web.Response:
    return reading.get(context, call)


async def _list(context: ApiContext, call: Call) -> web.Response:
    return reading.list_objects(context, call)


_VERBS: dict[str, Handler] = {
    "get": _get,
    "list": _list,
    "watch": watching.watch,
    "create": writing.create,
    "update": writing.update,
    "patch": patching.patch,
    "delete": deleting.delete,
    "deletecollection": deleting.delete_collection,
}
