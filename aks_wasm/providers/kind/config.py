"""kind's configuration of a cluster: nodes from pools, shims by mount, runtimes by patch; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from aks_wasm.providers.base import NodePoolRequest
from aks_wasm.providers.kind.folder import PROVIDED
from aks_wasm.providers.kind.record import node_count, node_labels, node_taints

Document = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What a cluster is to be.

    Attributes:
        name: Its name.
        image: The node image.
        pools: The system pool, which is the control plane's node, and the others.
        provided: The host's folder that every node sees.
        patches: What containerd's configuration gets.
        default_network: Whether kind sets up pod networking; a node image may lack what that takes.
    """

    name: str
    image: str
    pools: tuple[NodePoolRequest, ...]
    provided: Path
    patches: tuple[str, ...] = field(default_factory=tuple)
    default_network: bool = True


def cluster_config(wish: Wish) -> str:
    """Return the configuration as YAML."""
    system = [pool for pool in wish.pools if pool.mode == "System"]
    workers = [pool for pool in wish.pools if pool.mode == "User" for _ in range(node_count(pool))]
    document: Document = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": wish.name,
        "nodes": [_control_plane(system, wish), *(_worker(pool, wish) for pool in workers)],
    }
    if wish.patches:
        document["containerdConfigPatches"] = list(wish.patches)
    if not wish.default_network:
        document["networking"] = {"disableDefaultCNI": True}
    return str(yaml.safe_dump(document, sort_keys=False))


def _control_plane(system: Iterable[NodePoolRequest], wish: Wish) -> Document:
    """Return the control plane's node, which ordinary pods run on too, as they do on the system pool of AKS."""
    labels: Mapping[str, str] = {}
    taints: list[Document] = []
    for pool in system:
        labels, taints = node_labels(pool), node_taints(pool)
    return {**_node("control-plane", labels, wish), "kubeadmConfigPatches": [_patch("InitConfiguration", taints)]}


def _worker(pool: NodePoolRequest, wish: Wish) -> Document:
    node = _node("worker", node_labels(pool), wish)
    taints = node_taints(pool)
    return {**node, "kubeadmConfigPatches": [_patch("JoinConfiguration", taints)]} if taints else node


def _node(role: str, labels: Mapping[str, str], wish: Wish) -> Document:
    mount = {"hostPath": str(wish.provided), "containerPath": PROVIDED, "readOnly": True}
    node: Document = {"role": role, "image": wish.image, "extraMounts": [mount]}
    return {**node, "labels": dict(labels)} if labels else node


def _patch(kind: str, taints: list[Document]) -> str:
    return str(yaml.safe_dump({"kind": kind, "nodeRegistration": {"taints": taints}}, sort_keys=False))
