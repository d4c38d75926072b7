"""Taking away what is ours, and proving that nothing is left.

Answers demands 2, 20 and 21 of shared/facts/demands.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, HttpResponseError

from aks_wasm.errors import ServiceError
from aks_wasm.providers.azure.clients import answer_of
from aks_wasm.providers.azure.errors import fault_in, from_arm, translated
from aks_wasm.providers.azure.models import observed_cluster, observed_group
from aks_wasm.providers.azure.operations import Budget, Send, Subject, converge
from aks_wasm.providers.azure.ownership import (
    foreign_resources,
    refuse_foreign_cluster,
    refuse_foreign_group,
    refuse_foreign_resources,
    refuse_locked,
)
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.waits import Patience, Seen, wait_until

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
        refuse_foreign_cluster(observed_cluster(cluster), spec)
        subject = self._reads.pool_subject(spec, pool)
        names = (spec.resource_group, spec.name, pool)
        pools: Any = self._clients.aks.agent_pools

        def delete() -> Any:
            return pools.begin_delete(*names, polling=False, cls=answer_of).result()

        self._delete(subject, delete, patience, wait=wait)

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
            refuse_foreign_cluster(observed_cluster(cluster), spec)
        else:
            refuse_foreign_group(seen, spec)
        self._refuse_what_is_locked(spec)
        budget = Budget(patience)
        if seen.owner == spec.name:
            refuse_foreign_resources(seen.name, foreign_resources(self._resources(spec), spec))
            self._group(spec, budget.left(), wait=wait)
        elif cluster is not None:
            self._cluster(spec, budget.left(), wait=wait)
        if wait and cluster is not None:
            self._prove_machines_gone(cluster["properties"].get("nodeResourceGroup"), budget.left())

    def _group(self, spec: ClusterSpec, patience: Patience, *, wait: bool) -> None:
        groups: Any = self._clients.resources.resource_groups
        name = spec.resource_group

        def delete() -> Any:
            return groups.begin_delete(name, polling=False, cls=answer_of).result()

        self._delete(self._reads.group_subject(spec), delete, patience, wait=wait)

    def _cluster(self, spec: ClusterSpec, patience: Patience, *, wait: bool) -> None:
        clusters: Any = self._clients.aks.managed_clusters
        names = (spec.resource_group, spec.name)

        def delete() -> Any:
            return clusters.begin_delete(*names, polling=False, cls=answer_of).result()

        self._delete(self._reads.cluster_subject(spec), delete, patience, wait=wait)

    def _delete(self, subject: Subject, send: Send, patience: Patience, *, wait: bool) -> None:
        """Delete, and read again until the answer is 404."""
        doing = f"delete {subject.what}"
        if not wait:
            with translated(doing):
                send()
            return
        left = converge(self._clients, subject, lambda live: None if live is None else send, doing, patience)
        if left is not None:
            raise ServiceError(
                f"{subject.what} is still there after its deletion",
                code="NotGone",
                hint="run `aks-wasm down` again; the Azure portal's activity log tells more",
            )

    def _refuse_what_is_locked(self, spec: ClusterSpec) -> None:
        scope = f"/subscriptions/{self._clients.subscription}/resourceGroups/{spec.resource_group}"
        try:
            locks = self._clients.read_all(f"{scope}/providers/Microsoft.Authorization/locks", LOCKS_VERSION)
        except HttpResponseError as error:
            if fault_in(error).status in (403, 404):  # without the right to read locks the deletion itself will tell
                return
            raise from_arm(error, "read the locks") from error
        except AzureError as error:
            raise from_arm(error, "read the locks") from error
        refuse_locked(spec.resource_group, locks)

    def _resources(self, spec: ClusterSpec) -> list[Document]:
        path = f"/subscriptions/{self._clients.subscription}/resourceGroups/{spec.resource_group}/resources"
        with translated(f"list what is in the resource group `{spec.resource_group}`"):
            return self._clients.read_all(path, "2025-04-01")

    def _prove_machines_gone(self, node_group: str | None, patience: Patience) -> None:
        """Wait until the group of the cluster's machines is gone; it may outlive the cluster by moments."""
        if not node_group:
            return

        def look() -> Seen[None]:
            return Seen("still there", done=self._reads.group_named(node_group) is None)

        wait_until(look, what=f"the end of the resource group `{node_group}`", patience=patience)
