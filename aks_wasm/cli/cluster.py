"""What the commands about the whole cluster share: consent before, the answer and its exit code after."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from aks_wasm.cli.context import AppContext
    from aks_wasm.workflows.context import Run
    from aks_wasm.workflows.results import ClusterResult


def agree_to_cost(app: AppContext, run: Run, *, yes: bool) -> None:
    """Show the plan and ask, where creating costs money and there is something to create.

    Raises:
        UsageError: There is nobody to ask.
        Refused: The answer was no.
    """
    if yes or not run.provider.info.costs_money:
        return
    plan = app.use_cases.plan_up(run)
    if plan.changes:
        for step in plan.steps:
            app.say(f"  {step.summary or step.name}")
        app.confirm(f"do this to `{run.spec.name}` on {run.provider.info.name}, which costs money?", yes=yes)


def agree_to_deletion(app: AppContext, run: Run, *, expired: bool, yes: bool) -> None:
    """Show what would be deleted and ask, where there is something to delete.

    Raises:
        UsageError: There is nobody to ask.
        Refused: The answer was no.
    """
    if yes:
        return
    things = app.use_cases.plan_down(run, expired=expired)
    for thing in things:
        app.say(f"  {thing}")
    if things:
        app.confirm("delete all of this?", yes=yes)


def begin(app: AppContext, run: Run) -> None:
    """Open a foldable part of a pipeline's log."""
    if app.pipeline is not None:
        app.pipeline.begin(f"aks-wasm {app.command} {run.spec.name}")


def end(app: AppContext, result: ClusterResult) -> None:
    """Show the result, and where workloads answer; exit with 1 when it is not what was asked for.

    Raises:
        typer.Exit: The result is not ok.
    """
    app.show(result)
    for workload in result.workloads:
        if workload.endpoint:
            app.say(f"`{workload.name}` answers at {workload.endpoint}")
    if result.facts.get("kubeconfig"):
        app.say(f"for kubectl: export KUBECONFIG={shlex.quote(result.facts['kubeconfig'])}")
    if not result.ok:
        raise typer.Exit(1)
