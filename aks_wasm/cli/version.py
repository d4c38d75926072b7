"""`aks-wasm version`."""

from __future__ import annotations

import typer

from aks_wasm import __version__
from aks_wasm.cli.context import AppContext
from aks_wasm.cli.group import typer_app
from aks_wasm.cli.options import TalkingCommand

app = typer_app()


@app.command(cls=TalkingCommand)
def version(context: typer.Context) -> None:
    """Print the version."""
    import platform

    from aks_wasm.workflows.results import ActionResult

    with_app = AppContext.of(context)
    values = {"version": __version__, "python": platform.python_version(), "platform": platform.platform()}
    with_app.show(ActionResult("VersionResult", f"aks-wasm/{__version__}", values))
