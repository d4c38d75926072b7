"""What would make the creation of local nodes fail later: limits, space, control groups, rights."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from aks_wasm.errors import Problem
from aks_wasm.providers.kind.engine import Engine

_LIMITS = Path("/proc/sys/fs/inotify")
# Of each node: at 128 instances in all the seventh node's kubelet ended with "inotify_init: too many open files"
# (facts real-cluster.md, 5). kind's known issues raise 8192 watches for two nodes.
INSTANCES = 20
WATCHES = 8192
_GIBIBYTE = 1024**3
_IMAGE_SPACE, _NODE_SPACE = 2 * _GIBIBYTE, _GIBIBYTE


def problems(engine: Engine, nodes: int, *, image_is_there: bool, limits: Path = _LIMITS) -> list[Problem]:
    """Find what this machine lacks for so many new nodes.

    Args:
        engine: What they would run on.
        nodes: How many.
        image_is_there: Whether the node image needs no pull.
        limits: Where the kernel tells its inotify limits.
    """
    return [
        *_inotify(nodes, limits, os.geteuid() if engine.rootless else 0),
        *_space(engine, nodes, image_is_there=image_is_there),
        *_rights(engine),
    ]


def _inotify(nodes: int, limits: Path, user: int) -> list[Problem]:
    found = []
    used = sum(1 for _ in _instances_in_use(user)) if limits == _LIMITS else 0
    for name, each, taken in (("max_user_instances", INSTANCES, used), ("max_user_watches", WATCHES, 0)):
        limit = _number(limits / name)
        needed = nodes * each
        if limit is not None and limit - taken < needed:
            free = f", {limit - taken} are free" if taken else ""
            enough = max(512 if name == "max_user_instances" else 524288, needed + taken)
            found.append(
                Problem(
                    "",
                    f"fs.inotify.{name} is {limit}{free}, and {nodes} nodes need {needed}",
                    f"raise it: `sudo sysctl fs.inotify.{name}={enough}`",
                )
            )
    return found


def _instances_in_use(user: int) -> Iterator[str]:
    """Yield a user's inotify instances, as far as we may look; the limit is for each user."""
    for descriptors in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            if descriptors.stat().st_uid != user:
                continue
            for descriptor in descriptors.iterdir():
                with suppress(OSError):
                    if str(descriptor.readlink()) == "anon_inode:inotify":
                        yield str(descriptor)


def _space(engine: Engine, nodes: int, *, image_is_there: bool) -> list[Problem]:
    if engine.storage is None:
        return []
    needed = nodes * _NODE_SPACE + (0 if image_is_there else _IMAGE_SPACE)
    free = shutil.disk_usage(engine.storage).free
    if free >= needed:
        return []
    return [
        Problem(
            "",
            f"{free / _GIBIBYTE:.1f} GiB are free at `{engine.storage}`, "
            f"and {nodes} nodes need {needed // _GIBIBYTE} GiB",
            f"free some space, `{engine.program} system prune` for example",
        )
    ]


def _rights(engine: Engine) -> list[Problem]:
    if engine.rootless and engine.cgroup < 2:
        return [
            Problem(
                "",
                f"rootless `{engine.program}` can't run nodes with cgroup v1",
                "boot with systemd.unified_cgroup_hierarchy=1, or run the engine as root",
            )
        ]
    return []


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
