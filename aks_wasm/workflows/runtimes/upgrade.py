"""`runtime upgrade`: the new version beside the old, proved on every node, workloads moved, the old one taken off.

Answers demands 33 and 46 of shared/facts/demands.md: nothing is overwritten, nothing is drained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aks_wasm.errors import AksWasmError, Interrupted
from aks_wasm.events import Warned
from aks_wasm.kube.runtime_users import User, users_of
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.installed import Present
from aks_wasm.shims.installer import IMAGE
from aks_wasm.shims.runtime_class_manager import shim_of
from aks_wasm.steps.move import MoveWorkloads
from aks_wasm.steps.shim_controller import our_shims
from aks_wasm.steps.shims import look_at_installer
from aks_wasm.steps.step import Step
from aks_wasm.waits import Seen, wait_until
from aks_wasm.workflows.results import StepRecord
from aks_wasm.workflows.runtimes.answers import Proof, RuntimeResult
from aks_wasm.workflows.runtimes.install import InstallOptions, change_of, install_steps
from aks_wasm.workflows.runtimes.managed import run_steps
from aks_wasm.workflows.runtimes.managed_upgrade import upgrade_managed
from aks_wasm.workflows.runtimes.preflight import check_architectures, check_privileges, ready_nodes
from aks_wasm.workflows.runtimes.remove import removal_steps
from aks_wasm.workflows.runtimes.shown import described, planned
from aks_wasm.workflows.runtimes.site import Site
from aks_wasm.workflows.runtimes.trials import installer_trials
from aks_wasm.workflows.runtimes.upgrading import Upgrade, require_proofs, wanted_upgrade
from aks_wasm.workflows.runtimes.verify import prove

LEAVING_SECONDS = 60.0  # for the old pods of workloads that have moved; their grace is 30 s unless they say otherwise


def upgrade(
    site: Site,
    words: Sequence[str],
    images: Mapping[str, str] | None = None,
    *,
    everybody: bool = False,
    dry_run: bool = False,
) -> RuntimeResult:
    """Go to other versions of shims.

    Args:
        site: The cluster.
        words: To which, as `--shim` has them; without any, all go to the newest that is known, or the file's.
        images: What probes run where our installer brings none, by shim, under "" for any.
        everybody: Whether workloads that are not ours move as well.
        dry_run: Only say what would be done.

    Raises:
        UsageError: There is no older version, or nodes and shims don't fit.
        ServiceError: The new version does not work on a node; everything is as it was, the message says where and why.
        WorkloadFailed: A workload does not run on it; likewise.
    """
    run, client = site.run, site.run.connect()
    present = look_at_installer(client, run.spec.name)
    managed = tuple(map(shim_of, our_shims(client, run.spec.name)))
    if managed and not _has(present, words):
        wanted = wanted_upgrade(site, words, Present(shims=managed))
        return upgrade_managed(site, wanted, images or {}, everybody=everybody, dry_run=dry_run)
    wanted = wanted_upgrade(site, words, present)
    change = change_of(site, wanted.asked, InstallOptions())
    check_architectures(ready_nodes(site), change.shims(present))
    beside = install_steps(site, change, present)
    move = MoveWorkloads(wanted.classes, everybody)
    if dry_run:
        steps: list[Step] = [*beside, *([move] if wanted.old else []), *_off(site, present, wanted.old)]
        return planned(run, "RuntimeUpgrade", wanted.asked.shims, steps)
    records: tuple[StepRecord, ...] = ()
    proofs: tuple[Proof, ...] = ()
    if wanted.old or beside:
        if beside:
            check_privileges(site, change.image or present.image or IMAGE)
        there = {shim.handler for shim in present.shims}
        new = tuple(shim for shim in wanted.asked.shims if shim.handler not in there)
        records, proofs = _go_over(site, wanted, (beside, [move] if wanted.old else []), new)
    kept = _take_off(site, wanted.old)
    facts = {"removed": described(kept.gone), "kept": [_told(user) for user in kept.users]}
    return replace(_answer(site, wanted.asked.shims, proofs, (*records, *kept.records)), facts=facts)


def _go_over(
    site: Site, wanted: Upgrade, steps: tuple[list[Step], list[Step]], new: tuple[Shim, ...]
) -> tuple[tuple[StepRecord, ...], tuple[Proof, ...]]:
    """Put the new versions beside the old, prove them, move workloads; go back when one of it fails."""
    beside, move = steps
    try:
        records = run_steps(site.run, beside)
        proofs = _prove(site, wanted.asked.shims)
        return (*records, *run_steps(site.run, move)), proofs
    except Interrupted:
        raise
    except AksWasmError:
        _back(site, new)
        raise


def _has(present: Present, words: Sequence[str]) -> bool:
    """Return whether our own installer has one of these; all that it has without words."""
    names = {word.partition("=")[0].partition("@")[0] for word in words}
    return any(not words or shim.name in names for shim in present.shims)


def _prove(site: Site, shims: tuple[Shim, ...]) -> tuple[Proof, ...]:
    """Prove the new versions on every node before anything moves.

    Raises:
        ServiceError: A probe failed; the message names the node and why.
    """
    proofs = prove(site.run, installer_trials(site, shims, site.nodes()))
    require_proofs(proofs, "everything is as it was before; `aks-wasm doctor` looks into the node")
    return proofs


@dataclass(frozen=True)
class _Off:
    records: tuple[StepRecord, ...]
    gone: tuple[Shim, ...]
    users: tuple[User, ...]


def _take_off(site: Site, old: tuple[Shim, ...]) -> _Off:
    """Take old versions off that nobody asks for any more."""
    users = _users_left(site, old)
    used = {user.runtime_class for user in users}
    gone = tuple(shim for shim in old if shim.runtime_class not in used)
    present = look_at_installer(site.run.connect(), site.run.spec.name)
    records = run_steps(site.run, _off(site, present, gone))
    for shim in old:
        theirs = ", ".join(str(user) for user in users if user.runtime_class == shim.runtime_class)
        if theirs:
            site.run.emit(Warned(f"`{shim.name}` {shim.version} stays on the nodes, since it is used: {theirs}"))
    return _Off(records, gone, users)


def _users_left(site: Site, old: tuple[Shim, ...]) -> tuple[User, ...]:
    """Return who asks for versions that are to go, once the pods of workloads that left them are gone or had time."""
    client, run = site.run.connect(), site.run
    classes = [shim.runtime_class for shim in old]

    def left() -> tuple[User, ...]:
        every = users_of(client, classes) if classes else ()
        return tuple(user for user in every if user.runs or user.kind not in ("Pod", "Job"))

    def look() -> Seen[tuple[User, ...]]:
        users = left()
        going = [user for user in users if user.controlled and user.ends]
        return Seen(f"{len(going)} old pods ending", done=not going, value=users)

    try:
        patience = run.step_context().patience(LEAVING_SECONDS)
        return wait_until(look, what="the end of the old pods", patience=patience) or ()
    except Interrupted:
        raise
    except AksWasmError:
        return left()


def _off(site: Site, present: Present, old: tuple[Shim, ...]) -> list[Step]:
    return removal_steps(site, present, old, everything=False) if old else []


def _back(site: Site, new: tuple[Shim, ...]) -> None:
    """Take new versions off again; what goes wrong with that is told, the first error is the one to raise."""
    if not new:
        return
    try:
        _users_left(site, new)  # pods of workloads that have gone back would have it refused
        present = look_at_installer(site.run.connect(), site.run.spec.name)
        run_steps(site.run, removal_steps(site, present, new, everything=False))
    except AksWasmError as error:
        site.run.emit(Warned(f"the new version could not be taken off again: {error.message}"))


def _answer(
    site: Site, shims: tuple[Shim, ...], proofs: tuple[Proof, ...], records: tuple[StepRecord, ...]
) -> RuntimeResult:
    return RuntimeResult(
        "RuntimeUpgrade", ok=True, cluster=site.run.spec.name, proofs=proofs, shims=described(shims), steps=records
    )


def _told(user: User) -> dict[str, str]:
    return {"kind": user.kind, "namespace": user.namespace, "name": user.name, "runtimeClass": user.runtime_class}
