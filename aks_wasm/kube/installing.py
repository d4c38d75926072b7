"""Whether our installer is still at work on a pod's node, so that what the pod lacks there may yet come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aks_wasm.kube.causes import Cause
from aks_wasm.shims.installer.objects import INSTALLER
from aks_wasm.shims.labels import COMPONENT, INSTALLED, SHIMS, SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

INSTALL_GRACE = 600.0
"""Seconds from a node's first minute on: a download, and the turns of many nodes that came at once."""

_BROUGHT = ("NoRuntime", "NoShimBinary")


def with_installer(client: KubeClient, pod: Mapping[str, Any], cause: Cause) -> Cause:
    """Return the cause with more grace where the installer brings what the pod lacks.

    Nodes that an autoscaler starts from zero get pods before they have shims: their pool says beforehand that they will
    be ready, and the kubelet tries again until they are.
    """
    node = pod["spec"].get("nodeName")
    if cause.code not in _BROUGHT or cause.grace is None or not node or not _is_at_work(client, node):
        return cause
    return replace(cause, grace=INSTALL_GRACE)


def _is_at_work(client: KubeClient, name: str) -> bool:
    node = client.get("Node", name)
    if node is None or (node["metadata"].get("labels") or {}).get(SHIMS) != INSTALLED:
        return False
    if client.get("DaemonSet", INSTALLER, SYSTEM_NAMESPACE) is None:  # local nodes are born with their shims
        return False
    pods = client.list(
        "Pod", namespace=SYSTEM_NAMESPACE, labels=f"{COMPONENT}={INSTALLER}", fields=f"spec.nodeName={name}"
    )
    return not any(_is_ready(pod) for pod in pods)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(row["type"] == "Ready" and row.get("status") == "True" for row in conditions)
