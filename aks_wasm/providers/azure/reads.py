"""Reading groups, clusters and pools as ARM has them; absent is None."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, ResourceNotFoundError

from aks_wasm.providers.azure.clients import document_of
from aks_wasm.providers.azure.errors import from_arm
from aks_wasm.providers.azure.operations import AT_REST, Subject, state_of
from aks_wasm.spec.models import ClusterSpec

if TYPE_CHECKING:
    from aks_wasm.providers.azure.clients import Clients

Document = dict[str, Any]


class Reads:
    """Looks, and nothing else. The documents are ARM's own."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients

    def group(self, spec: ClusterSpec) -> Document | None:
        """Read the resource group."""
        return _translated(lambda: self._group(spec.resource_group), f"read the resource group `{spec.resource_group}`")

    def cluster(self, spec: ClusterSpec) -> Document | None:
        """Read the cluster with its pools."""
        return _translated(lambda: self._cluster(spec), f"read the cluster `{spec.name}`")

    def group_subject(self, spec: ClusterSpec) -> Subject:
        """Return the group as what an operation is about."""
        return self.group_subject_named(spec.resource_group)

    def group_subject_named(self, name: str) -> Subject:
        """Return any group, likewise."""
        return Subject(f"resource group `{name}`", lambda: self._group(name))

    def cluster_subject(self, spec: ClusterSpec) -> Subject:
        """Return the cluster as what an operation is about."""
        abort = f"az aks operation-abort --resource-group {spec.resource_group} --name {spec.name}"
        return Subject(f"cluster `{spec.name}`", lambda: self._cluster(spec), lambda: self._busy(spec), abort)

    def pool_subject(self, spec: ClusterSpec, pool: str) -> Subject:
        """Return a pool as what an operation is about."""
        place = f"--resource-group {spec.resource_group} --cluster-name {spec.name} --name {pool}"
        abort = f"az aks nodepool operation-abort {place}"
        return Subject(f"node pool `{pool}`", lambda: self._pool(spec, pool), lambda: self._busy(spec), abort)

    def _busy(self, spec: ClusterSpec) -> str | None:
        """Name what runs on the cluster or on one of its pools."""
        cluster = self._cluster(spec)
        if cluster is None:
            return None
        if (state := state_of(cluster)) not in AT_REST:
            return f"{state} of the cluster `{spec.name}`"
        for pool in cluster["properties"].get("agentPoolProfiles") or ():
            if (state := pool.get("provisioningState", "Succeeded")) not in AT_REST:
                return f"{state} of the node pool `{pool['name']}`"
        return None

    def _group(self, name: str) -> Document | None:
        groups = self.clients.resources.resource_groups
        return _none_at_404(lambda: groups.get(name, cls=document_of))

    def _cluster(self, spec: ClusterSpec) -> Document | None:
        clusters = self.clients.aks.managed_clusters
        return _none_at_404(lambda: clusters.get(spec.resource_group, spec.name, cls=document_of))

    def _pool(self, spec: ClusterSpec, pool: str) -> Document | None:
        pools = self.clients.aks.agent_pools
        return _none_at_404(lambda: pools.get(spec.resource_group, spec.name, pool, cls=document_of))


def _none_at_404(read: Callable[[], Any]) -> Document | None:
    try:
        document: Document = read()
    except ResourceNotFoundError as error:
        if error.error is not None and error.error.code == "SubscriptionNotFound":
            raise
        return None
    return document


def _translated(read: Callable[[], Document | None], doing: str) -> Document | None:
    try:
        return read()
    except AzureError as error:
        raise from_arm(error, doing) from error
