"""The cluster itself: create it with what can be part of the same request, wait for it, delete it."""

from __future__ import annotations

from dataclasses import dataclass

from aks_wasm.kube.outages import wait_until_reachable
from aks_wasm.providers.base import ClusterRequest
from aks_wasm.steps.step import StepContext


@dataclass(frozen=True)
class PutCluster:
    """Create the cluster, or bring one to rest that is not.

    Attributes:
        request: What is asked for.
        state: In the service's word, of the cluster that is there; None when there is none.
    """

    request: ClusterRequest
    state: str | None = None
    depends_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`cluster/NAME`."""
        return f"cluster/{self.request.name}"

    def describe(self) -> str:
        """Name the cluster and its pools."""
        if self.state is not None:
            return f"bring the cluster `{self.request.name}` to rest, which is {self.state}"
        pools = ", ".join(f"{pool.name} ({pool.count} x {pool.vm_size or pool.arch})" for pool in self.request.pools)
        version = f", Kubernetes {self.request.kubernetes_version}" if self.request.kubernetes_version else ""
        place = f" in {self.request.location}" if self.request.location else ""
        return f"create the cluster `{self.request.name}`{place} with {pools or 'no pool'}{version}"

    def run(self, context: StepContext) -> str | None:
        """Create, and wait until its API server answers."""
        context.provider.put_cluster(context.spec, self.request, context.patience())
        wait_until_reachable(context.connect, context.patience())
        return None


@dataclass(frozen=True)
class DeleteCluster:
    """Delete the cluster and the group that carries our mark, and prove that nothing is left."""

    cluster: str
    what: str
    wait: bool = True
    depends_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`cluster/NAME`."""
        return f"cluster/{self.cluster}"

    def describe(self) -> str:
        """Name what goes."""
        return f"delete {self.what}"

    def run(self, context: StepContext) -> str | None:
        """Delete, and wait unless told not to."""
        context.provider.delete(context.spec, None, context.patience(), wait=self.wait)
        return "gone" if self.wait else "under way"
