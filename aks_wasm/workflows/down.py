"""`down`: delete what carries our mark, and prove that nothing is left.

Answers demand 3 of shared/facts/demands.md.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime

from aks_wasm.errors import AksWasmError, Interrupted, Refused, ServiceError, TimedOut, UsageError
from aks_wasm.events import Warned
from aks_wasm.kube import kubeconfig
from aks_wasm.plan.plan import Plan
from aks_wasm.plan.runner import run_plan
from aks_wasm.providers.abilities import ListsOwned
from aks_wasm.providers.base import Observed
from aks_wasm.providers.marks import OWNER_TAG, Owned
from aks_wasm.spec.models import ClusterSpec, Metadata
from aks_wasm.steps.cluster import DeleteCluster
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.images import images_of
from aks_wasm.workflows.observe import refuse_foreign
from aks_wasm.workflows.results import ClusterResult, StepRecord
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
    """Delete the cluster and, where it is ours, its group; then take away our context and images.

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
    """Delete everything of ours whose mark of expiry has passed, whatever spec made it; what CI left behind, say.

    One that can't be deleted does not keep the others; the first error is raised at the end. An interrupt ends it all,
    and so does the time-out, which is for all of them together.
    """
    end = run.clock.now() + run.timeout
    expired = _expired(run)
    deleted, steps, first = list[str](), list[StepRecord](), None
    for found in expired:
        try:
            result = down(replace(run, spec=_spec_of(run, found), timeout=end - run.clock.now()), wait=wait)
        except (Interrupted, TimedOut):
            raise
        except AksWasmError as error:
            run.emit(Warned(f"`{found.owner}` was not deleted: {error.message}"))
            first = first or error
        else:
            deleted += result.facts["deleted"]
            steps += result.steps
    if first is not None:
        raise first
    observed = run.provider.observe(run.spec)
    facts = {"deleted": deleted, "left": [found.owner for found in _owned(run) if found in expired]}
    return ClusterResult(
        "DownResult", ok=True, cluster=cluster_state(run.spec, observed), steps=tuple(steps), facts=facts
    )


def plan_down_expired(run: Run) -> list[str]:
    """Return what `down --expired` would delete, writing nothing."""
    return [f"`{found.owner}`, which expired at {found.expires:%Y-%m-%d %H:%M} UTC" for found in _expired(run)]


def _expired(run: Run) -> list[Owned]:
    now = datetime.now(UTC)
    return [found for found in _owned(run) if found.expires is not None and found.expires <= now]


def _owned(run: Run) -> list[Owned]:
    provider = run.provider
    if not isinstance(provider, ListsOwned):
        raise UsageError(f"{provider.info.name} can't list what is ours", code="NoInventory", hint="name the file")
    return provider.owned()


def _spec_of(run: Run, found: Owned) -> ClusterSpec:
    """Return a spec that names what was found and nothing more.

    Raises:
        Refused: The mark is none that this tool writes.
    """
    azure = run.spec.azure.model_copy(update={"resource_group": found.resource_group})
    try:
        metadata = Metadata(name=found.owner)
    except ValueError as error:
        where = f" in the resource group `{found.resource_group}`" if found.resource_group else ""
        raise Refused(
            f"the mark `{OWNER_TAG}: {found.owner}`{where} was not written by aks-wasm: that is no name",
            code="ForeignMark",
            hint="put the tag right, or delete by hand what carries it",
        ) from error
    return run.spec.model_copy(update={"metadata": metadata, "azure": azure})


def _delete(run: Run, observed: Observed, *, wait: bool) -> ClusterResult:
    ours = _ours(run, observed)
    steps = (DeleteCluster(run.spec.name, " and ".join(ours), wait=wait),) if ours else ()
    plan = Plan(steps)
    outcome = run_plan(plan, run.step_context())
    if outcome.error is not None:
        raise outcome.error
    _forget_files(run)
    after = run.provider.observe(run.spec) if ours else observed
    left = _ours(run, after)
    if wait and left:
        raise ServiceError(f"{' and '.join(left)} is still there", code="NotGone", hint="run `aks-wasm down` again")
    return ClusterResult(
        "DownResult",
        ok=True,
        cluster=cluster_state(run.spec, after),
        steps=step_records(plan, outcome),
        facts={"deleted": ours, "left": left},
    )


def _ours(run: Run, observed: Observed) -> list[str]:
    found = []
    if observed.cluster is not None:
        found.append(f"the cluster `{observed.cluster.name}`")
    if observed.group is not None and observed.group.owner == run.spec.name:
        found.append(f"the resource group `{observed.group.name}`")
    return found


def _forget_files(run: Run) -> None:
    shutil.rmtree(images_of(run.settings.home, run.spec.name), ignore_errors=True)
    kubeconfig.own_file(run.settings.home, run.spec.name).unlink(missing_ok=True)
    kubeconfig.remove(kubeconfig.default_file(os.environ), run.spec.name)
