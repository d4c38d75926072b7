"""Taking away what is ours, and proving that nothing is left.

Answers demands 2, 20 and 21 of shared/facts/demands.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, HttpResponseError

from aks_wasm.providers.azure.clients import answer_of
from aks_wasm.providers.azure.deletion import delete
from aks_wasm.providers.azure.errors import from_arm, translated
from aks_wasm.providers.azure.faults import fault_in
from aks_wasm.providers.azure.models import observed_cluster, observed_group
from aks_wasm.providers.azure.ownership import (
    foreign_resources,
    refuse_foreign_resources,
    refuse_locked,
)
from aks_wasm.providers.azure.waiting import Budget, wait_for
from aks_wasm.providers.ownership import refuse_foreign_cluster, refuse_foreign_group
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.waits import Patience, Seen

if TYPE_CHECKING:
    from aks_wasm.providers.azure.reads import Reads

LOCKS_VERSION = "2020-05-01"

Document = dict[str, Any]


class Teardown:
    """Deletes pools, the cluster, its group."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._clients = reads.clients

    def node_pool(self, spec: ClusterSpec, pool: str, patience: Patience, *, wait: bool) -> None:
        """Delete a pool of our cluster; absent is fine.

        Raises:
            Refused: The cluster is not ours.
        """
        cluster = self._reads.cluster(spec)
        if cluster is None:
            return
        refuse_foreign_cluster(observed_cluster(cluster), spec.name)
        subject = self._reads.pool_subject(spec, pool)
        names = (spec.resource_group, spec.name, pool)
        pools: Any = self._clients.aks.agent_pools

        def send() -> Any:
            return pools.begin_delete(*names, polling=False, cls=answer_of).result()

        delete(self._clients, subject, send, patience, wait=wait)

    def everything(self, spec: ClusterSpec, patience: Patience, *, wait: bool) -> None:
        """Delete the cluster, and the group if it carries our mark; absent is fine.

        Raises:
            Refused: Something is not ours, foreign things are in the group, or it is locked; nothing was deleted.
        """
        group = self._reads.group(spec)
        if group is None:
            return
        seen = observed_group(group)
        cluster = self._reads.cluster(spec)
        if cluster is not None:
            refuse_foreign_cluster(observed_cluster(cluster), spec.name)
        else:
            refuse_foreign_group(seen, spec.name, unmarked_is_fine=spec.azure.resource_group is not None)
        node_group = cluster["properties"].get("nodeResourceGroup") if cluster else None
        self._refuse_what_is_locked(spec, node_group)
        budget = Budget(patience)
        if seen.owner == spec.name:
            refuse_foreign_resources(seen.name, foreign_resources(self._resources(spec), spec))
            self._group(spec, budget.left(), wait=wait)
        elif cluster is not None:
            self._cluster(spec, budget.left(), wait=wait)
        if wait and cluster is not None:
            self._prove_machines_gone(node_group, budget.left())

    def _group(self, spec: ClusterSpec, patience: Patience, *, wait: bool) -> None:
        groups: Any = self._clients.resources.resource_groups
        name = spec.resource_group

        def send() -> Any:
            return groups.begin_delete(name, polling=False, cls=answer_of).result()

        delete(self._clients, self._reads.group_subject(spec), send, patience, wait=wait)

    def _cluster(self, spec: ClusterSpec, patience: Patience, *, wait: bool) -> None:
        clusters: Any = self._clients.aks.managed_clusters
        names = (spec.resource_group, spec.name)

        def send() -> Any:
            return clusters.begin_delete(*names, polling=False, cls=answer_of).result()

        delete(self._clients, self._reads.cluster_subject(spec), send, patience, wait=wait)

    def _refuse_what_is_locked(self, spec: ClusterSpec, node_group: str | None) -> None:
        subscription = f"/subscriptions/{self._clients.subscription}"
        groups = [f"{subscription}/resourceGroups/{name}" for name in (spec.resource_group, node_group) if name]
        # A list at a group leaves out what is locked above it.
        for scope in (subscription, groups[0]):
            try:
                locks = self._clients.read_all(f"{scope}/providers/Microsoft.Authorization/locks", LOCKS_VERSION)
            except HttpResponseError as error:
                if fault_in(error).status in (
                    403,
                    404,
                ):  # without the right to read locks the deletion itself will tell
                    continue
                raise from_arm(error, "read the locks") from error
            except AzureError as error:
                raise from_arm(error, "read the locks") from error
            refuse_locked(locks, groups)
            return

    def _resources(self, spec: ClusterSpec) -> list[Document]:
        path = f"/subscriptions/{self._clients.subscription}/resourceGroups/{spec.resource_group}/resources"
        with translated(f"list what is in the resource group `{spec.resource_group}`"):
            return self._clients.read_all(path, "2025-04-01")

    def _prove_machines_gone(self, node_group: str | None, patience: Patience) -> None:
        """Wait until the group of the cluster's machines is gone; it may outlive the cluster by moments."""
        if not node_group:
            return

        subject = self._reads.group_subject_named(node_group)

        def look() -> Seen[None]:
            gone = subject.read() is None
            return Seen("gone" if gone else "Deleting", done=gone)

        wait_for(look, f"the end of the {subject.what}", f"read the {subject.what}", patience)
