"""Programs that stand in for container engines and kind on PATH."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCKER = {
    "Architecture": "x86_64",
    "CgroupVersion": "2",
    "SecurityOptions": ["name=seccomp,profile=builtin"],
    "DockerRootDir": "/",
    "ServerVersion": "28.2.2",
}
PODMAN = {
    "host": {"arch": "arm64", "cgroupVersion": "v2", "security": {"rootless": True}},
    "store": {"graphRoot": "/no/such/folder"},
    "version": {"Version": "5.6.0"},
}


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def engine(folder: Path, name: str, info: dict[str, Any] | None, *, code: int = 0, says: str = "") -> Path:
    """An engine that knows only `info`."""
    document = "" if info is None else json.dumps(info)
    return program(folder, name, f"echo '{says}' >&2\ncat <<'EOF'\n{document}\nEOF\nexit {code}")
