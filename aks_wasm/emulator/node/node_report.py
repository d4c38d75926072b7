"""The line that the installer prints of a node, and the labels that follow from its probes; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from aks_wasm.emulator.node.runtimes import installed_runtimes, runtimes_of
from aks_wasm.emulator.node.shim_list import Told

READY_PREFIX = "handler.aks-wasm.dev/"
PROBE = ("app.kubernetes.io/component", "shim-probe")
PROBE_NAME = "app.kubernetes.io/name"


def report(node: Mapping[str, Any], told: Told | None, error: str | None) -> str:
    """Return the line: what containerd on the node has in effect, and whether it is as wanted.

    Args:
        node: The Node object.
        told: What the installer was told; None when it could not be read.
        error: `CODE: words` of the last failure, or None.
    """
    release = node["status"]["nodeInfo"]["containerRuntimeVersion"].removeprefix("containerd://")
    modern = not release.startswith("1.")
    installed = installed_runtimes(node)
    shims = told.shims if told else ()
    document = {
        "node": node["metadata"]["name"],
        "containerd": release.partition("-")[0],
        "config": "/etc/containerd/config.toml",
        "version": 2,  # AKS writes 2 also where containerd is 2.x (facts real-cluster.md, 0)
        "plugin": "io.containerd.cri.v1.runtime" if modern else "io.containerd.grpc.v1.cri",
        "imports": False,
        "handlers": [handler for handler in runtimes_of(node) if handler],
        "systemdCgroup": True,
        "localImagePull": bool(told and told.local_image_pull),
        "shims": [
            {"handler": s.handler, "binary": s.path, "sha256": s.sha256, "ok": s.handler in installed} for s in shims
        ],
        "healthy": error is None and is_as_wanted(node, told),
        "error": error,
    }
    return json.dumps(document, separators=(",", ":"))


def is_as_wanted(node: Mapping[str, Any], told: Told | None) -> bool:
    """Return whether the node has just what the list says."""
    return told is not None and installed_runtimes(node) == told.runtimes


def label_node(node: dict[str, Any], told: Told, pods: Iterable[Mapping[str, Any]]) -> None:
    """Bring the node's labels to what the probes on it say: `ready` for each handler of the list whose probe is.

    Args:
        node: The Node object, changed in place.
        told: What the installer was told.
        pods: Pods of this node.
    """
    proved = {_probed(pod) for pod in pods if _is_ready(pod)}
    wanted = {f"{READY_PREFIX}{shim.handler}" for shim in told.shims if shim.handler in proved}
    labels = node["metadata"].setdefault("labels", {})
    for key in [key for key in labels if key.startswith(READY_PREFIX) and key not in wanted]:
        del labels[key]
    labels |= dict.fromkeys(wanted, "ready")


def is_probe(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod is one of the probes that stay."""
    key, value = PROBE
    return (pod["metadata"].get("labels") or {}).get(key) == value and PROBE_NAME in pod["metadata"]["labels"]


def _probed(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"]["labels"][PROBE_NAME]).removeprefix(f"{PROBE[1]}-")


def _is_ready(pod: Mapping[str, Any]) -> bool:
    if not is_probe(pod) or pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(row["type"] == "Ready" and row["status"] == "True" for row in conditions)
