"""From pools to nodes: what Resource Manager asks of the emulated clusters."""

from __future__ import annotations

from aks_wasm.emulator.arm.context import Arm, ArmCluster
from aks_wasm.emulator.arm.inventory import CLUSTERS, POOLS, find, within
from aks_wasm.emulator.arm.names import key_of
from aks_wasm.emulator.arm.pool_model import node_profile


def fleet_cluster(arm: Arm, cluster_id: str) -> ArmCluster | None:
    """Return the emulated cluster behind a managed cluster, or None."""
    cluster = find(arm, CLUSTERS, cluster_id)
    return None if cluster is None else arm.context.fleet.get(cluster["fleetKey"])


async def converge(arm: Arm, cluster_id: str, *, without: str = "") -> None:
    """Make the cluster, if need be, and its nodes be those of its pools.

    Args:
        arm: The service.
        cluster_id: The managed cluster.
        without: Id of a pool that is going.
    """
    cluster = find(arm, CLUSTERS, cluster_id)
    if cluster is None:
        return
    version = cluster["properties"]["currentKubernetesVersion"]
    automatic = cluster["sku"]["name"] == "Automatic"
    emulated = await arm.context.fleet.create(cluster["fleetKey"], kubernetes_version=version, automatic=automatic)
    pools = [pool for pool in within(arm, POOLS, cluster_id) if key_of(pool["id"]) != key_of(without)]
    await emulated.converge([node_profile(cluster, pool) for pool in pools])
