"""`aks-wasm down`."""

from __future__ import annotations

from typing import Annotated

import typer

from aks_wasm.cli.cluster import agree_to_deletion, begin, end
from aks_wasm.cli.context import AppContext
from aks_wasm.cli.group import typer_app
from aks_wasm.cli.options import ClusterCommand, Yes

app = typer_app()


@app.command(cls=ClusterCommand)
def down(
    context: typer.Context,
    *,
    expired: Annotated[bool, typer.Option("--expired", help="Delete only what has outlived its expiry mark")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until nothing is left")] = True,
    yes: Yes = False,
) -> None:
    """Delete what `up` made."""
    with_app = AppContext.of(context)
    run = with_app.run()
    agree_to_deletion(with_app, run, expired=expired, yes=yes)
    begin(with_app, run)
    delete = with_app.use_cases.down_expired if expired else with_app.use_cases.down
    end(with_app, delete(run, wait=wait))
