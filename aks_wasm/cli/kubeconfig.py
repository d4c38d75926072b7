"""`aks-wasm kubeconfig`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aks_wasm.cli.context import AppContext
from aks_wasm.cli.group import typer_app
from aks_wasm.cli.options import KubeconfigCommand
from aks_wasm.errors import UsageError

app = typer_app()


@app.command(cls=KubeconfigCommand)
def kubeconfig(
    context: typer.Context,
    *,
    merge: Annotated[bool, typer.Option("--merge", help="Merge it into your own kubeconfig and switch to it")] = False,
    to: Annotated[Path | None, typer.Option("--file", help="Write it to this file", show_default=False)] = None,
) -> None:
    """Print a kubeconfig, or merge or write it; here the spec's file is `-f` or `--spec`."""
    with_app = AppContext.of(context)
    if merge and to:
        raise UsageError("`--merge` and `--file` contradict each other", hint="give one of them")
    run = with_app.run()
    if merge:
        with_app.show(with_app.use_cases.merge_kubeconfig(run))
    elif to:
        with_app.show(with_app.use_cases.write_kubeconfig(run, to))
    else:
        with_app.write_yaml(with_app.use_cases.kubeconfig_text(run))
