"""`aks-wasm workload ...`."""

from __future__ import annotations

from typing import Annotated

import typer

from aks_wasm.cli.context import AppContext
from aks_wasm.cli.group import NounGroup, typer_app
from aks_wasm.cli.log_lines import show_logs
from aks_wasm.cli.options import ClusterCommand, LogsCommand, Yes

app = typer_app("What runs on the cluster.", cls=NounGroup)

Name = Annotated[str, typer.Argument(help="The workload's name", show_default=False)]


@app.command("list", cls=ClusterCommand)
def list_(context: typer.Context) -> None:
    """List the workloads and where they answer."""
    with_app = AppContext.of(context)
    with_app.show(with_app.use_cases.list_workloads(with_app.run()))


@app.command(cls=LogsCommand)
def logs(
    context: typer.Context,
    name: Name,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl+C")] = False,
    tail: Annotated[int | None, typer.Option("--tail", min=0, help="Only the last lines", show_default=False)] = None,
    previous: Annotated[bool, typer.Option("--previous", "-p", help="Of the container before a restart")] = False,
) -> None:
    """Print what a workload wrote; here `-f` is `--follow`, the spec's file is `--file`."""
    with_app = AppContext.of(context)
    run = with_app.run()
    show_logs(
        with_app, name, with_app.use_cases.logs(run, name, follow=follow, tail=tail, previous=previous), follow=follow
    )


@app.command(cls=ClusterCommand)
def delete(context: typer.Context, name: Name, *, yes: Yes = False) -> None:
    """Delete a workload from the cluster; the next `up` brings it back."""
    with_app = AppContext.of(context)
    run = with_app.run()
    with_app.confirm(f"delete workload `{name}` of `{run.spec.name}`?", yes=yes)
    with_app.show(with_app.use_cases.delete_workload(run, name))
