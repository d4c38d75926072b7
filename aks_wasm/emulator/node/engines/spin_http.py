"""The http trigger of a Spin application whose components have the WAGI executor."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from wasmtime import Linker, Trap, WasmtimeError

from aks_wasm.emulator.node.container_config import ContainerConfig
from aks_wasm.emulator.node.engines.command import Watch
from aks_wasm.emulator.node.engines.http_server import HttpServer
from aks_wasm.emulator.node.engines.program import Programs, is_component
from aks_wasm.emulator.node.engines.routes import match_route, normal_route
from aks_wasm.emulator.node.engines.spin import (
    DEFAULT_LISTEN,
    LISTEN_VARIABLE,
    component_mounts,
    listen_port,
    read_component,
)
from aks_wasm.emulator.node.engines.spin_manifest import HttpRoute, SpinApplication
from aks_wasm.emulator.node.engines.wagi import Request, Response, WagiComponent
from aks_wasm.emulator.node.errors import ShimError


def serve(
    application: SpinApplication, config: ContainerConfig, programs: Programs, report: Callable[..., None], watch: Watch
) -> int:
    """Serve until SIGTERM; a later route takes the place of an earlier one that reads the same.

    Raises:
        ShimError: A component can't be used.
    """
    routes = {route.route: route for route in application.routes}
    components = {pattern: _component(route, config, programs) for pattern, route in routes.items()}
    signal.signal(signal.SIGTERM, _end)

    def answer(request: Request) -> Response:
        match = match_route(routes.values(), request.path)
        if match is None:
            return Response(404, (), b"")
        try:
            return components[match.route.route].answer(request, match)
        except (WasmtimeError, Trap, ValueError) as error:
            sys.stderr.write(f"ERROR spin_trigger_http: Error processing request: {error}\n")
            sys.stderr.flush()
            return Response(500, (), b"")

    with HttpServer(answer) as server:
        _announce(application, config)
        watch(config.memory_limit)
        report(**{"listening": server.server_port, "as": listen_port(config)})
        report(started=True)
        server.serve_forever()
    return 0


def _component(route: HttpRoute, config: ContainerConfig, programs: Programs) -> WagiComponent:
    content = read_component(route.component, config)
    if is_component(content):
        raise ShimError(f'component "{route.component.name}" has the WAGI executor, which runs core modules here')
    module = programs.module(content)
    if "_start" not in [export.name for export in module.exports]:
        raise ShimError(f'component "{route.component.name}" exports no `_start`, which the WAGI executor calls')
    linker = Linker(programs.engine)
    linker.define_wasi()
    return WagiComponent(
        module=module,
        linker=linker,
        argv=route.wagi or "",
        environment=route.component.environment,
        mounts=component_mounts(route.component, config),
    )


def _end(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a Spin trigger at once, with code 0 (the shim aborts it and returns Ok(0))."""
    os._exit(0)


def _announce(application: SpinApplication, config: ContainerConfig) -> None:
    base = f"http://{config.env.get(LISTEN_VARIABLE, DEFAULT_LISTEN)}"
    lines = ["", f"Serving {base}", "Available Routes:"]
    for route in application.routes:
        pattern = normal_route(route.route)
        wildcard = " (wildcard)" if pattern.endswith("/...") else ""
        lines.append(f"  {route.component.name}: {base}{pattern.removesuffix('/...')}{wildcard}")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
