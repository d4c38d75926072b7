"""From what was seen to the states that results carry; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aks_wasm.kube.conditions import endpoint_of, is_ready
from aks_wasm.plan.live import LiveObjects
from aks_wasm.providers.base import Observed
from aks_wasm.providers.marks import EXPIRES_TAG
from aks_wasm.shims.labels import NAME
from aks_wasm.shims.probe import proved
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.steps.runtime import of_pool
from aks_wasm.steps.wanted import Routes, Wanted
from aks_wasm.workflows.results import ClusterState, NodePoolState, RuntimeState, WorkloadState

SHIM_ANNOTATION = "aks-wasm.dev/shim"


def cluster_state(spec: ClusterSpec, observed: Observed) -> ClusterState:
    """Return the cluster's layer; `absent` when there is none."""
    cluster, group = observed.cluster, observed.group
    return ClusterState(
        name=spec.name,
        target=spec.target,
        state=("Stopped" if not cluster.running else cluster.state) if cluster else "absent",
        location=cluster.location or None if cluster else None,
        kubernetes_version=cluster.kubernetes_version if cluster else None,
        resource_group=group.name if group else None,
        owner=cluster.owner if cluster else None,
        feature=observed.feature_state,
        provider=observed.provider_state,
        expires=cluster.tags.get(EXPIRES_TAG) if cluster else None,
    )


def node_pool_states(observed: Observed) -> tuple[NodePoolState, ...]:
    """Return the pools, system pools included."""
    return tuple(
        NodePoolState(
            name=pool.name,
            state=pool.state,
            arch=pool.arch,
            vm_size=pool.vm_size,
            count=pool.count,
            mode=pool.mode,
            route=pool.route if pool.mode == "User" else "none",
            min=pool.min,
            max=pool.max,
        )
        for pool in (observed.cluster.node_pools if observed.cluster else ())
    )


def observed_routes(spec: ClusterSpec, observed: Observed) -> Routes:
    """Return the routes of the spec's pools that are there."""
    pools = observed.cluster.node_pools if observed.cluster else ()
    named = {pool.name for pool in spec.node_pools}
    return {pool.name: pool.route for pool in pools if pool.name in named}


def runtime_states(wanted: Wanted, observed: Observed, live: LiveObjects) -> tuple[RuntimeState, ...]:
    """Return each runtime on each pool whose RuntimeClass is there, with the nodes that are proved."""
    states = []
    for runtime in wanted.runtimes(observed_routes(wanted.spec, observed)):
        if live.find(runtime.manifest) is None:
            continue
        for pool in runtime.pools:
            nodes = of_pool(list(live.nodes), pool)
            done = [node for node in nodes if proved(node, runtime.runtime_class, runtime.shim.version)]
            states.append(
                RuntimeState(
                    shim=runtime.shim.name,
                    version=runtime.shim.version,
                    runtime_class=runtime.runtime_class,
                    handler=runtime.handler,
                    node_pool=pool,
                    nodes=len(nodes),
                    proved=len(done),
                )
            )
    return tuple(states)


def workload_states(
    live: LiveObjects, why: Callable[[Mapping[str, Any]], str | None] = lambda _live: None
) -> tuple[WorkloadState, ...]:
    """Return the workloads that carry our mark.

    Args:
        live: What was seen.
        why: Tells of a Deployment or Job that is not ready what keeps it from being so.
    """
    states = []
    for kind in ("Deployment", "Job"):
        for found in live.of_kind(kind):
            name = str(found["metadata"].get("labels", {}).get(NAME, found["metadata"]["name"]))
            service = live.objects.get(("Service", found["metadata"].get("namespace"), name))
            answers = service is None or is_ready(service)
            states.append(
                WorkloadState(
                    name=name,
                    kind="job" if kind == "Job" else "service",
                    shim=(found["metadata"].get("annotations") or {}).get(SHIM_ANNOTATION, "none"),
                    ready=is_ready(found) and answers,
                    replicas=_replicas(found),
                    endpoint=endpoint_of(service)
                    if service and service["spec"].get("type") == "LoadBalancer"
                    else None,
                    message=why(found) or (None if answers else "its service has no address yet"),
                )
            )
    return tuple(sorted(states, key=lambda state: state.name))


def _replicas(found: Mapping[str, Any]) -> str:
    status = found.get("status") or {}
    if found["kind"] == "Job":
        return f"{status.get('succeeded', 0)}/{found['spec'].get('completions', 1)}"
    return f"{status.get('availableReplicas', 0)}/{found['spec'].get('replicas', 1)}"
