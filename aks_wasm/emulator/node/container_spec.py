"""What a container's process is to be told: spec, image, environment and volumes put together as containerd does."""

from __future__ import annotations

import os
import shutil
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aks_wasm.emulator.cluster.quantities import amount
from aks_wasm.emulator.node.container_config import ContainerConfig
from aks_wasm.emulator.node.environment import ConfigError, Surroundings, container_environment, expand
from aks_wasm.emulator.node.layers import inside
from aks_wasm.emulator.node.runtimes import LINUX
from aks_wasm.emulator.node.volumes import MountError, container_mounts

if TYPE_CHECKING:
    from aks_wasm.emulator.node.container_worker import PodScene
    from aks_wasm.emulator.node.images import Image

_EXEC_FAILED = 255  # runc's exit code when the kernel refuses the file


class StartFailed(Exception):
    """The runtime can't start the container.

    Attributes:
        reason: `RunContainerError` or `CreateContainerError`.
        code: The exit code when the container did start and ended at once.
        log_line: What it left in the log then; empty when it never started.
    """

    def __init__(self, reason: str, message: str, *, code: int = 0, log_line: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.code = code
        self.log_line = log_line


def container_config(scene: PodScene, spec: dict[str, Any], image: Image, folder: Path) -> ContainerConfig:
    """Return the configuration; makes the container's root file system and mounts below `folder`.

    Raises:
        ConfigError: Something the environment or a mount refers to is missing.
        StartFailed: The runtime would not start it.
    """
    around = surroundings(scene.context.store, scene.pod)
    image_config = image.config.get("config") or {}
    env = container_environment(spec, image_config.get("Env") or [], around)
    args = _arguments(spec, image_config, env, folder.name)
    if scene.runtime.shim == LINUX:
        raise _linux_refusal(image, args)
    if not scene.runtime.is_emulated:
        raise StartFailed(
            "RunContainerError",
            f"failed to create containerd task: the `{scene.runtime.shim}` shim is not emulated by this node; "
            "it runs spin, wasmtime, wasmedge, wasmer and slight",
        )
    root = folder / "root"
    shutil.copytree(image.root, root, symlinks=True)
    try:
        mounts = container_mounts(spec, scene.context.pod_folder(scene.uid) / "volumes", root)
    except MountError as error:
        raise ConfigError(str(error)) from error
    limit = resource_limit(spec, "memory")
    return ContainerConfig(
        engine=scene.runtime.shim,
        shim_version=scene.runtime.version,
        root=str(root),
        args=tuple(args),
        env=env,
        mounts=mounts,
        memory_limit=int(limit) if limit else None,
        modules=str(scene.context.modules),
        layer_types=image.layer_types,
        parent=os.getpid(),
    )


def resource_limit(spec: dict[str, Any], resource: str) -> Decimal | None:
    """Return a container's limit of `cpu` (in CPUs) or `memory` (in bytes); None when it has none."""
    written = ((spec.get("resources") or {}).get("limits") or {}).get(resource)
    return None if written is None else amount(str(written))


def surroundings(store: Any, pod: dict[str, Any]) -> Surroundings:
    """Return what environment and volumes of a pod are made from, as things are now."""
    meta = pod["metadata"]
    current = store.peek("pods", meta["name"], meta["namespace"]) or pod
    node = store.peek("nodes", pod["spec"]["nodeName"]) or {}
    return Surroundings(store, current, (node.get("status") or {}).get("allocatable") or {})


def _arguments(spec: dict[str, Any], image_config: dict[str, Any], env: dict[str, str], container: str) -> list[str]:
    """The pod's command stands for the entrypoint, its args for the image's cmd; a command alone drops both."""
    command = spec.get("command") or image_config.get("Entrypoint") or []
    arguments = spec.get("args") or ([] if spec.get("command") else image_config.get("Cmd") or [])
    every = [*command, *arguments]
    if not every:
        message = f'failed to generate container "{container}" spec: failed to generate spec: no command specified'
        raise StartFailed("CreateContainerError", message)
    return [expand(word, env) for word in every]


def _linux_refusal(image: Image, args: list[str]) -> StartFailed:
    entrypoint = inside(image.root, args[0])
    if entrypoint is not None and entrypoint.is_file():
        with entrypoint.open("rb") as file:
            if file.read(4) == b"\0asm":
                line = f"exec {args[0]}: exec format error"
                return StartFailed("RunContainerError", line, code=_EXEC_FAILED, log_line=line)
    return StartFailed(
        "RunContainerError",
        f"failed to create containerd task: this emulated node runs only WebAssembly containers, and `{image.name}` "
        "would run as an ordinary Linux container (no RuntimeClass of a shim); use a kind or AKS cluster for those",
    )
