"""`runtime install`: preflight, marks, installer, proof on every node; the same command again writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from aks_wasm.errors import AksWasmError, Interrupted, UsageError
from aks_wasm.events import Warned
from aks_wasm.plan.plan import Plan
from aks_wasm.plan.runner import run_plan
from aks_wasm.shims.catalogue import Shim, select
from aks_wasm.shims.installed import Change, Present
from aks_wasm.shims.installer import IMAGE, Binary, Installation
from aks_wasm.shims.labels import READY, ready_label
from aks_wasm.steps.shims import ChangeShims, differing, look_at_installer
from aks_wasm.steps.step import Step
from aks_wasm.workflows.managed import refuse_managed
from aks_wasm.workflows.results import StepRecord
from aks_wasm.workflows.runtimes.answers import Proof, RuntimeResult
from aks_wasm.workflows.runtimes.asked import Asked, asked_shims
from aks_wasm.workflows.runtimes.images import probe_images
from aks_wasm.workflows.runtimes.managed import install_managed
from aks_wasm.workflows.runtimes.preflight import check_architectures, check_privileges, ready_nodes
from aks_wasm.workflows.runtimes.remove import removal_steps
from aks_wasm.workflows.runtimes.shown import described, named, planned
from aks_wasm.workflows.runtimes.site import Node, Site, is_marked, labels_of, name_of
from aks_wasm.workflows.runtimes.trials import installer_trials
from aks_wasm.workflows.runtimes.verify import containerd_versions, proof_of, prove
from aks_wasm.workflows.up import step_records


@dataclass(frozen=True)
class InstallOptions:
    """How to install.

    Attributes:
        image: Of the installer's containers; None takes the file's, else what is there, else Microsoft's.
        turns: How many nodes may restart containerd at a time; None likewise.
        installer: What puts shims on nodes; None takes the file's.
        local_image_pull: Whether containerd is to unpack what it pulls by itself; None takes the file's.
        dry_run: Only say what would be done.
        probe_images: What probes run where our installer brings none, by shim, under "" for any.
    """

    image: str | None = None
    turns: int | None = None
    installer: Literal["daemonset", "runtime-class-manager"] | None = None
    local_image_pull: bool | None = None
    dry_run: bool = False
    probe_images: Mapping[str, str] = field(default_factory=dict)


def install(site: Site, words: Sequence[str], options: InstallOptions) -> RuntimeResult:
    """Put shims on every node of a site, beside those that are there, and prove them.

    Args:
        site: The cluster.
        words: Which shims, as `--shim` has them; none takes the file's.
        options: How.

    Raises:
        UsageError: No shim was asked for, nodes or shims don't fit; nothing was made.
        NotAllowed: The cluster lets no privileged pod run; nothing was left.
        Refused: An installer is there that is not ours.
        ServiceError: The installer gave up on a node.
    """
    run = site.run
    asked = asked_shims(words, run.spec.shims)
    if not asked.shims:
        raise UsageError("which shim is to be installed?", code="NoShim", hint="add `--shim NAME`, for example `spin`")
    if (options.installer or run.spec.installer.kind) != "daemonset":
        return install_managed(site, asked.shims, options.probe_images, dry_run=options.dry_run)
    refuse_managed(run, asked.shims)
    present = look_at_installer(run.connect(), run.spec.name)
    nodes = ready_nodes(site)
    change = change_of(site, asked, options)
    check_architectures(nodes, change.shims(present))
    steps = install_steps(site, change, present)
    if options.dry_run:
        return planned(run, "RuntimeInstallation", change.shims(present), steps)
    if steps:
        check_privileges(site, change.image or present.image or IMAGE)
        plan = Plan(tuple(steps))
        outcome = run_plan(plan, run.step_context())
        if outcome.error is not None:
            _take_back(site, change, present, outcome.error)
            raise outcome.error
    _warn_of_file(site, asked.shims)
    shims = change.shims(present)
    records = step_records(plan, outcome) if steps else ()
    return result_of(site, shims, records, fresh=bool(steps))


def _take_back(site: Site, change: Change, present: Present, error: BaseException) -> None:
    """Take what was added off the list again, so that nodes which can't have it keep the others in order.

    An interrupt takes nothing back: the same command goes on.
    """
    before = {shim.handler for shim in present.shims}
    added = tuple(shim for shim in change.add if shim.handler not in before)
    if isinstance(error, Interrupted) or not isinstance(error, AksWasmError) or not added:
        return
    try:
        live = look_at_installer(site.run.connect(), site.run.spec.name)
        listed = {shim.handler for shim in live.shims}
        going = tuple(shim for shim in added if shim.handler in listed)
        first = not present.there and len(going) == len(listed)
        if not going and not first:
            return
        outcome = run_plan(Plan(tuple(removal_steps(site, live, going, everything=first))), site.run.step_context())
        if outcome.error is not None:
            raise outcome.error
    except AksWasmError as second:
        site.run.emit(Warned(f"{named(added)} could not be taken off the nodes again: {second.message}"))
    else:
        site.run.emit(Warned("what this run had made was deleted again"))


def change_of(site: Site, asked: Asked, options: InstallOptions) -> Change:
    """Return what the installation of shims makes of the installer."""
    installer = site.run.spec.installer
    turns = options.turns or (installer.max_unavailable if "max_unavailable" in installer.model_fields_set else None)
    return Change(
        add=asked.shims,
        probes=probe_images(site.run),
        binaries=tuple(Binary(path.read_bytes(), f"`{path}`") for path in asked.files.values()),
        image=options.image or installer.image,
        turns=turns,
        local_image_pull=installer.local_image_pull if options.local_image_pull is None else options.local_image_pull,
    )


def install_steps(site: Site, change: Change, present: Present) -> list[Step]:
    """Return what is to be done; nothing when every object and every node is as it should be."""
    client, owner = site.run.connect(), site.run.spec.name
    shims = change.shims(present)
    marking = site.marking(tuple(shim.handler for shim in shims))
    installation = change.installation(owner, present, site.taints())
    if (
        not marking
        and not site.remembering()
        and not differing(client, installation)
        and not _unready(site.nodes(), installation)
    ):
        return []
    # First of all: a run that is cut off afterwards has chosen for the next one.
    first = [*site.remembering(), *marking]
    before = tuple(step.name for step in first)
    # Those of this moment: a node that comes meanwhile may not be marked.
    names = tuple(map(name_of, site.nodes()))
    about = f"put {named(change.add or shims)} on {len(names)} nodes, one after the other, and probe each"
    put = ChangeShims(change, site.taints(), lambda: names, about, depends_on=before)
    return [*first, put]


def result_of(
    site: Site,
    shims: tuple[Shim, ...],
    records: tuple[StepRecord, ...],
    *,
    fresh: bool,
    kind: str = "RuntimeInstallation",
) -> RuntimeResult:
    """Return the answer: by fresh probes where something was done, else by what the nodes' own probes say."""
    run, nodes = site.run, [node for node in site.nodes() if is_marked(node)]
    proofs = prove(run, installer_trials(site, shims, nodes)) if fresh else _by_marks(site, shims, nodes)
    return RuntimeResult(
        kind,
        ok=all(proof.result == "ok" for proof in proofs),
        cluster=run.spec.name,
        proofs=proofs,
        shims=described(shims),
        steps=records,
    )


def _by_marks(site: Site, shims: tuple[Shim, ...], nodes: list[Node]) -> tuple[Proof, ...]:
    versions = containerd_versions(site.run.connect())
    return tuple(proof_of(node, shim, shim.handler, versions) for node in nodes for shim in shims)


def _unready(nodes: list[Node], installation: Installation) -> bool:
    keys = [ready_label(shim.handler) for shim in installation.shims]
    return any(labels_of(node).get(key) != READY for node in nodes for key in keys)


def _warn_of_file(site: Site, shims: tuple[Shim, ...]) -> None:
    """Say that `up` goes by the file, where the file lists other versions than were installed."""
    if not site.run.provider.info.has_pools:
        return
    listed = {shim.name: shim for shim in select(site.run.spec.shims)}
    for shim in shims:
        if shim.name in listed and listed[shim.name].handler != shim.handler:
            said = f"the file lists `{shim.name}` {listed[shim.name].version}"
            site.run.emit(Warned(f"{said}: the next `up` takes {shim.version} off, unless something uses it"))
