"""The runtimes in a node's containerd configuration: what handler names stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aks_wasm.emulator.node.profile import HANDLERS_ANNOTATION

LINUX = "linux"
_EMULATED = ("spin", "wasmtime", "wasmedge", "wasmer", "slight")
# AgentBaker's containerd template for workloadRuntime WasmWasi, as of the last image with shims (202506.16.0).
_PREVIEW_TYPES = {
    "spin": "io.containerd.spin.v2",
    "slight": "io.containerd.slight-v0-3-0.v1",
    "spin-v0-3-0": "io.containerd.spin-v0-3-0.v1",
    "slight-v0-3-0": "io.containerd.slight-v0-3-0.v1",
    "spin-v0-5-1": "io.containerd.spin-v0-5-1.v1",
    "slight-v0-5-1": "io.containerd.slight-v0-5-1.v1",
    "spin-v0-8-0": "io.containerd.spin-v0-8-0.v1",
    "slight-v0-8-0": "io.containerd.slight-v0-8-0.v1",
    "wws-v0-8-0": "io.containerd.wws-v0-8-0.v1",
    "spin-v0-15-1": "io.containerd.spin.v2",
}
_PREVIEW_VERSION = "v0.15.1"  # of the binary behind io.containerd.spin.v2 there
_PREVIEW_LABEL = "kubernetes.azure.com/wasmtime-"
_TYPE = re.compile(r"^io\.containerd\.(?P<name>[a-z0-9]+?)(?:-v(?P<version>\d+(?:-\d+)*))?\.v\d+$")
_BINARY = re.compile(r"containerd-shim-(?P<name>[a-z0-9]+)(?:-v\d+(?:-\d+)*)?-v\d+$")


@dataclass(frozen=True)
class Runtime:
    """One configured runtime.

    Attributes:
        handler: Its name in the configuration, a RuntimeClass's handler.
        shim: The shim's name, for example `spin`; `linux` for runc.
        version: The shim's version, for example `v0.15.1`; may be empty.
    """

    handler: str
    shim: str
    version: str = ""

    @property
    def is_emulated(self) -> bool:
        """Whether this node can run what the shim runs."""
        return self.shim in _EMULATED


def runtimes_of(node: Mapping[str, Any]) -> dict[str, Runtime]:
    """Return the runtimes of a node by handler: runc and untrusted, the preview's, the installed ones."""
    found = {handler: Runtime(handler, LINUX) for handler in ("", "runc", "untrusted")}
    metadata = node["metadata"]
    if any(label.startswith(_PREVIEW_LABEL) for label in metadata.get("labels") or {}):
        for handler, runtime_type in _PREVIEW_TYPES.items():
            found[handler] = runtime_from_type(handler, runtime_type, version=_PREVIEW_VERSION)
    return found | installed_runtimes(node)


def installed_runtimes(node: Mapping[str, Any]) -> dict[str, Runtime]:
    """Return what an installer has put on the node."""
    text = (node["metadata"].get("annotations") or {}).get(HANDLERS_ANNOTATION, "{}")
    try:
        document = json.loads(text)
        return {handler: Runtime(handler, entry["shim"], entry["version"]) for handler, entry in document.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # somebody has edited the annotation; what can't be read is not configured


def remember_runtimes(node: dict[str, Any], runtimes: Mapping[str, Runtime]) -> None:
    """Write into the node's annotation what an installer has put there; what it names no more is gone."""
    document = {handler: {"shim": item.shim, "version": item.version} for handler, item in sorted(runtimes.items())}
    node["metadata"].setdefault("annotations", {})[HANDLERS_ANNOTATION] = json.dumps(document)


def runtime_from_type(handler: str, runtime_type: str, *, version: str = "") -> Runtime:
    """Read containerd's runtime_type: `io.containerd.spin.v2`, `...spin-v0-8-0.v1` or the path of a shim."""
    if match := _TYPE.match(runtime_type):
        own = match["version"]
        return Runtime(handler, match["name"], f"v{own.replace('-', '.')}" if own else version)
    if match := _BINARY.search(runtime_type):
        return Runtime(handler, match["name"], version)
    return Runtime(handler, runtime_type, version)


def missing_handler(node: Mapping[str, Any], handler: str, sandbox: str) -> str:
    """Return containerd's words for a handler that is not configured; they changed with 2.0."""
    version = node["status"]["nodeInfo"]["containerRuntimeVersion"].removeprefix("containerd://")
    if version.startswith("1."):
        return f'failed to get sandbox runtime: no runtime for "{handler}" is configured'
    return f'unable to get OCI runtime for sandbox "{sandbox}": no runtime for "{handler}" is configured'
