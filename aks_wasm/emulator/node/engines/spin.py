"""Spin applications as containerd-shim-spin runs them: `/spin.toml` of the image, http and command triggers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from aks_wasm.emulator.node.container_config import ContainerConfig, Mount
from aks_wasm.emulator.node.engines.command import Command, Watch, run_command
from aks_wasm.emulator.node.engines.program import Programs, is_wasm
from aks_wasm.emulator.node.engines.spin_manifest import SpinApplication, SpinComponent, parse_manifest
from aks_wasm.emulator.node.errors import ShimError

MANIFEST = "/spin.toml"  # where the shim looks (containerd-shim-spin, constants.rs)
LISTEN_VARIABLE = "SPIN_HTTP_LISTEN_ADDR"
DEFAULT_LISTEN = "0.0.0.0:80"
_SPIN_LAYERS = ("application/vnd.wasm.content.layer.v1+wasm", "application/vnd.fermyon.spin.application.v1+config")
# From which shim on: Spin 2 (manifest 2) came with v0.10, the command trigger with v0.14.0 (its engine.rs by tag).
_MANIFEST_2_SINCE = (0, 10, 0)
_COMMAND_SINCE = (0, 14, 0)
_TRIGGERS = ("http", "command")
_TRIGGERS_ELSEWHERE = ("command", "redis", "mqtt", "sqs")


def run(config: ContainerConfig, report: Callable[..., None], watch: Watch) -> int:
    """Run the application until it ends or is told to; return the exit code.

    Raises:
        ShimError: The manifest or a component can't be used.
    """
    application = parse_manifest(_manifest_text(config))
    check_version(application, config.shim_version)
    programs = Programs(Path(config.modules))
    if "command" in application.triggers:
        return _run_command(application, config, programs, report, watch)
    if any(route.wagi is None for route in application.routes):
        from aks_wasm.emulator.node.engines import wasi_http

        return wasi_http.serve_spin(config, listen_port(config), report)
    from aks_wasm.emulator.node.engines import spin_http

    return spin_http.serve(application, config, programs, report, watch)


def listen_port(config: ContainerConfig) -> int:
    """Return the port that the application believes it listens on.

    Raises:
        ShimError: SPIN_HTTP_LISTEN_ADDR is no address.
    """
    address = config.env.get(LISTEN_VARIABLE, DEFAULT_LISTEN)
    port = address.rpartition(":")[2]
    if not port.isdigit():
        raise ShimError(f"could not parse address: {address}")
    return int(port)


def _manifest_text(config: ContainerConfig) -> str:
    path = config.on_host(MANIFEST)
    if path is not None and path.is_file():
        return path.read_text()
    if any(layer in _SPIN_LAYERS for layer in config.layer_types):
        raise ShimError(
            "the image is a Spin OCI artifact, which this emulated node does not unpack; "
            "package the application as an image with /spin.toml (aks-wasm does)"
        )
    raise ShimError(f'Failed to read manifest file "{MANIFEST}": No such file or directory (os error 2)')


def check_version(application: SpinApplication, shim_version: str) -> None:
    """Refuse what that version of the shim could not run.

    Raises:
        ShimError: In the shim's own words where it has some.
    """
    version = _version(shim_version)
    if application.manifest_version == 2 and version < _MANIFEST_2_SINCE:
        raise ShimError(f"containerd-shim-spin {shim_version} (Spin 1) can't read spin_manifest_version = 2")
    unknown = [kind for kind in application.triggers if kind not in _TRIGGERS]
    if "command" in application.triggers and version < _COMMAND_SINCE:
        unknown = ["command"]
    if unknown and unknown[0] in _TRIGGERS_ELSEWHERE:
        raise ShimError(f"the {unknown[0]} trigger is not run here (shim {shim_version or 'newest'})")
    if unknown:
        raise ShimError(
            f"Only Http, Redis, MQTT, SQS and Command triggers are currently supported, found {unknown[0]!r}"
        )


def _version(text: str) -> tuple[int, ...]:
    numbers = [int(part) for part in text.lstrip("v").split(".") if part.isdigit()]
    return tuple(numbers) if numbers else (999,)


def read_component(component: SpinComponent, config: ContainerConfig) -> bytes:
    """Return the component's Wasm file.

    Raises:
        ShimError: It is not in the image, or no Wasm.
    """
    path = config.on_host(str(PurePosixPath("/", component.source)))
    if path is None or not path.is_file():
        raise ShimError(f'component "{component.name}": "{component.source}" does not exist in the image')
    content = path.read_bytes()
    if not is_wasm(content):
        raise ShimError(f'component "{component.name}": "{component.source}" is not a WebAssembly file')
    return content


def component_mounts(component: SpinComponent, config: ContainerConfig) -> tuple[Mount, ...]:
    """Return the folders a component may read.

    Raises:
        ShimError: `files` names something else than folders: the shim mounts directly (spin-loader, local.rs).
    """
    if component.excludes_files:
        raise ShimError("Cannot load a component with `exclude_files` using --direct-mounts")
    mounts = []
    for source, destination in component.files:
        host = config.on_host(str(PurePosixPath("/", source)))
        if destination is None or host is None or not host.is_dir():
            raise ShimError(
                f'Only directory mounts are supported with `--direct-mounts`; "{source}" is not a directory.'
            )
        mounts.append(Mount(str(host), destination, read_only=True))
    return tuple(mounts)


def _run_command(
    application: SpinApplication, config: ContainerConfig, programs: Programs, report: Callable[..., None], watch: Watch
) -> int:
    component = application.commands[0]
    command = Command(
        content=read_component(component, config),
        function="_start",
        args=config.args,
        env=component.environment,
        mounts=component_mounts(component, config),
        memory_limit=config.memory_limit,
    )
    return run_command(command, programs, report, watch)
