"""`aks-wasm runtime ...`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from aks_wasm.cli.any_cluster import begin_run
from aks_wasm.cli.context import AppContext
from aks_wasm.cli.group import NounGroup, typer_app
from aks_wasm.cli.options import AnyClusterCommand, Yes
from aks_wasm.cli.runtime_answers import complete_shim, end, images_of, selector_of

app = typer_app("Wasm runtimes on the nodes of our cluster, or of any (--kubeconfig).", cls=NounGroup)

Name = Annotated[
    str | None, typer.Option("--name", help="In whose name, with --kubeconfig; default aks-wasm", show_default=False)
]
Shims = Annotated[
    list[str] | None,
    typer.Option(
        "--shim",
        metavar="NAME[@VERSION]|NAME=PATH",
        help="By name, or a binary built for Linux; may be repeated",
        show_default=False,
        autocompletion=complete_shim,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done")]
Selector = Annotated[
    list[str] | None,
    typer.Option(
        "--node-selector",
        metavar="KEY=VALUE",
        help="Nodes with this label, with --kubeconfig; may be repeated; default all that are ready",
        show_default=False,
    ),
]
Image = Annotated[
    str | None, typer.Option("--image", help="Where the installer's image is mirrored", show_default=False)
]
Turns = Annotated[
    int | None,
    typer.Option("--max-unavailable", min=1, max=100, help="Nodes worked on at a time; default 1", show_default=False),
]
LocalPull = Annotated[
    bool | None,
    typer.Option(
        "--local-image-pull/--no-local-image-pull",
        help="Have containerd from 2.1 on unpack what it pulls by itself, as images for wasi/wasm need",
        show_default=False,
    ),
]
ProbeImages = Annotated[
    list[str] | None,
    typer.Option(
        "--probe-image",
        metavar="[SHIM=]IMAGE",
        help="What probes run of runtimes that our installer has not brought; default ours, pushed to the registry",
        show_default=False,
    ),
]
Installer = Annotated[
    Literal["daemonset", "runtime-class-manager"] | None,
    typer.Option(
        "--installer", help="What puts shims on nodes; default the file's, else daemonset", show_default=False
    ),
]


def _installed_shims(about: str) -> Any:
    return typer.Option(
        "--shim", metavar="NAME[@VERSION]", help=about, show_default=False, autocompletion=complete_shim
    )


@app.command(cls=AnyClusterCommand)
def install(
    context: typer.Context,
    *,
    shim: Shims = None,
    node_selector: Selector = None,
    image: Image = None,
    max_unavailable: Turns = None,
    local_image_pull: LocalPull = None,
    installer: Installer = None,
    probe_image: ProbeImages = None,
    name: Name = None,
    dry_run: DryRun = False,
) -> None:
    """Put shims on every node, one node after the other, and prove each; default those of the file."""
    with_app = AppContext.of(context)
    given: dict[str, Any] = {"image": image, "turns": max_unavailable, "installer": installer, "dry_run": dry_run}
    given |= {"local_image_pull": local_image_pull, "probe_images": images_of(probe_image)}
    selector, run = selector_of(node_selector), begin_run(with_app, name)
    end(with_app, with_app.use_cases.install_runtimes(run, shim or (), selector=selector, given=given))


@app.command("list", cls=AnyClusterCommand)
def list_(context: typer.Context, *, name: Name = None) -> None:
    """List the RuntimeClasses: whose they are, on how many nodes they are ready, who uses them."""
    with_app = AppContext.of(context)
    with_app.show(with_app.use_cases.list_runtimes(begin_run(with_app, name)))


@app.command(cls=AnyClusterCommand)
def verify(
    context: typer.Context,
    *,
    shim: Annotated[list[str] | None, _installed_shims("Only this one; may be repeated")] = None,
    node: Annotated[str | None, typer.Option("--node", help="Only this node", show_default=False)] = None,
    probe_image: ProbeImages = None,
    name: Name = None,
) -> None:
    """Run a fresh probe through every runtime on every node that should have it; 1 when one fails."""
    with_app = AppContext.of(context)
    images, run = images_of(probe_image), begin_run(with_app, name)
    end(with_app, with_app.use_cases.verify_runtimes(run, shim or (), images, node=node))


@app.command(cls=AnyClusterCommand)
def upgrade(
    context: typer.Context,
    *,
    shim: Shims = None,
    everybody: Annotated[
        bool, typer.Option("--all-workloads", help="Move workloads that aks-wasm did not make, too")
    ] = False,
    probe_image: ProbeImages = None,
    name: Name = None,
    dry_run: DryRun = False,
) -> None:
    """Put new versions beside the old, prove them, move our workloads, then take the old ones off."""
    with_app = AppContext.of(context)
    images, run = images_of(probe_image), begin_run(with_app, name)
    end(with_app, with_app.use_cases.upgrade_runtimes(run, shim or (), images, everybody=everybody, dry_run=dry_run))


@app.command(cls=AnyClusterCommand)
def remove(
    context: typer.Context,
    *,
    shim: Annotated[list[str] | None, _installed_shims("Which; may be repeated")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them, and the installer")] = False,
    name: Name = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Take shims off the nodes, whose files are then as they were; refuses while pods use them."""
    with_app = AppContext.of(context)
    run = begin_run(with_app, name)
    if not dry_run:
        what = "all runtimes" if everything else ", ".join(f"`{word}`" for word in shim or ())
        with_app.confirm(f"take {what} off the nodes of `{run.spec.name}`?", yes=yes)
    end(with_app, with_app.use_cases.remove_runtimes(run, shim or (), everything=everything, dry_run=dry_run))
