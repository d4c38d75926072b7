"""What every request on a cluster or a pool passes before its own rules: provider, group, locks, parent."""

from __future__ import annotations

from aks_wasm.emulator.arm import groups, locks, providers
from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.errors import GatewayError, ProviderError
from aks_wasm.emulator.arm.inventory import CLUSTERS, find
from aks_wasm.emulator.arm.kubernetes_versions import Offer
from aks_wasm.emulator.arm.names import CONTAINER_SERVICE, cluster_id
from aks_wasm.emulator.arm.pool_model import POOL_TYPE, Ground
from aks_wasm.emulator.arm.routing import Call


def admit(arm: Arm, call: Call, *, deletes: bool = False) -> Document:
    """Let a change through the front door; return the resource group.

    Raises:
        GatewayError: The provider is not registered, the group is absent or going, or a lock holds.
    """
    group = groups.require(arm, call, to_write=not deletes)
    providers.require(arm, CONTAINER_SERVICE)
    locks.refuse(arm, call.path, deletes=deletes)
    return group


def id_of(call: Call) -> str:
    """Return the id of the request's cluster, as AKS writes it."""
    return cluster_id(call["subscription"], call["group"], call["cluster"])


def require_cluster(arm: Arm, call: Call) -> Document:
    """Return the document of the request's cluster.

    Raises:
        GatewayError: 404 for the group or the cluster.
    """
    groups.require(arm, call)
    cluster = find(arm, CLUSTERS, id_of(call))
    if cluster is None:
        message = (
            f"The Resource '{CONTAINER_SERVICE}/managedClusters/{call['cluster']}' under resource group "
            f"'{call['group']}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        )
        raise GatewayError(404, "ResourceNotFound", message)
    return cluster


def cluster_of(arm: Arm, call: Call, *, verb: str) -> Document:
    """Return the cluster above the request's pool.

    Raises:
        GatewayError: 404 for the group, or ParentResourceNotFound.
    """
    groups.require(arm, call)
    cluster = find(arm, CLUSTERS, id_of(call))
    if cluster is None:
        message = (
            f"Failed to perform '{verb}' on resource(s) of type '{POOL_TYPE.partition('/')[2]}', because the parent "
            f"resource '{id_of(call)}' could not be found."
        )
        raise GatewayError(404, "ParentResourceNotFound", message)
    return cluster


def refuse_stopped(cluster: Document) -> None:
    """Refuse a change of a cluster that is powered off.

    Raises:
        ProviderError: 409 OperationNotAllowed.
    """
    if cluster["power"] == "Stopped":
        message = "managed cluster is in Stopped state, no operations except for Start are allowed"
        raise ProviderError(409, "OperationNotAllowed", message)


def ground_of(cluster: Document) -> Ground:
    """Return what the cluster's pools stand on."""
    properties = cluster["properties"]
    version = Offer(properties["kubernetesVersion"], properties["currentKubernetesVersion"])
    return Ground(cluster["name"], cluster["location"], version)
