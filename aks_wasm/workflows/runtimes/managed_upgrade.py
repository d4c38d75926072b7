"""`runtime upgrade` where runtime-class-manager has put the shims on the nodes: in place, and back on failure.

It keeps one version of a shim on a node, under one handler. So the old one goes before the new one comes, on all nodes
at once. What runs through it ends as containerd restarts without it, and starts again when workloads have moved to the
new RuntimeClass: with containerd 2.3 and one node that took 21 s. Answers demand 33 of shared/facts/demands.md as far
as that installer lets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aks_wasm.errors import AksWasmError, Interrupted, TimedOut
from aks_wasm.events import Warned
from aks_wasm.kube.runtime_users import users_of
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.runtime_class_manager import shim_name
from aks_wasm.steps.move import MoveWorkloads
from aks_wasm.steps.shim_resources import about_running, refuse_to_strand
from aks_wasm.steps.step import Step
from aks_wasm.workflows.results import StepRecord
from aks_wasm.workflows.runtimes.answers import Proof, RuntimeResult
from aks_wasm.workflows.runtimes.managed import fit_nodes, prove_managed, put_steps, run_steps
from aks_wasm.workflows.runtimes.shown import described, named, planned
from aks_wasm.workflows.runtimes.site import Node, Site
from aks_wasm.workflows.runtimes.upgrading import Upgrade, require_proofs

BACK_SECONDS = 60.0  # for going back where the controller did not answer in all the time that there was


def upgrade_managed(
    site: Site, wanted: Upgrade, images: Mapping[str, str], *, everybody: bool, dry_run: bool
) -> RuntimeResult:
    """Have runtime-class-manager replace versions, prove the new ones, and move workloads to their RuntimeClasses.

    Args:
        site: The cluster.
        wanted: What goes where.
        images: What probes run, by shim, under "" for any; ours is pushed where none is given and a registry is known.
        everybody: Whether workloads that are not ours move as well; without, none of them may ask for an old version.
        dry_run: Only say what would be done.

    Raises:
        Refused: It is not at work, would do it in vain, or others ask for a version that would go; nothing was changed.
        ServiceError: The new version does not get onto a node or does not work there; the old one is back.
        WorkloadFailed: A workload does not run on it; likewise.
        TimedOut: It did not report in time.
    """
    shims = wanted.asked.shims
    nodes = fit_nodes(site, shims)
    client, owner = site.run.connect(), site.run.spec.name
    users = users_of(client, wanted.classes)
    refuse_to_strand(users, owner, everybody=everybody)
    put = put_steps(site, shims, nodes, everybody=everybody)
    move: list[Step] = [MoveWorkloads(wanted.classes, everybody)] if wanted.old else []
    if dry_run:
        for shim in wanted.old:
            through = [user for user in users if user.runtime_class == shim.runtime_class]
            if (sentence := about_running(shim_name(shim), through)) is not None:
                site.run.emit(Warned(sentence))
        return planned(site.run, "RuntimeUpgrade", shims, [*put, *move])
    records: tuple[StepRecord, ...] = ()
    proofs: tuple[Proof, ...] = ()
    if put or move:
        try:
            records = run_steps(site.run, put)
            proofs = prove_managed(site, shims, nodes, images)
            require_proofs(proofs, "the old version is put back; `aks-wasm doctor` looks into the node")
            records += run_steps(site.run, move)
        except Interrupted:
            raise
        except AksWasmError as error:
            _back(site, wanted.old, nodes, error)
            raise
    answer = RuntimeResult("RuntimeUpgrade", ok=True, cluster=owner, proofs=proofs, shims=described(shims))
    return replace(answer, steps=records, facts={"removed": described(wanted.old), "kept": []})


def _back(site: Site, old: tuple[Shim, ...], nodes: list[Node], first: AksWasmError) -> None:
    """Have the old versions put back; what goes wrong with that is told, the first error is the one to raise."""
    if not old:
        return
    seconds = min(site.run.timeout, BACK_SECONDS) if isinstance(first, TimedOut) else site.run.timeout
    try:
        run_steps(replace(site.run, timeout=seconds), put_steps(site, old, nodes, everybody=True))
    except AksWasmError as error:
        again = " ".join(f"--shim {shim.name}@{shim.version}" for shim in old)
        what = f"{named(old)} could not be put back: {error.message}"
        site.run.emit(Warned(f"{what}; `aks-wasm runtime upgrade {again}` tries again"))
    else:
        site.run.emit(Warned(f"runtime-class-manager has put {named(old)} back on the nodes"))
