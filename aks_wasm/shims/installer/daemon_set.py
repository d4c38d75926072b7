"""The DaemonSet whose pods work on their nodes: one container installs, the other looks after it and mends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aks_wasm.shims.installer.content import PROBES
from aks_wasm.shims.installer.objects import INSTALLER, Manifest, labels, named
from aks_wasm.shims.labels import COMPONENT, NAME

# busybox with all its applets, for amd64 and arm64: Azure's docs debug nodes with it, AgentBaker's e2e runs it on every
# kind of AKS node. The digest is the list's that the tag had on 2026-08-08 (fgarofalo56/csa-inabox,
# platform/fiab/images/mcr-images.json); Azure/AKS-Skills pins the same (skills/aks-network-capture, 2026-08-20).
IMAGE = (
    "mcr.microsoft.com/cbl-mariner/busybox:2.0@sha256:e4fb4d51fc9b70d6cdc1ce66a0af02ab40554d2ca632e1d188fabc760e432fdd"
)

WORKER, KEEPER = "install", "keep"
"""The containers' names, and the script's verbs."""

HEALTHY = "/run/aks-wasm/healthy"
"""On the node: there while the node is as wanted."""

_SOURCE = "/installer"
_FOLDER = "/run/aks-wasm"
_TOKEN_SECONDS = 3600
# The script runs with the node's own tools, from a folder of the node. Names with a dot in front are kubelet's own.
# Folders of pods that were here before go; they may hold large binaries, and /run is memory.
_COMMAND = (
    f'set -e; folder={_FOLDER}/"$POD_UID"; '
    f"rm -rf /host{_FOLDER}/????????-????-????-????-????????????; "
    f'mkdir -p "/host$folder"; cp -rL {_SOURCE}/[!.]* "/host$folder/"; '
    'exec chroot /host /bin/sh "$folder/node-script.sh" {verb} "$folder"'
)


@dataclass(frozen=True)
class Where:
    """Which nodes, and how many at a time.

    Attributes:
        node_selector: Labels of the nodes.
        tolerations: Of their taints.
        max_unavailable: How many may be worked on at a time when what is installed changes.
    """

    node_selector: Mapping[str, str]
    tolerations: Sequence[Mapping[str, str]]
    max_unavailable: int


def daemon_set(
    owner: str, where: Where, *, image: str, annotations: Mapping[str, str], sources: Sequence[Mapping[str, Any]]
) -> Manifest:
    """Return the DaemonSet.

    Args:
        owner: The cluster's name.
        where: On which nodes.
        image: Gives sh, cp, rm, mkdir, chroot and test.
        annotations: Of the pods; they change with what is installed, so that pods are made anew.
        sources: Of the projected volume, beside the ConfigMap of script, list and settings.
    """
    return named(
        "apps/v1",
        "DaemonSet",
        INSTALLER,
        owner,
        spec={
            "selector": {"matchLabels": {NAME: INSTALLER, COMPONENT: INSTALLER}},
            # A node whose containerd does not come back stops the roll-out.
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": where.max_unavailable}},
            "template": {
                "metadata": {"labels": labels(owner), "annotations": dict(annotations)},
                "spec": _pod_spec(where, image, sources),
            },
        },
    )


def _pod_spec(where: Where, image: str, sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": _TOKEN_SECONDS}}
    ready = {"exec": {"command": ["test", "-f", f"/host{HEALTHY}"]}, "periodSeconds": 5}
    return {
        "serviceAccountName": INSTALLER,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # The node's own names and routes: the script fetches, and talks to the API as the kubelet does.
        "hostNetwork": True,
        # systemd's clients hang up on a peer whose process they cannot see (sd-bus: ENODATA from SO_PEERCRED).
        "hostPID": True,
        "dnsPolicy": "Default",
        "nodeSelector": {"kubernetes.io/os": "linux", **where.node_selector},
        "tolerations": list(where.tolerations),
        "terminationGracePeriodSeconds": 5,
        "initContainers": [_container(WORKER, image)],
        "containers": [_container(KEEPER, image) | {"readinessProbe": ready}],
        "volumes": [
            {"name": "host", "hostPath": {"path": "/", "type": "Directory"}},
            {"name": "installer", "projected": {"sources": [{"configMap": {"name": INSTALLER}}, *sources]}},
            {"name": "token", "projected": {"sources": [token]}},
        ],
    }


def probe_source(keys: Sequence[str]) -> dict[str, Any]:
    """Return the source of the projected volume that has the probes' images."""
    items = [{"key": f"{key}.tar", "path": f"probes/{key}.tar"} for key in sorted(keys)]
    return {"configMap": {"name": PROBES, "items": items}}


def _container(verb: str, image: str) -> dict[str, Any]:
    return {
        "name": verb,
        "image": image,
        "command": ["/bin/sh", "-c", _COMMAND.replace("{verb}", verb)],
        "env": [
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
            # systemctl refuses to work in a chroot unless told that the manager's socket is the right one.
            {"name": "SYSTEMD_IGNORE_CHROOT", "value": "1"},
        ],
        "securityContext": {"privileged": True},
        # Why it failed stands in the pod's status, where people and `up` read it.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [
            {"name": "host", "mountPath": "/host", "mountPropagation": "HostToContainer"},
            {"name": "installer", "mountPath": _SOURCE, "readOnly": True},
            # The script reads it in the kubelet's folder of the pod; volumes that no container mounts are not made.
            {"name": "token", "mountPath": "/token", "readOnly": True},
        ],
    }
