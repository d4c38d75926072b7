"""`aks-wasm doctor`."""

from __future__ import annotations

import typer

from aks_wasm.cli.access import access_of
from aks_wasm.cli.aftermath import spec_arguments
from aks_wasm.cli.context import AppContext
from aks_wasm.cli.group import typer_app
from aks_wasm.cli.options import AnyClusterCommand

FOUND = 1

app = typer_app()


@app.command(cls=AnyClusterCommand)
def doctor(context: typer.Context) -> None:
    """Find the cause of what does not work, and the command that mends it: on this machine, in the cluster."""
    with_app = AppContext.of(context)
    access = access_of(with_app.options)
    if access is not None:
        result = with_app.use_cases.doctor_of(access)
    else:
        named = spec_arguments(with_app.options)
        result = with_app.use_cases.doctor(with_app.spec(), with_app.settings, with_app.run, named)
    with_app.show(result)
    if not result.ok:
        raise typer.Exit(FOUND)
