"""Puts shims on the nodes of ordinary pools: a DaemonSet whose init container runs the node script."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.labels import COMPONENT, INSTALLED, NAME, SHIMS, SYSTEM_NAMESPACE, owned
from aks_wasm.shims.runtime_class import tolerations

INSTALLER = "shim-installer"
"""Name of the DaemonSet and its parts, and value of the component label."""

SHIMS_ANNOTATION = "aks-wasm.dev/shims"
"""On the DaemonSet's pods: JSON list of what they install."""

_CONTENT_ANNOTATION = "aks-wasm.dev/content"
# By tag: no digest of it could be verified from here. It gives sh, cp, chroot and sleep, for amd64 and arm64.
IMAGE = "mcr.microsoft.com/azurelinux/busybox:1.36"
_SCRIPT = "node-script.sh"
_LIST = "shims.tsv"

Manifest = dict[str, Any]


def manifests(owner: str, shims: Sequence[Shim], taints: Iterable[str]) -> list[Manifest]:
    """Return what installs shims on every node labelled `aks-wasm.dev/shims: installed`, in the order to apply it in.

    Args:
        owner: The cluster's name.
        shims: What to install; each platform has its SHA-256 (`catalogue.problems` checks).
        taints: `key=value:Effect` of the pools.
    """
    content = {_SCRIPT: node_script(), _LIST: shim_list(shims)}
    return [
        _namespace(owner),
        _object("v1", "ServiceAccount", owner, {"automountServiceAccountToken": False}),
        _object("v1", "ConfigMap", owner, {"data": content}),
        _object("apps/v1", "DaemonSet", owner, {"spec": _daemon_set(owner, shims, taints, content)}),
    ]


def node_script() -> str:
    """Return the POSIX shell script that installs on a node."""
    return files(__package__).joinpath(_SCRIPT).read_text(encoding="utf-8")


def shim_list(shims: Iterable[Shim]) -> str:
    """Return what the script reads: one platform a line, fields separated by tabs."""
    lines = [
        "\t".join((s.name, s.version, s.handler, s.binary, p.os, p.arch, p.location, p.sha256 or ""))
        for s in shims
        for p in s.platforms
    ]
    return "".join(f"{line}\n" for line in lines)


def shims_annotation(shims: Iterable[Shim]) -> str:
    """Return the list of what is installed, as people and the emulator read it."""
    document = [
        {
            "name": shim.name,
            "version": shim.version,
            "handler": shim.handler,
            "runtimeType": shim.runtime_type,
            "platforms": [
                {"os": p.os, "arch": p.arch, "location": p.location, "sha256": p.sha256} for p in shim.platforms
            ],
        }
        for shim in shims
    ]
    return json.dumps(document, separators=(",", ":"))


def _namespace(owner: str) -> Manifest:
    labels = {
        **owned(owner),
        # The script changes the node: that takes a privileged container.
        "pod-security.kubernetes.io/enforce": "privileged",
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE, "labels": labels}}


def _labels(owner: str) -> dict[str, str]:
    return {**owned(owner), NAME: INSTALLER, COMPONENT: INSTALLER}


def _object(api_version: str, kind: str, owner: str, content: Manifest) -> Manifest:
    metadata = {"name": INSTALLER, "namespace": SYSTEM_NAMESPACE, "labels": _labels(owner)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _daemon_set(owner: str, shims: Sequence[Shim], taints: Iterable[str], content: dict[str, str]) -> Manifest:
    selector = {NAME: INSTALLER, COMPONENT: INSTALLER}
    fingerprint = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    return {
        "selector": {"matchLabels": selector},
        # Node by node: a node whose containerd does not come back stops the roll-out.
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        "template": {
            "metadata": {
                "labels": _labels(owner),
                "annotations": {SHIMS_ANNOTATION: shims_annotation(shims), _CONTENT_ANNOTATION: fingerprint},
            },
            "spec": {
                "serviceAccountName": INSTALLER,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "nodeSelector": {"kubernetes.io/os": "linux", SHIMS: INSTALLED},
                "tolerations": tolerations(taints),
                "terminationGracePeriodSeconds": 1,
                "initContainers": [_init_container()],
                "containers": [_waiting_container()],
                "volumes": [
                    {"name": "host", "hostPath": {"path": "/", "type": "Directory"}},
                    {"name": "script", "configMap": {"name": INSTALLER}},
                ],
            },
        },
    }


def _init_container() -> Manifest:
    # The script runs with the node's own tools. It goes in by standard input and the list beside it, since neither is
    # a file of the node.
    command = (
        f"mkdir -p /host/run/aks-wasm && cp /script/{_LIST} /host/run/aks-wasm/{_LIST} && "
        f"exec chroot /host /bin/sh -s -- /run/aks-wasm/{_LIST} < /script/{_SCRIPT}"
    )
    return {
        "name": "install",
        "image": IMAGE,
        "command": ["/bin/sh", "-c", command],
        # systemctl refuses to work in a chroot unless told that the manager's socket is the right one.
        "env": [{"name": "SYSTEMD_IGNORE_CHROOT", "value": "1"}],
        "securityContext": {"privileged": True},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [
            {"name": "host", "mountPath": "/host", "mountPropagation": "HostToContainer"},
            {"name": "script", "mountPath": "/script", "readOnly": True},
        ],
    }


def _waiting_container() -> Manifest:
    return {
        "name": "installed",
        "image": IMAGE,
        "command": ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 86400 & wait $!; done"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"memory": "16Mi"}},
    }
