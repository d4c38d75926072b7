"""The program `aks-wasm`: its commands by name; each is imported when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

from aks_wasm.cli.group import Lazy, RootGroup, typer_app

COMMANDS = {
    "up": Lazy("aks_wasm.cli.up", "Bring everything to what the file says, wait, print endpoints"),
    "plan": Lazy("aks_wasm.cli.plan", "Show what `up` would do"),
    "down": Lazy("aks_wasm.cli.down", "Delete what `up` made"),
    "status": Lazy("aks_wasm.cli.status", "Show every layer, from the feature to the endpoints"),
    "doctor": Lazy("aks_wasm.cli.doctor", "Find the cause of what does not work, and the command that mends it"),
    "feature": Lazy("aks_wasm.cli.feature", "The preview feature of WASI node pools"),
    "nodepool": Lazy("aks_wasm.cli.nodepool", "The cluster's node pools"),
    "runtime": Lazy("aks_wasm.cli.runtime", "Wasm runtimes on the nodes of our cluster, or of any (--kubeconfig)"),
    "workload": Lazy("aks_wasm.cli.workload", "What runs on the cluster"),
    "kubeconfig": Lazy("aks_wasm.cli.kubeconfig", "Print a kubeconfig, or merge or write it"),
    "kube-token": Lazy("aks_wasm.cli.kube_token", "Print a token for kubectl (an exec credential)"),
    "emulator": Lazy("aks_wasm.cli.emulator", "An AKS on this machine to rehearse against"),
    "schema": Lazy("aks_wasm.cli.schema", "Print the JSON Schema of the file"),
    "version": Lazy("aks_wasm.cli.version", "Print the version"),
}


class AksWasm(RootGroup):
    """The program."""

    lazy = COMMANDS


ABOUT = "From nothing to WebAssembly workloads answering on Azure Kubernetes Service, and back to nothing."
EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 usage or spec, 3 not signed in or not allowed, 4 no quota or capacity, "
    "5 timed out, 6 another operation in progress, 7 refused, 8 changes pending, 130 interrupted"
)

app = typer_app(ABOUT, cls=AksWasm, epilog=EPILOG, completion=True)


def _print_version(value: bool) -> None:
    if value:
        from aks_wasm import __version__

        typer.echo(f"aks-wasm {__version__}")
        raise typer.Exit


@app.callback()
def program(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before the command."""


def main() -> None:
    """Run the program."""
    app(prog_name="aks-wasm")
