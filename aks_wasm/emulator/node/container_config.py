"""What the agent hands to the process of one container, and what that process reports back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aks_wasm.emulator.node.layers import inside


@dataclass(frozen=True)
class Mount:
    """A folder of the node that shows up in the container.

    Attributes:
        host: The folder on this machine.
        guest: The absolute path in the container.
        read_only: Whether the container may not write there.
    """

    host: str
    guest: str
    read_only: bool = False


@dataclass(frozen=True)
class ContainerConfig:
    """All that one container process needs.

    Attributes:
        engine: The shim's name: `spin`, `wasmtime`, `wasmedge`, `wasmer`, `slight`.
        shim_version: Of the shim, for example `v0.15.1`; empty when unknown (then the newest is meant).
        root: The container's own root file system.
        args: Entrypoint and arguments.
        env: The container's environment.
        mounts: Volumes, in the order of the pod's volumeMounts.
        memory_limit: Bytes the module may use, or None.
        modules: Folder of compiled modules, shared by all containers of the cluster.
        layer_types: Media types of the image's layers.
        parent: Process id of the agent; when it dies, the container dies.
    """

    engine: str
    shim_version: str
    root: str
    args: tuple[str, ...]
    env: dict[str, str]
    mounts: tuple[Mount, ...]
    memory_limit: int | None
    modules: str
    layer_types: tuple[str, ...]
    parent: int

    def to_json(self) -> str:
        """Return the document that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ContainerConfig:
        """Read what the agent wrote."""
        document: dict[str, Any] = json.loads(text)
        document["args"] = tuple(document["args"])
        document["layer_types"] = tuple(document["layer_types"])
        document["mounts"] = tuple(Mount(**mount) for mount in document["mounts"])
        return cls(**document)

    def on_host(self, path: str) -> Path | None:
        """Return where a path of the container is on this machine, volumes included; None when it leads nowhere."""
        best: Mount | None = None
        for mount in self.mounts:
            prefix = mount.guest.rstrip("/")
            if (path == prefix or path.startswith(f"{prefix}/")) and (best is None or len(prefix) >= len(best.guest)):
                best = mount
        if best is None:
            return inside(Path(self.root), path)
        rest = path[len(best.guest.rstrip("/")) :].lstrip("/")
        host = Path(best.host)
        return inside(host, rest) if host.is_dir() else host
