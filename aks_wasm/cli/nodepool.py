"""`aks-wasm nodepool ...`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from aks_wasm.cli.context import AppContext
from aks_wasm.cli.group import NounGroup, typer_app
from aks_wasm.cli.new_pool import new_pool
from aks_wasm.cli.options import ClusterCommand, Yes
from aks_wasm.errors import UsageError

app = typer_app("The cluster's node pools.", cls=NounGroup)

Name = Annotated[str, typer.Argument(help="The node pool's name", show_default=False)]
Count = Annotated[int | None, typer.Option("--count", min=0, help="Number of nodes", show_default=False)]
Min = Annotated[int | None, typer.Option("--min", min=0, help="Autoscaler's lower bound", show_default=False)]
Max = Annotated[int | None, typer.Option("--max", min=1, help="Autoscaler's upper bound", show_default=False)]


@app.command("list", cls=ClusterCommand)
def list_(context: typer.Context) -> None:
    """List the node pools."""
    with_app = AppContext.of(context)
    with_app.show(with_app.use_cases.list_node_pools(with_app.run()))


@app.command(cls=ClusterCommand)
def add(
    context: typer.Context,
    name: Name,
    *,
    arch: Annotated[Literal["amd64", "arm64"] | None, typer.Option(help="Architecture", show_default=False)] = None,
    vm_size: Annotated[str | None, typer.Option(help="For example Standard_D2ps_v5", show_default=False)] = None,
    count: Count = None,
    minimum: Min = None,
    maximum: Max = None,
    spot: Annotated[bool, typer.Option("--spot", help="Cheap nodes that can be taken away")] = False,
    route: Annotated[Literal["auto", "wasi-preview", "shim"] | None, typer.Option(show_default=False)] = None,
) -> None:
    """Add a node pool for WebAssembly; what is left out comes from the pool of that name in the file."""
    with_app = AppContext.of(context)
    given = {"arch": arch, "vm_size": vm_size, "count": count, "min": minimum, "max": maximum, "route": route}
    run = with_app.run()
    with_app.show(with_app.use_cases.add_node_pool(run, new_pool(run.spec, name, {**given, "spot": spot or None})))


@app.command(cls=ClusterCommand)
def scale(context: typer.Context, name: Name, *, count: Count = None, minimum: Min = None, maximum: Max = None) -> None:
    """Change a node pool's size: --count, or --min and --max for the autoscaler."""
    with_app = AppContext.of(context)
    if (count is None) == (minimum is None and maximum is None):
        raise UsageError("give either `--count`, or `--min` and `--max`", code="UsageError")
    result = with_app.use_cases.scale_node_pool(with_app.run(), name, count=count, minimum=minimum, maximum=maximum)
    with_app.show(result)


@app.command(cls=ClusterCommand)
def delete(context: typer.Context, name: Name, *, yes: Yes = False) -> None:
    """Delete a node pool with its nodes."""
    with_app = AppContext.of(context)
    run = with_app.run()
    with_app.confirm(f"delete node pool `{name}` of `{run.spec.name}` with its nodes?", yes=yes)
    with_app.show(with_app.use_cases.delete_node_pool(run, name))
