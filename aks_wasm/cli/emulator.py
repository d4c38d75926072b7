"""`aks-wasm emulator ...`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from aks_wasm.cli.context import AppContext
from aks_wasm.cli.emulator_state import state_of
from aks_wasm.cli.group import NounGroup, typer_app
from aks_wasm.cli.options import TalkingCommand

app = typer_app("An AKS on this machine to rehearse against.", cls=NounGroup)


@app.command(cls=TalkingCommand)
def start(
    context: typer.Context,
    *,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: last time's, or any", show_default=False)
    ] = None,
    pace: Annotated[str | None, typer.Option(help="0, a factor such as 0.01, or real", show_default=False)] = None,
    service_age: Annotated[
        Literal["today", "2022"] | None, typer.Option(help="2022 still grants WASI node pools", show_default=False)
    ] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay until Ctrl+C")] = False,
) -> None:
    """Start the emulator, unless it runs already."""
    from aks_wasm.emulator.launch import Wanted

    with_app = AppContext.of(context)
    wanted = Wanted(port, pace, service_age)
    if foreground:
        raise typer.Exit(with_app.use_cases.serve_emulator(with_app.settings, wanted))
    with_app.show(state_of(with_app.use_cases.start_emulator(with_app.settings, wanted), starting=True))


@app.command(cls=TalkingCommand)
def stop(context: typer.Context) -> None:
    """Stop the emulator; its clusters are kept and come back with the next start."""
    with_app = AppContext.of(context)
    stopped = with_app.use_cases.stop_emulator(with_app.settings)
    with_app.show(state_of(None, stopped=stopped))


@app.command(cls=TalkingCommand)
def status(context: typer.Context) -> None:
    """Show whether the emulator runs, where, and what is on it."""
    with_app = AppContext.of(context)
    with_app.show(state_of(with_app.use_cases.emulator_status(with_app.settings)))


@app.command(cls=TalkingCommand)
def env(
    context: typer.Context,
    *,
    style: Annotated[
        Literal["sh", "json", "github"] | None,
        typer.Option("--format", help="For whom; default sh, with -o json or yaml json", show_default=False),
    ] = None,
) -> None:
    """Print what SDKs, az, Terraform and kubectl need to talk to the emulator."""
    with_app = AppContext.of(context)
    usual = "json" if with_app.output in ("json", "yaml") else "sh"  # JSON is YAML
    with_app.write(with_app.use_cases.emulator_environment(with_app.settings, style or usual))
