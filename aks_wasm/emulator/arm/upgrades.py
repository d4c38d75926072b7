"""What clusters and pools may be upgraded to, and the machines of a pool."""

from __future__ import annotations

from typing import Any

from aks_wasm.emulator.arm import agent_pools, versions
from aks_wasm.emulator.arm.admission import cluster_of, require_cluster
from aks_wasm.emulator.arm.context import Arm
from aks_wasm.emulator.arm.kubernetes_versions import MINORS, upgrades
from aks_wasm.emulator.arm.pool_model import POOL_TYPE, node_profile
from aks_wasm.emulator.arm.responses import page
from aks_wasm.emulator.arm.routing import Call, Reply, Route
from aks_wasm.emulator.node.profile import node_name, node_object


def _cluster_profile(arm: Arm, call: Call) -> Reply:
    cluster = require_cluster(arm, call)
    version = cluster["properties"]["currentKubernetesVersion"]
    offered = [{"kubernetesVersion": upgrade} for upgrade in upgrades(version)]
    return Reply(
        body={
            "id": f"{cluster['id']}/upgradeprofiles/default",
            "name": "default",
            "type": "Microsoft.ContainerService/ManagedClusters/upgradeProfiles",
            "properties": {
                "controlPlaneProfile": {
                    "kubernetesVersion": version,
                    "osType": "Linux",
                    **({"upgrades": offered} if offered else {}),
                },
                "agentPoolProfiles": None,
            },
        }
    )


def _pool_profile(arm: Arm, call: Call) -> Reply:
    cluster = cluster_of(arm, call, verb="read")
    pool = agent_pools.require(arm, cluster, call)
    properties = pool["properties"]
    version = properties["currentOrchestratorVersion"]
    newest = cluster["properties"]["currentKubernetesVersion"]
    offered = [{"kubernetesVersion": newest}] if newest in upgrades(version) else []
    return Reply(
        body={
            "id": f"{pool['id']}/upgradeProfiles/default",
            "name": "default",
            "type": f"{POOL_TYPE}/upgradeProfiles",
            "properties": {
                "kubernetesVersion": version,
                "osType": properties["osType"],
                **({"upgrades": offered} if offered else {}),
                "latestNodeImageVersion": properties["nodeImageVersion"],
            },
        }
    )


def _available_versions(arm: Arm, call: Call) -> Reply:
    cluster = cluster_of(arm, call, verb="read")
    current = cluster["properties"]["currentKubernetesVersion"]
    known = [patch for minor in MINORS.values() for patch in minor.patches]
    offered = known[known.index(current) :]  # newest first: a pool can't be newer than its cluster
    return Reply(
        body={
            "id": f"{cluster['id']}/availableagentpoolversions",
            "name": "default",
            "type": "Microsoft.ContainerService/managedClusters/availableAgentpoolVersions",
            "properties": {
                "agentPoolVersions": [
                    {**({"default": True} if patch == current else {}), "kubernetesVersion": patch} for patch in offered
                ]
            },
        }
    )


def _machines(arm: Arm, call: Call) -> Reply:
    cluster = cluster_of(arm, call, verb="read")
    pool = agent_pools.require(arm, cluster, call)
    profile = node_profile(cluster, pool)
    machines = []
    for index in range(profile.count):
        name = node_name(profile, index)
        machines.append(_machine(call["subscription"], pool["id"], name, node_object(profile, index)))
    return page(arm, call, machines)


def _machine(subscription: str, pool_id: str, name: str, node: dict[str, Any]) -> dict[str, Any]:
    labels, addresses = node["metadata"]["labels"], node["status"]["addresses"]
    scale_set, index = name[: -len("000000")], int(name[-6:], 36)
    group = labels["kubernetes.azure.com/cluster"]
    machine = f"Microsoft.Compute/virtualMachineScaleSets/{scale_set}/virtualMachines/{index}"
    zone = labels["topology.kubernetes.io/zone"].rpartition("-")[2]
    address = next(one["address"] for one in addresses if one["type"] == "InternalIP")
    return {
        "id": f"{pool_id}/machines/{name}",
        "name": name,
        "type": f"{POOL_TYPE}/machines",
        **({"zones": [zone]} if zone != "0" else {}),
        "properties": {
            "network": {"ipAddresses": [{"family": "IPv4", "ip": address}]},
            "resourceId": f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{machine}",
            "provisioningState": "Succeeded",
        },
    }


_CLUSTER = (
    "/subscriptions/{subscription}/resourcegroups/{group}/providers/Microsoft.ContainerService"
    "/managedClusters/{cluster}"
)
_POOL = f"{_CLUSTER}/agentPools/{{pool}}"
ROUTES = (
    Route("GET", f"{_CLUSTER}/upgradeProfiles/default", _cluster_profile, versions.CLUSTERS),
    Route("GET", f"{_CLUSTER}/availableAgentPoolVersions", _available_versions, versions.CLUSTERS),
    Route("GET", f"{_POOL}/upgradeProfiles/default", _pool_profile, versions.POOLS),
    Route("GET", f"{_POOL}/machines", _machines, versions.POOLS),
)
