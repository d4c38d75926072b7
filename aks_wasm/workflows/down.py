"""`down`: delete what carries our mark, and prove that nothing is left."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from aks_wasm.errors import Refused
from aks_wasm.events import StepSkipped
from aks_wasm.kube import kubeconfig
from aks_wasm.plan.plan import Plan
from aks_wasm.plan.runner import run_plan
from aks_wasm.providers.base import EXPIRES_TAG, Observed
from aks_wasm.steps.cluster import DeleteCluster
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.observe import refuse_foreign
from aks_wasm.workflows.results import ClusterResult
from aks_wasm.workflows.states import cluster_state
from aks_wasm.workflows.up import step_records


def plan_down(run: Run) -> list[str]:
    """Return what `down` would delete, writing nothing; empty when there is nothing of ours.

    Raises:
        Refused: The cluster or the group is not ours.
    """
    observed = run.provider.observe(run.spec)
    refuse_foreign(observed, run.spec.name)
    return _ours(run, observed)


def down(run: Run, *, wait: bool) -> ClusterResult:
    """Delete the cluster and, where it is ours, its group; then take our context out of the kubeconfigs.

    Args:
        run: Names the cluster.
        wait: Whether to wait until nothing is left.

    Raises:
        Refused: The cluster or the group is not ours, something foreign is in the group, or it is locked.
    """
    observed = run.provider.observe(run.spec)
    refuse_foreign(observed, run.spec.name)
    return _delete(run, observed, wait=wait)


def down_expired(run: Run, *, wait: bool) -> ClusterResult:
    """Do what `down` does if the cluster's mark of expiry has passed; else nothing."""
    observed = run.provider.observe(run.spec)
    refuse_foreign(observed, run.spec.name)
    expires = _expiry(observed)
    if expires is not None and expires <= datetime.now(UTC):
        return _delete(run, observed, wait=wait)
    why = f"it expires {expires:%Y-%m-%d %H:%M} UTC" if expires else "it carries no expiry"
    if observed.cluster is not None:
        run.emit(StepSkipped(f"cluster/{run.spec.name}", why))
    return _result(run, observed, deleted=[])


def _delete(run: Run, observed: Observed, *, wait: bool) -> ClusterResult:
    ours = _ours(run, observed)
    steps = (DeleteCluster(run.spec.name, " and ".join(ours), wait=wait),) if ours else ()
    plan = Plan(steps)
    outcome = run_plan(plan, run.step_context())
    if outcome.error is not None:
        raise outcome.error
    _forget_kubeconfig(run)
    after = run.provider.observe(run.spec) if ours else observed
    left = _ours(run, after)
    if wait and left:
        raise Refused(f"{' and '.join(left)} is still there", code="NotGone", hint="run `aks-wasm down` again")
    result = _result(run, after, deleted=ours)
    return ClusterResult(
        kind=result.kind, ok=True, cluster=result.cluster, steps=step_records(plan, outcome), facts=result.facts
    )


def _ours(run: Run, observed: Observed) -> list[str]:
    found = []
    if observed.cluster is not None:
        found.append(f"the cluster `{observed.cluster.name}`")
    if observed.group is not None and observed.group.owner == run.spec.name:
        found.append(f"the resource group `{observed.group.name}`")
    return found


def _result(run: Run, observed: Observed, *, deleted: list[str]) -> ClusterResult:
    facts = {"deleted": deleted, "left": _ours(run, observed)}
    return ClusterResult(kind="DownResult", ok=True, cluster=cluster_state(run.spec, observed), facts=facts)


def _expiry(observed: Observed) -> datetime | None:
    text = observed.cluster.tags.get(EXPIRES_TAG) if observed.cluster else None
    if text is None and observed.group is not None:
        text = observed.group.tags.get(EXPIRES_TAG)
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _forget_kubeconfig(run: Run) -> None:
    kubeconfig.own_file(run.settings.home, run.spec.name).unlink(missing_ok=True)
    kubeconfig.remove(kubeconfig.default_file(os.environ), run.spec.name)
