"""`aks-wasm status`."""

from __future__ import annotations

from typing import Annotated

import typer

from aks_wasm.cli.context import AppContext
from aks_wasm.cli.group import typer_app
from aks_wasm.cli.options import ClusterCommand
from aks_wasm.cli.watch import watch

app = typer_app()


@app.command(cls=ClusterCommand)
def status(
    context: typer.Context,
    *,
    keep_watching: Annotated[bool, typer.Option("--watch", "-w", help="Look again until Ctrl+C")] = False,
) -> None:
    """Show every layer, from the feature to the endpoints."""
    with_app = AppContext.of(context)
    run = with_app.run()
    if keep_watching:
        watch(with_app, lambda: with_app.use_cases.status(run))
    else:
        with_app.show(with_app.use_cases.status(run))
