"""WASI commands, as the wasmtime, wasmedge, wasmer and slight shims run them: to the end, with their exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wasmtime import ExitTrap, Instance, Linker, Module, Store, Trap, WasiConfig, WasmtimeError
from wasmtime import component as components

from aks_wasm.emulator.node.confinement import MemoryWatch
from aks_wasm.emulator.node.container_config import ContainerConfig, Mount
from aks_wasm.emulator.node.engines.program import Programs, is_component, is_wasm, serves_http
from aks_wasm.emulator.node.errors import ShimError

_TRAPPED = 137  # an error of run_wasi ends a container so (containerd-shim-wasm)
_RUN_INTERFACES = tuple(f"wasi:cli/run@0.2.{patch}" for patch in range(12))
Watch = Callable[[int | None], MemoryWatch]


@dataclass(frozen=True)
class Command:
    """A Wasm command with what it is to see.

    Attributes:
        content: The Wasm file.
        function: What is called; `_start` for WASI commands.
        args: Its argv.
        env: Its environment.
        mounts: Folders it may open.
        memory_limit: Bytes, or None.
    """

    content: bytes
    function: str
    args: tuple[str, ...]
    env: dict[str, str]
    mounts: tuple[Mount, ...]
    memory_limit: int | None


def run(config: ContainerConfig, report: Callable[..., None], watch: Watch) -> int:
    """Run the container's entrypoint (`/app.wasm` or `/app.wasm#function`); return its exit code.

    Raises:
        ShimError: The file is missing, no Wasm, or needs what this shim has not got.
    """
    path, _, function = (config.args[0] if config.args else "").partition("#")
    host = config.on_host(path)
    if host is None or not host.is_file():
        raise ShimError(f"failed to find the module `{path}` in the image")
    content = host.read_bytes()
    if not is_wasm(content):
        raise ShimError(f"`{path}` is not a WebAssembly file")
    if config.engine == "slight" and is_component(content):
        raise ShimError("slight 0.5 runs core modules; this is a component")
    if is_component(content) and serves_http(content):
        from aks_wasm.emulator.node.engines import wasi_http

        return wasi_http.serve_component(config, host, report)
    command = Command(
        content=content,
        function=function or "_start",
        args=config.args,
        env=config.env,
        mounts=(Mount(config.root, "/"), *config.mounts),
        memory_limit=config.memory_limit,
    )
    return run_command(command, Programs(Path(config.modules)), report, watch)


def run_command(command: Command, programs: Programs, report: Callable[..., None], watch: Watch) -> int:
    """Run a command to its end; return its exit code.

    Raises:
        ShimError: It is not valid, or imports something that is not there.
    """
    # A WASI command has no signal handling: only SIGKILL ends it (facts real-cluster.md section 6).
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    start = _component if is_component(command.content) else _module
    call = start(command, programs)
    report(started=True)
    memory = watch(command.memory_limit)
    try:
        code = call()
    except ExitTrap as error:
        code = error.code
    except (WasmtimeError, Trap) as error:
        sys.stderr.write(f"Error: {error}\n")
        code = _TRAPPED
    memory.check()
    return code


def wasi_config(command: Command) -> WasiConfig:
    """Return the WASI context: arguments, environment, folders, this process's streams."""
    wasi = WasiConfig()
    wasi.argv = list(command.args)
    wasi.env = list(command.env.items())
    wasi.stdin_file = os.devnull
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    preopen(wasi, command.mounts)
    return wasi


def preopen(wasi: WasiConfig, mounts: tuple[Mount, ...]) -> None:
    """Open the folders for the guest; WASI opens folders only, so a mounted single file shows through `/`."""
    for mount in mounts:
        if Path(mount.host).is_dir():
            wasi.preopen_dir(mount.host, mount.guest, not mount.read_only)


def _module(command: Command, programs: Programs) -> Callable[[], int]:
    module = programs.module(command.content)
    store, instance = _instantiate(command, programs, module)
    function = instance.exports(store).get(command.function)
    if not callable(function):
        raise ShimError(f"the module exports no function `{command.function}`")

    def call() -> int:
        function(store)
        return 0

    return call


def _instantiate(command: Command, programs: Programs, module: Module) -> tuple[Store, Instance]:
    linker = Linker(programs.engine)
    linker.define_wasi()
    store = Store(programs.engine)
    store.set_wasi(wasi_config(command))
    try:
        return store, linker.instantiate(store, module)
    except (WasmtimeError, Trap) as error:
        raise ShimError(f"failed to instantiate the module: {error}") from error


def _component(command: Command, programs: Programs) -> Callable[[], int]:
    component = programs.component(command.content)
    linker = components.Linker(programs.engine)
    linker.add_wasip2()
    store = Store(programs.engine)
    store.set_wasi(wasi_config(command))
    try:
        instance = linker.instantiate(store, component)
    except (WasmtimeError, Trap) as error:
        raise ShimError(f"failed to instantiate the component: {error}") from error
    for name in _RUN_INTERFACES:
        interface = instance.get_export_index(store, name)
        index = interface and instance.get_export_index(store, "run", interface)
        function = index and instance.get_func(store, index)
        if function:
            found = function
            return lambda: _exit_code(found(store))
    raise ShimError("the component exports neither wasi:cli/run nor wasi:http/incoming-handler")


def _exit_code(result: object) -> int:
    """`result<_, _>` of wasi:cli/run comes as a Variant whose tag is `ok` or `err`."""
    return 1 if getattr(result, "tag", "ok") == "err" else 0
