"""The frame that all of the installer's objects share: names, namespace, marks."""

from __future__ import annotations

from typing import Any

from aks_wasm.shims.labels import COMPONENT, NAME, SYSTEM_NAMESPACE, owned

INSTALLER = "shim-installer"
"""Name of the DaemonSet and of what belongs to it, and value of the component label."""

Manifest = dict[str, Any]


def labels(owner: str, component: str = INSTALLER) -> dict[str, str]:
    """Return the labels of an object of the installer."""
    return {**owned(owner), NAME: INSTALLER, COMPONENT: component}


def named(api_version: str, kind: str, name: str, owner: str, **content: Any) -> Manifest:
    """Return an object of the installer in its namespace."""
    metadata = {"name": name, "namespace": SYSTEM_NAMESPACE, "labels": labels(owner)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def namespace(owner: str) -> Manifest:
    """Return the namespace; probes live there as well."""
    marks = {
        **owned(owner),
        # The script changes the node: that takes a privileged container.
        "pod-security.kubernetes.io/enforce": "privileged",
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE, "labels": marks}}
