"""`nodepool list|add|scale|delete`: single changes to the pools of a cluster that is ours."""

from __future__ import annotations

from dataclasses import replace

from aks_wasm.errors import Problem, Refused, SpecInvalid, UsageError
from aks_wasm.plan import planner
from aks_wasm.plan.plan import Plan
from aks_wasm.plan.pools import as_request
from aks_wasm.plan.runner import run_plan
from aks_wasm.providers.base import ObservedCluster, ObservedNodePool
from aks_wasm.providers.marks import marks
from aks_wasm.spec.checks import find_problems
from aks_wasm.spec.models import ClusterSpec, NodePool
from aks_wasm.steps.node_pool import DeleteNodePool, PutNodePool
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.modules import look_into_modules
from aks_wasm.workflows.observe import existing_cluster
from aks_wasm.workflows.prepare import prepare
from aks_wasm.workflows.results import ActionResult, ListResult, camel
from aks_wasm.workflows.states import node_pool_states


def list_node_pools(run: Run) -> ListResult:
    """Return every pool of the cluster, system pools included."""
    return ListResult("NodePoolList", "nodepool", node_pool_states(run.provider.observe(run.spec)))


def add_node_pool(run: Run, pool: NodePool) -> ActionResult:
    """Add a Wasm pool to the cluster, with runtimes and proofs as `up` would.

    Raises:
        UsageError: A pool of that name is there already.
    """
    cluster = existing_cluster(run)
    if cluster.pool(pool.name) is not None:
        raise UsageError(
            f"there is a node pool `{pool.name}` already", code="PoolExists", hint="`nodepool scale` changes its size"
        )
    spec = run.spec.model_copy(update={"node_pools": (*_as_they_are(run.spec, cluster), pool), "workloads": ()})
    problems = find_problems(spec)
    if problems:
        raise SpecInvalid("the node pool", problems)
    grown = replace(run, spec=spec)
    wanted, seen = prepare(grown)
    if any(one.route == "wasi-preview" for one in cluster.node_pools):
        # What workloads ask of preview pools decides what is installed there; nothing else of them counts here.
        wanted = replace(wanted, beyond_preview=look_into_modules(replace(wanted, spec=run.spec)).beyond_preview)
    wanted = replace(wanted, leaving=frozenset(), leaving_users=())  # what left the file waits for `up`
    plan = planner.plan_up(wanted, seen, marks(spec))
    kept = tuple(step for step in plan if not step.name.startswith("workload/"))
    _run(grown, Plan(kept))
    return _answer(grown, pool.name)


def _as_they_are(spec: ClusterSpec, cluster: ObservedCluster) -> tuple[NodePool, ...]:
    """Return the file's pools that are there, at their present size: whoever adds a pool changes no other."""
    return tuple(
        pool.model_copy(update={"count": live.count if live.min is None else None, "min": live.min, "max": live.max})
        for pool in spec.node_pools
        if (live := cluster.pool(pool.name)) is not None
    )


def scale_node_pool(
    run: Run, name: str, count: int | None = None, minimum: int | None = None, maximum: int | None = None
) -> ActionResult:
    """Give a pool another size: a fixed count, or bounds for the autoscaler.

    Raises:
        UsageError: There is no such pool, or the size makes no sense.
    """
    live = _pool(existing_cluster(run), name)
    if live.mode == "System" and count == 0:
        raise UsageError(f"the system pool `{name}` needs a node", hint="give at least `--count 1`")
    if (minimum is None) != (maximum is None) or (count is None and minimum is None):
        raise UsageError("a size is either `--count N` or both `--min N` and `--max N`")
    if minimum is not None and maximum is not None and minimum > maximum:
        problem = Problem("min", f"`{minimum}` is above max `{maximum}`")
        raise SpecInvalid("the size", [problem])
    if (live.count, live.min, live.max) != (count if count is not None else live.count, minimum, maximum):
        request = as_request(live, count if count is not None else max(live.count, minimum or 0), minimum, maximum)
        _run(run, Plan((PutNodePool(request, exists=True),)))
    return _answer(run, name)


def delete_node_pool(run: Run, name: str) -> ActionResult:
    """Delete a pool of the cluster; a pool that is not there is fine.

    Raises:
        Refused: It is the cluster's last system pool.
    """
    cluster = existing_cluster(run)
    live = cluster.pool(name)
    if live is None:
        return ActionResult("NodePoolResult", f"nodepool/{name}", {"name": name, "state": "absent"})
    if live.mode == "System" and sum(pool.mode == "System" for pool in cluster.node_pools) == 1:
        raise Refused(
            f"`{name}` is the cluster's only system pool", code="LastSystemPool", hint="`aks-wasm down` deletes it all"
        )
    _run(run, Plan((DeleteNodePool(name),)))
    return ActionResult("NodePoolResult", f"nodepool/{name}", {"name": name, "state": "deleted"})


def _pool(cluster: ObservedCluster, name: str) -> ObservedNodePool:
    live = cluster.pool(name)
    if live is None:
        known = ", ".join(f"`{pool.name}`" for pool in cluster.node_pools)
        raise UsageError(f"there is no node pool `{name}`", code="NoPool", hint=f"there are: {known}")
    return live


def _run(run: Run, plan: Plan) -> None:
    outcome = run_plan(plan, run.step_context())
    if outcome.error is not None:
        raise outcome.error


def _answer(run: Run, name: str) -> ActionResult:
    states = node_pool_states(run.provider.observe(run.spec))
    state = next((state for state in states if state.name == name), None)
    return ActionResult("NodePoolResult", f"nodepool/{name}", camel(state) if state else {"name": name})
