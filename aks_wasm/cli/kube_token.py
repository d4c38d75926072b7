"""`aks-wasm kube-token`: what kubectl runs when a kubeconfig of ours asks for a token."""

from __future__ import annotations

import typer

from aks_wasm.cli.context import AppContext
from aks_wasm.cli.group import typer_app
from aks_wasm.cli.options import TalkingCommand

app = typer_app()


@app.command(cls=TalkingCommand)
def kube_token(context: typer.Context) -> None:
    """Print a token for kubectl (an exec credential)."""
    with_app = AppContext.of(context)
    with_app.write(with_app.use_cases.kube_token(with_app.settings))
