"""wasi:http components: run by `spin` or `wasmtime` of this machine, for the wasmtime library can't serve them here.

The C API behind wasmtime-py links wasi:http for outgoing requests but offers no way to hand a component an incoming
one. The programs take the process over, so they get its streams and end with it; the memory limit is not enforced.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from aks_wasm.emulator.node.container_config import ContainerConfig, Mount
from aks_wasm.emulator.node.errors import ShimError

_WASMTIME_HTTP_PORT = 8080  # containerd-shim-wasmtime serves wasi:http there unless PORT says otherwise


def serve_spin(config: ContainerConfig, port: int, report: Callable[..., None]) -> NoReturn:
    """Serve the image's Spin application with the `spin` program.

    Raises:
        ShimError: There is no such program.
    """
    program = _program("spin", "the application has components for wasi:http (no WAGI executor)", config)
    free = _free_port()
    report(**{"listening": free, "as": port})
    report(started=True)
    manifest = Path(config.root) / "spin.toml"
    args = [program, "up", "--direct-mounts", "--from", str(manifest), "--listen", f"127.0.0.1:{free}"]
    os.execve(program, args, _environment(config))  # noqa: S606 - the program was looked up by its name


def serve_component(config: ContainerConfig, module: Path, report: Callable[..., None]) -> NoReturn:
    """Serve one component with `wasmtime serve`.

    Raises:
        ShimError: There is no such program.
    """
    program = _program("wasmtime", "the module is a wasi:http component", config)
    port = config.env.get("PORT", "")
    free = _free_port()
    report(**{"listening": free, "as": int(port) if port.isdigit() else _WASMTIME_HTTP_PORT})
    report(started=True)
    args = [program, "serve", "--addr", f"127.0.0.1:{free}", "-S", "cli"]
    for name, value in config.env.items():
        args += ["--env", f"{name}={value}"]
    for mount in (Mount(config.root, "/"), *config.mounts):
        args += ["--dir", f"{mount.host}::{mount.guest}"]
    args.append(str(module))
    os.execve(program, args, _environment(config))  # noqa: S606 - the program was looked up by its name


def _program(name: str, why: str, config: ContainerConfig) -> str:
    found = shutil.which(name, path=os.environ.get("PATH"))
    if found is None:
        raise ShimError(
            f"{why}: this emulated node runs those with the `{name}` program, which is not installed on this machine "
            f"(engine {config.engine})"
        )
    return found


def _environment(config: ContainerConfig) -> dict[str, str]:
    return {**config.env, "PATH": os.environ.get("PATH", ""), "HOME": config.root}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
