"""DaemonSets of Wasm pods that run through the real handler on every node for as long as it has the shim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.installer.objects import Manifest
from aks_wasm.shims.labels import COMPONENT, NAME, SYSTEM_NAMESPACE, owned
from aks_wasm.shims.runtime_class import probe_class_name, tolerations

PROBE_COMPONENT = "shim-probe"
STAY = "stay"
"""The argument with which our probe module proves itself and then sleeps instead of ending."""

_GRACE_SECONDS = 1  # a module that sleeps hears no SIGTERM


@dataclass(frozen=True)
class ProbeImage:
    """An image that the installer brings to the nodes.

    Attributes:
        name: The full reference it gets there.
        content: The OCI archive.
    """

    name: str
    content: bytes


def probe_image_key(shim: Shim) -> str:
    """Return the key of the image that probes a shim once: a Spin application for Spin, a bare module for others."""
    return f"{_kind(shim)}-{shim.probe}"


def stay_image_key(shim: Shim) -> str:
    """Return the key of the image of the probes that stay: Spin serves, a module is told to sleep."""
    return f"{_kind(shim)}-serves" if _serves(shim) else "probe-module-completes"


def _serves(shim: Shim) -> bool:
    return bool(shim.command) or shim.probe == "serves"


def _kind(shim: Shim) -> str:
    if shim.runs is not None and shim.runs.spin_manifest == (1,):
        return "probe-spin-1"  # Spin 1 does not read manifests of version 2
    return "probe-spin" if shim.command else "probe-module"


def probe_daemon_set(
    shim: Shim, *, owner: str, image: str, taints: Iterable[str], node_selector: Mapping[str, str]
) -> Manifest:
    """Return the DaemonSet whose ready pod on a node means that the shim works there at this moment.

    Args:
        shim: What is probed.
        owner: The cluster's name.
        image: Of `stay_image_key`, imported on the node by the installer.
        taints: `key=value:Effect` of the nodes.
        node_selector: Which nodes the installer works on.
    """
    name = f"{PROBE_COMPONENT}-{shim.handler}"
    own = {NAME: name, COMPONENT: PROBE_COMPONENT}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE, "labels": {**owned(owner), **own}},
        "spec": {
            "selector": {"matchLabels": own},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            "template": {
                "metadata": {"labels": {**owned(owner), **own}},
                "spec": {
                    "runtimeClassName": probe_class_name(shim.handler),
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "nodeSelector": {"kubernetes.io/os": "linux", **node_selector},
                    # The DaemonSet's controller looks at these, not at those of the RuntimeClass.
                    "tolerations": tolerations(taints),
                    "terminationGracePeriodSeconds": _GRACE_SECONDS,
                    "containers": [_container(shim, image)],
                },
            },
        },
    }


def _container(shim: Shim, image: str) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "probe",
        "image": image,
        "imagePullPolicy": "Never",
        "resources": {"requests": {"cpu": "1m", "memory": "16Mi"}, "limits": {"memory": "128Mi"}},
    }
    if shim.command:
        container["command"] = list(shim.command)
    if not _serves(shim):
        container["args"] = [STAY]
    elif shim.http_port:
        # Workloads wait for it, and the first look mostly comes before the server listens.
        container["readinessProbe"] = {"tcpSocket": {"port": shim.http_port}, "periodSeconds": 2}
    return container
