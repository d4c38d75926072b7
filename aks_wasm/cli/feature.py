"""`aks-wasm feature ...`: the preview feature Microsoft.ContainerService/WasmNodePoolPreview."""

from __future__ import annotations

import typer

from aks_wasm.cli.context import AppContext
from aks_wasm.cli.group import NounGroup, typer_app
from aks_wasm.cli.options import ClusterCommand

app = typer_app("The preview feature of WASI node pools.", cls=NounGroup)


@app.command(cls=ClusterCommand)
def show(context: typer.Context) -> None:
    """Show the feature's state."""
    with_app = AppContext.of(context)
    with_app.show(with_app.use_cases.feature(with_app.run(), "show"))


@app.command(cls=ClusterCommand)
def register(context: typer.Context) -> None:
    """Register the feature and wait; this is for the whole subscription."""
    with_app = AppContext.of(context)
    with_app.show(with_app.use_cases.feature(with_app.run(), "register"))


@app.command(cls=ClusterCommand)
def unregister(context: typer.Context) -> None:
    """Unregister the feature; this is for the whole subscription."""
    with_app = AppContext.of(context)
    with_app.show(with_app.use_cases.feature(with_app.run(), "unregister"))
