"""The documents of resource groups, managed clusters and agent pools, found by resource id."""

from __future__ import annotations

from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.names import group_id, is_within, key_of

GROUPS = "arm.groups"
CLUSTERS = "arm.clusters"
POOLS = "arm.pools"
LOCKS = "arm.locks"


def find(arm: Arm, collection: str, resource_id: str) -> Document | None:
    """Return the document of a resource, or None."""
    return arm.documents.get(collection, key_of(resource_id))


def save(arm: Arm, collection: str, document: Document) -> None:
    """Keep the document under its `id`."""
    arm.documents.put(collection, key_of(document["id"]), document)


def within(arm: Arm, collection: str, scope: str) -> list[Document]:
    """Return the documents at a scope and below it, oldest first."""
    return [document for key, document in arm.documents.items(collection) if is_within(key, scope)]


def forget(arm: Arm, collection: str, scope: str) -> None:
    """Forget the documents at a scope and below it."""
    for key, _ in arm.documents.items(collection):
        if is_within(key, scope):
            arm.documents.delete(collection, key)


def node_group_id(cluster: Document) -> str:
    """Return the id of the group that holds the cluster's machines."""
    return group_id(cluster["subscription"], cluster["properties"]["nodeResourceGroup"])


def forget_cluster(arm: Arm, cluster: Document) -> None:
    """Forget a cluster with its pools, its node resource group and their locks."""
    for collection in (CLUSTERS, POOLS, LOCKS):
        forget(arm, collection, cluster["id"])
    forget_group(arm, node_group_id(cluster))


def forget_group(arm: Arm, scope: str) -> None:
    """Forget a resource group and its locks."""
    forget(arm, GROUPS, scope)
    forget(arm, LOCKS, scope)
