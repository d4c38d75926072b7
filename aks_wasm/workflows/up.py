"""`up` and `plan`: converge everything, or show what would be done."""

from __future__ import annotations

from dataclasses import replace

from aks_wasm.errors import AksWasmError, Interrupted
from aks_wasm.events import Warned
from aks_wasm.kube import kubeconfig
from aks_wasm.plan import planner
from aks_wasm.plan.estimate import critical_seconds
from aks_wasm.plan.plan import Plan
from aks_wasm.plan.planner import Seen
from aks_wasm.plan.runner import Outcome, run_plan
from aks_wasm.plan.unchanged import left_as_it_is
from aks_wasm.providers.abilities import KnowsDurations
from aks_wasm.providers.marks import marks
from aks_wasm.steps.wanted import Wanted
from aks_wasm.workflows.context import ClusterConnection, Run
from aks_wasm.workflows.observe import observe
from aks_wasm.workflows.prepare import prepare
from aks_wasm.workflows.results import ClusterResult, StepRecord
from aks_wasm.workflows.states import cluster_state, node_pool_states, runtime_states, workload_states


def plan_up(run: Run) -> ClusterResult:
    """Return what `up` would do, writing nothing; `typicalSeconds` is what AKS usually takes for it, where known."""
    wanted, seen = _prepared(run, writes=False)
    plan = planner.plan_up(wanted, seen, marks(run.spec))
    records = tuple(StepRecord(step.name, "planned", summary=step.describe()) for step in plan)
    provider = run.provider
    seconds = critical_seconds(plan, provider.typical_seconds if isinstance(provider, KnowsDurations) else {})
    return replace(_result("PlanResult", wanted, seen, records), facts={"typicalSeconds": round(seconds) or None})


def up(run: Run, *, retain: bool = False) -> ClusterResult:
    """Converge everything and wait until workloads answer.

    Args:
        run: What is wanted and where.
        retain: Keep what a failed run made also where it would be cleaned up (local targets).

    Raises:
        AksWasmError: Of the step that failed first.
    """
    wanted, seen = _prepared(run, writes=True)
    plan = planner.plan_up(wanted, seen, marks(run.spec))
    outcome = run_plan(plan, run.step_context())
    if outcome.error is not None:
        _clean_up(run, seen, outcome.error, retain=retain)
        raise outcome.error
    after = Seen(*observe(run), seen.info) if len(plan) else seen
    result = _result("UpResult", wanted, after, step_records(plan, outcome))
    return replace(result, facts={"kubeconfig": _keep_kubeconfig(run)})


def _prepared(run: Run, *, writes: bool) -> tuple[Wanted, Seen]:
    wanted, seen = prepare(run, writes=writes)
    for sentence in left_as_it_is(run.spec, seen.observed.cluster):
        run.emit(Warned(sentence))
    return wanted, seen


def step_records(plan: Plan, outcome: Outcome) -> tuple[StepRecord, ...]:
    """Return how each step went, in the plan's order."""
    return tuple(
        StepRecord(step.name, outcome.states[step.name], round(outcome.seconds.get(step.name, 0.0), 3), step.describe())
        for step in plan
    )


def _result(kind: str, wanted: Wanted, seen: Seen, records: tuple[StepRecord, ...]) -> ClusterResult:
    return ClusterResult(
        kind=kind,
        ok=True,
        cluster=cluster_state(wanted.spec, seen.observed),
        node_pools=node_pool_states(seen.observed),
        runtimes=runtime_states(wanted, seen.observed, seen.live),
        workloads=workload_states(seen.live),
        steps=records,
        changes=bool(records),
    )


def _clean_up(run: Run, seen: Seen, error: BaseException, *, retain: bool) -> None:
    """Delete what a failed local run made; Azure keeps it, and an interrupt deletes nothing (decisions 7 and 8)."""
    made_here = seen.observed.cluster is None
    if not made_here or retain or run.provider.info.keeps_on_failure or isinstance(error, Interrupted):
        return
    try:
        run.provider.delete(run.spec, None, run.patience(), wait=True)
    except AksWasmError as second:
        run.emit(Warned(f"what this run had made could not be deleted: {second.message}"))
    else:
        run.emit(Warned("what this run had made was deleted again; `--retain` keeps it"))


def _keep_kubeconfig(run: Run) -> str | None:
    """Write the cluster's own kubeconfig, unless the same is there; return its path."""
    connect = run.connect
    if not isinstance(connect, ClusterConnection) or connect.kubeconfig is None:
        return None
    path = kubeconfig.own_file(run.settings.home, run.spec.name)
    text = kubeconfig.renamed(connect.kubeconfig, run.spec.name)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        kubeconfig.write(path, text)
    return str(path)
