"""`aks-wasm schema`."""

from __future__ import annotations

import typer

from aks_wasm.cli.context import AppContext
from aks_wasm.cli.group import typer_app
from aks_wasm.cli.options import TalkingCommand

app = typer_app()


@app.command(cls=TalkingCommand)
def schema(context: typer.Context) -> None:
    """Print the JSON Schema of the file."""
    with_app = AppContext.of(context)
    with_app.write_document(with_app.use_cases.schema())
