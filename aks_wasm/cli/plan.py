"""`aks-wasm plan`."""

from __future__ import annotations

from typing import Annotated

import typer

from aks_wasm.cli.context import AppContext
from aks_wasm.cli.group import typer_app
from aks_wasm.cli.options import ClusterCommand
from aks_wasm.display.text import duration

CHANGES_PENDING = 8

app = typer_app()


@app.command(cls=ClusterCommand)
def plan(
    context: typer.Context,
    *,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 8 when there is something to do")
    ] = False,
) -> None:
    """Show what `up` would do."""
    with_app = AppContext.of(context)
    result = with_app.use_cases.plan_up(with_app.run())
    with_app.show(result)
    if not result.changes:
        with_app.say("nothing to do: everything is as the file says")
    elif seconds := result.facts.get("typicalSeconds"):
        with_app.say(f"AKS usually takes about {duration(seconds)} for this; Azure's prices are not known here")
    if result.changes and detailed_exitcode:
        raise typer.Exit(CHANGES_PENDING)
