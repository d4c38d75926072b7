"""The application: Resource Manager's front door, and the endpoints that need no token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from aks_wasm.emulator.arm import (
    agent_pools,
    clusters,
    credentials,
    features,
    groups,
    kubernetes_versions,
    locks,
    metadata,
    operation_routes,
    permissions,
    power,
    providers,
    scripted,
    skus,
    subscriptions,
    tags,
    token_endpoint,
    upgrades,
    usages,
    versions,
)
from aks_wasm.emulator.arm.authentication import authorize, caller_of
from aks_wasm.emulator.arm.context import Arm, ArmContext
from aks_wasm.emulator.arm.errors import ArmError, GatewayError, not_emulated
from aks_wasm.emulator.arm.operations import Operations
from aks_wasm.emulator.arm.responses import rendered, rendered_error
from aks_wasm.emulator.arm.routing import Call, Reply, Router
from aks_wasm.emulator.faults import Fault

__all__ = ["ArmContext", "arm_application"]

_MODULES = (
    *(subscriptions, operation_routes, locks, permissions, tags, features, skus, usages, kubernetes_versions),
    *(credentials, power, upgrades, agent_pools, clusters, groups, providers),
)
_ROUTER = Router([route for module in _MODULES for route in module.ROUTES])
_WORKS = {**groups.WORKS, **clusters.WORKS, **agent_pools.WORKS, **power.WORKS}


def arm_application(context: ArmContext) -> web.Application:
    """Return the application: Resource Manager, metadata and token endpoints.

    Operations that a former process left unfinished go on when it starts, so the fleet must be resumed before.
    Everything not routed otherwise is taken for a request to Resource Manager.
    """
    arm = Arm(context)
    arm.operations = Operations(arm, _WORKS)

    async def front_door(request: web.Request) -> web.StreamResponse:
        return await _answer(arm, request)

    async def life(_app: web.Application) -> AsyncIterator[None]:
        arm.operations.resume()
        yield
        await arm.operations.close()

    application = web.Application()
    application.add_routes(metadata.routes(arm) + token_endpoint.routes(arm))
    application.router.add_route("*", "/{path:.*}", front_door)
    application.cleanup_ctx.append(life)
    return application


async def _answer(arm: Arm, request: web.Request) -> web.StreamResponse:
    fault = arm.context.faults.strike(request.method, request.path)
    try:
        if fault is not None:
            if (stopped := await _befallen(fault, request)) is not None:
                return stopped
            if (error := scripted.error_of(fault)) is not None:
                raise error
        response = rendered(_handle(arm, request, await _body(request), fault), request.method)
    except ArmError as error:
        response = rendered_error(error, request.method)
    if fault is not None and fault.name == "cut":
        return _cut(request)
    return response


async def _befallen(fault: Fault, request: web.Request) -> web.Response | None:
    if fault.name == "slow":
        await asyncio.sleep(float(fault.parameters.get("seconds", 1)))
    if fault.name == "html":
        status = int(fault.parameters.get("status", 200))
        return web.Response(status=status, text=scripted.PROXY_PAGE, content_type="text/html")
    if fault.name == "cut" and fault.parameters.get("moment", "before") == "before":
        return _cut(request)
    return None


def _cut(request: web.Request) -> web.Response:
    """End the connection; the response that is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _handle(arm: Arm, request: web.Request, body: dict[str, Any], fault: Fault | None) -> Reply:
    path = request.path.rstrip("/")
    caller = caller_of(arm, request.headers.get("Authorization"))
    query = {name.lower(): value for name, value in request.query.items()}
    found = _ROUTER.find(request.method, path)
    if found is None:
        raise not_emulated(request.method, path)
    route, params = found
    versions.check(route, query.get("api-version"), body.get("location") if request.method == "PUT" else None)
    if "subscription" in params:
        subscriptions.check(arm, params["subscription"])
    authorize(caller, route, path)
    call = Call(
        method=request.method,
        path=path,
        query=query,
        raw_query=request.rel_url.raw_query_string,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        caller=caller,
        params=params,
        outcome=fault if fault is not None and fault.is_outcome else None,
    )
    return route.handler(arm, call)


async def _body(request: web.Request) -> dict[str, Any]:
    text = await request.text()
    if not text.strip():
        return {}
    try:
        body = json.loads(text)
    except ValueError as error:
        message = f"The request content was invalid and could not be deserialized: '{error}'."
        raise GatewayError(400, "InvalidRequestContent", message) from error
    if not isinstance(body, dict):
        message = "The request content was invalid and could not be deserialized: 'an object is expected'."
        raise GatewayError(400, "InvalidRequestContent", message)
    return body
