"""What lists of resources show: clusters, and the machines that AKS keeps in its own group."""

from __future__ import annotations

from typing import Any

from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.inventory import CLUSTERS, POOLS, node_group_id, within
from aks_wasm.emulator.arm.names import is_within
from aks_wasm.emulator.arm.pool_model import node_profile
from aks_wasm.emulator.node.profile import node_name

_NETWORK = "Microsoft.Network"


def resources_in(arm: Arm, scope: str) -> list[dict[str, Any]]:
    """Return the generic resources at or below a scope, a group or a subscription."""
    found = []
    for cluster in within(arm, CLUSTERS, ""):
        if is_within(cluster["id"], scope):
            found.append(_resource(cluster["id"], "Microsoft.ContainerService/managedClusters", cluster))
        if is_within(node_group_id(cluster), scope):
            found.extend(_infrastructure(arm, cluster))
    return found


def _infrastructure(arm: Arm, cluster: Document) -> list[dict[str, Any]]:
    named = [
        (f"{_NETWORK}/loadBalancers", "kubernetes"),
        (f"{_NETWORK}/publicIPAddresses", cluster["outboundAddress"]),
        (f"{_NETWORK}/networkSecurityGroups", "aks-agentpool-nsg"),
        (f"{_NETWORK}/virtualNetworks", "aks-vnet"),
        ("Microsoft.ManagedIdentity/userAssignedIdentities", f"{cluster['name']}-agentpool"),
    ]
    for pool in within(arm, POOLS, cluster["id"]):
        scale_set = node_name(node_profile(cluster, pool), 0)[: -len("000000")]
        named.append(("Microsoft.Compute/virtualMachineScaleSets", scale_set))
    group = node_group_id(cluster)
    return [_resource(f"{group}/providers/{kind}/{name}", kind, cluster) for kind, name in named]


def _resource(resource_id: str, kind: str, cluster: Document) -> dict[str, Any]:
    own = resource_id == cluster["id"]
    return {
        "id": resource_id,
        "name": resource_id.rpartition("/")[2],
        "type": kind,
        "location": cluster["location"],
        **({"identity": cluster["identity"], "sku": cluster["sku"]} if own else {}),
        "tags": cluster["tags"],
    }
