"""Which taints the pools of our runtimes carry, whoever put them there; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aks_wasm.kube.taints import lasting_taints, lasts
from aks_wasm.providers.base import ObservedCluster
from aks_wasm.shims.labels import INSTALLED, SHIMS
from aks_wasm.spec.models import ClusterSpec

POOL_LABEL = "kubernetes.azure.com/agentpool"  # AKS puts it on every node


def carried_taints(
    spec: ClusterSpec, cluster: ObservedCluster | None, nodes: Iterable[Mapping[str, Any]]
) -> frozenset[str]:
    """Return the lasting taints, as `key=value:Effect`, that pods of our runtimes may meet beside those of the file.

    They are those of the file's pools, and of others that carry the installer's mark; a pool without nodes has them
    only at the service, a taint set with kubectl only the node.
    """
    named = {pool.name for pool in spec.node_pools}
    pools = (
        pool
        for pool in (cluster.node_pools if cluster else ())
        if pool.name in named or pool.labels.get(SHIMS) == INSTALLED
    )
    found = {taint for pool in pools for taint in pool.taints if lasts(taint.partition("=")[0].partition(":")[0])}
    for node in nodes:
        labels = node["metadata"].get("labels") or {}
        if labels.get(POOL_LABEL) in named or labels.get(SHIMS) == INSTALLED:
            found |= lasting_taints(node)
    return frozenset(found)
