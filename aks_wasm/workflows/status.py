"""`status`: every layer as it is now, writing nothing."""

from __future__ import annotations

from aks_wasm.kube.conditions import why_not_ready
from aks_wasm.plan.live import LiveObjects
from aks_wasm.shims.catalogue import select
from aks_wasm.steps.wanted import Wanted
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.managed import is_managed
from aks_wasm.workflows.observe import observe
from aks_wasm.workflows.results import ClusterResult, WorkloadState
from aks_wasm.workflows.states import cluster_state, node_pool_states, runtime_states, workload_states


def status(run: Run) -> ClusterResult:
    """Read feature, group, cluster, pools, shims (per node), workloads and endpoints.

    `ok` is whether the cluster is at rest, every node of its Wasm pools is proved and every workload is ready.
    """
    observed, live = observe(run)
    wanted = _wanted(run, live)
    pools = node_pool_states(observed)
    runtimes = runtime_states(wanted, observed, live)
    workloads = (*explained(run, live), *_absent(run, live))
    cluster = cluster_state(run.spec, observed)
    ok = (
        cluster.state == "Succeeded"
        and all(pool.state == "Succeeded" for pool in pools)
        and all(runtime.proved == runtime.nodes for runtime in runtimes)
        and all(workload.ready for workload in workloads)
    )
    return ClusterResult(
        "StatusResult", ok=ok, cluster=cluster, node_pools=pools, runtimes=runtimes, workloads=workloads
    )


def explained(run: Run, live: LiveObjects) -> tuple[WorkloadState, ...]:
    """Return the workloads with what keeps those that are not ready from being so, read from their pods and events."""
    return workload_states(live, lambda workload: why_not_ready(run.connect(), workload))


def _absent(run: Run, live: LiveObjects) -> list[WorkloadState]:
    """Return the workloads that the file names and the cluster does not have."""
    there = {state.name for state in workload_states(live)}
    return [
        WorkloadState(w.name, w.kind, w.shim, ready=False, replicas=f"0/{w.replicas}", message="not in the cluster")
        for w in run.spec.workloads
        if live.reachable and w.name not in there
    ]


def _wanted(run: Run, live: LiveObjects) -> Wanted:
    """Return what was wanted, as far as the cluster tells: our installer's work shows by its RuntimeClasses.

    The workloads' files may not be here; a status needs none.
    """
    shims = select(run.spec.shims)
    installed = any(("RuntimeClass", None, shim.runtime_class) in live.objects for shim in shims)
    beyond = frozenset(workload.name for workload in run.spec.workloads) if installed else frozenset()
    return Wanted(run.spec, shims, beyond_preview=beyond, managed=is_managed(run))
