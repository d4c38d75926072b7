"""What the installer says of a node: its line about containerd's effective configuration, its last error.

Both are printed by the node script, which is the one to say what they hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_ERROR = re.compile(r"aks-wasm: error: (?P<code>[A-Za-z]+): (?P<words>[^\n]+)")


@dataclass(frozen=True)
class ShimOnNode:
    """A shim as a node has it. `ok` is whether binary and configuration are as wanted."""

    handler: str
    binary: str
    sha256: str
    ok: bool


@dataclass(frozen=True)
class NodeReport:
    """What containerd on a node really does, by `containerd config dump`, not by what files say.

    Attributes:
        node: The node's name.
        containerd: Its version.
        config: The root file.
        version: That file's `version`.
        plugin: The plugin under whose id this containerd reads runtimes.
        imports: Whether the root file reads drop-ins.
        handlers: The runtimes that are in effect.
        systemd_cgroup: Whether they use systemd's cgroups; None where it does not say.
        local_image_pull: Whether containerd unpacks what it pulls itself, whatever the platform.
        shims: What we installed.
        healthy: Whether all is as wanted.
        error: Why not, as `CODE: words`, or None.
    """

    node: str
    containerd: str
    config: str
    version: int
    plugin: str
    imports: bool
    handlers: tuple[str, ...]
    systemd_cgroup: bool | None
    local_image_pull: bool | None
    shims: tuple[ShimOnNode, ...]
    healthy: bool
    error: str | None


@dataclass(frozen=True)
class NodeError:
    """Why the installer gave up on a node. `code` is the script's, for example `HashMismatch`."""

    code: str
    words: str


def last_report(lines: Iterable[str]) -> NodeReport | None:
    """Return the newest report in the installer's log; None when it has none."""
    found = None
    for line in lines:
        if line.startswith("{"):
            found = _report(line) or found
    return found


def last_error(text: str) -> NodeError | None:
    """Return the newest error in what the installer printed; None when it has none."""
    found = [NodeError(match["code"], match["words"].strip()) for match in _ERROR.finditer(text)]
    return found[-1] if found else None


def _report(line: str) -> NodeReport | None:
    try:
        document: Mapping[str, Any] = json.loads(line)
        return NodeReport(
            node=str(document["node"]),
            containerd=str(document.get("containerd") or ""),
            config=str(document.get("config") or ""),
            version=int(document.get("version") or 0),
            plugin=str(document.get("plugin") or ""),
            imports=bool(document.get("imports")),
            handlers=tuple(map(str, document.get("handlers") or ())),
            systemd_cgroup=document.get("systemdCgroup"),
            local_image_pull=document.get("localImagePull"),
            shims=tuple(_shim(entry) for entry in document.get("shims") or ()),
            healthy=bool(document.get("healthy")),
            error=str(document["error"]) if document.get("error") else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # a line cut off by the log's rotation


def _shim(entry: Mapping[str, Any]) -> ShimOnNode:
    return ShimOnNode(
        str(entry["handler"]), str(entry.get("binary", "")), str(entry.get("sha256", "")), ok=bool(entry.get("ok"))
    )
