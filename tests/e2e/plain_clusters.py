"""Clusters whose nodes know nothing of Wasm, made with kind alone: what the installer finds at a user's."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.artefacts import folder_of
from e2e.places import Places
from e2e.recipes.control_plane import CONTROL_PLANE
from tests.e2e.clusters import Cluster, eventually, running
from tests.e2e.machine import Machine

INSTALLER_NAMESPACE = "aks-wasm-system"
INSTALLER_IMAGE = "installer-image.tar"
TAINT = {"key": "dedicated", "value": "wasm", "effect": "NoSchedule"}
_PRISTINE = "/kind/pristine.tar"
_LOOK = """
find /etc /opt -xdev -path /etc/cni/net.d -prune -o -printf '%p %y %m %U:%G %l\\n' | sort
find /etc /opt -xdev -type f -print0 | sort -z | xargs -0 sha256sum
"""
# Services off, so that nothing runs on what is taken away; then all that a new disk would not have.
_NEW_DISK = f"""
rm -rf /opt/aks-wasm /etc/containerd /var/lib/containerd /var/lib/aks-wasm
tar -C / -xf {_PRISTINE}
systemctl enable --now --quiet containerd
until ctr version >/dev/null 2>&1; do sleep 0.2; done
for archive in /kind/images/*.tar; do ctr --namespace k8s.io images import --all-platforms --no-unpack "$archive"; done
"""


@dataclass(frozen=True)
class Restart:
    """When containerd of a node was told to stop, and when it ran again; seconds since 1970."""

    node: str
    stopped: float
    started: float


@dataclass(frozen=True)
class PlainCluster(Cluster):
    """A cluster of a control plane and two workers, the second one tainted."""

    @property
    def workers(self) -> tuple[str, str]:
        return self.worker, f"{self.name}-worker2"

    def files(self, node: str) -> str:
        """Return every file of the node's configuration, with mode, owner and SHA-256."""
        return self.in_node(_LOOK, node)

    def dump(self, node: str) -> str:
        """Return what containerd makes of its configuration."""
        return self.in_node("containerd config dump", node)

    def containers(self, *pods: str) -> dict[str, tuple[str, int]]:
        """Return the container and the count of restarts of pods that must have lived through something."""
        statuses = {pod: self.get("pod", pod)["status"]["containerStatuses"][0] for pod in pods}
        return {pod: (one["containerID"], one["restartCount"]) for pod, one in statuses.items()}

    def restarts(self, since: float) -> list[Restart]:
        """Return the restarts of the workers' containerd since a moment, in their order."""
        found = []
        for node in self.workers:
            told = self.in_node(f"journalctl --unit=containerd --since=@{since:.0f} --output=short-unix --quiet", node)
            lines = re.findall(r"^(\d+\.\d+) \S+ systemd\[1\]: (Stopping|Started) containerd\.service", told, re.M)
            stops = [float(at) for at, word in lines if word == "Stopping"]
            starts = [float(at) for at, word in lines if word == "Started"]
            found += [Restart(node, stop, next(at for at in starts if at >= stop)) for stop in stops]
        return sorted(found, key=lambda one: one.stopped)

    def replace_disk(self, node: str) -> float:
        """Give a node its first configuration and an empty containerd, as a service does that repairs it.

        Its Node object stays, labels and all. Returns when its kubelet was started, in monotonic seconds.
        """
        docker = self.machine.docker
        self.in_node("systemctl disable --quiet kubelet containerd", node)
        docker("restart", "--time=2", node)
        control_plane = folder_of(CONTROL_PLANE, Places(self.machine.root)) / "images.tar"
        self.in_node("mkdir -p /kind/images", node)
        for number, archive in enumerate((control_plane, *_archives(self.machine))):
            docker("cp", str(archive), f"{node}:/kind/images/{number}.tar")
        self.in_node(_NEW_DISK, node)
        self.in_node("systemctl enable --now --quiet kubelet", node)
        return time.monotonic()

    def installer_pod(self, node: str) -> dict[str, Any] | None:
        """Return the installer's pod on a node."""
        chosen = ("--selector=app.kubernetes.io/component=shim-installer", f"--field-selector=spec.nodeName={node}")
        found = self.items("pods", f"--namespace={INSTALLER_NAMESPACE}", *chosen)
        return found[0] if found else None


@contextmanager
def plain_cluster_of(machine: Machine, variant: str, folder: Path) -> Iterator[PlainCluster]:
    """Make a cluster without any shim; the installer's image lies on its nodes, since nothing can be pulled."""
    name = f"plain-{variant}"
    cluster = PlainCluster(machine, name, folder / f"{name}.kubeconfig")
    nodes = {"nodes": [{"role": role} for role in ("control-plane", "worker", "worker")]}
    configuration = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", **nodes}
    with running(cluster, variant, configuration, folder):
        machine.run("kind", "--quiet", "load", "image-archive", machine.apps / INSTALLER_IMAGE, "--name", name)
        cluster.kubectl("taint", "node", cluster.workers[1], "{key}={value}:{effect}".format(**TAINT))
        for node in cluster.workers:
            cluster.in_node(f"tar -C / -cf {_PRISTINE} etc/containerd", node)
        yield cluster


def is_ready(pod: dict[str, Any] | None) -> bool:
    """Tell whether a pod is there and ready."""
    conditions = (pod or {}).get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def wait_until_gone(cluster: Cluster, kind: str, name: str, seconds: float = 60) -> None:
    """Wait until an object is no longer there."""

    def gone() -> bool | None:
        return cluster.kubectl("get", kind, name, "--ignore-not-found", "--output=name").strip() == "" or None

    eventually(gone, f"{kind} {name} gone", seconds)


def _archives(machine: Machine) -> tuple[Path, ...]:
    return machine.apps / "apps.tar", machine.apps / INSTALLER_IMAGE
