"""`aks-wasm up`."""

from __future__ import annotations

from typing import Annotated

import typer

from aks_wasm.cli.cluster import agree_to_cost, begin, end
from aks_wasm.cli.context import AppContext
from aks_wasm.cli.group import typer_app
from aks_wasm.cli.options import ClusterCommand, Yes

app = typer_app()


@app.command(cls=ClusterCommand)
def up(
    context: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing")] = False,
    retain: Annotated[
        bool, typer.Option("--retain", help="Keep what was made when it fails (Azure always keeps)")
    ] = False,
    yes: Yes = False,
) -> None:
    """Bring everything to what the file says, wait, print endpoints."""
    with_app = AppContext.of(context)
    run = with_app.run()
    if dry_run:
        with_app.show(with_app.use_cases.plan_up(run))
        return
    agree_to_cost(with_app, run, yes=yes)
    begin(with_app, run)
    end(with_app, with_app.use_cases.up(run, retain=retain))
