"""`runtime upgrade`: the new version beside the old, proved on every node, workloads moved, the old one taken off.

Answers demands 33 and 46 of shared/facts/demands.md: nothing is overwritten, nothing is drained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aks_wasm.errors import AksWasmError, Interrupted, ServiceError, UsageError
from aks_wasm.events import Warned
from aks_wasm.kube.runtime_users import User, users_of
from aks_wasm.plan.plan import Plan
from aks_wasm.plan.runner import run_plan
from aks_wasm.shims.catalogue import Shim, every_version, select
from aks_wasm.shims.installed import Present
from aks_wasm.shims.installer import IMAGE
from aks_wasm.steps.move import MoveWorkloads
from aks_wasm.steps.shims import look_at_installer
from aks_wasm.steps.step import Step
from aks_wasm.waits import Seen, wait_until
from aks_wasm.workflows.results import StepRecord
from aks_wasm.workflows.runtimes.answers import Proof, RuntimeResult
from aks_wasm.workflows.runtimes.asked import Asked, asked_shims
from aks_wasm.workflows.runtimes.install import InstallOptions, change_of, install_steps
from aks_wasm.workflows.runtimes.preflight import check_architectures, check_privileges, ready_nodes
from aks_wasm.workflows.runtimes.remove import removal_steps
from aks_wasm.workflows.runtimes.shown import described, planned
from aks_wasm.workflows.runtimes.site import Site
from aks_wasm.workflows.runtimes.verify import installer_trials, prove
from aks_wasm.workflows.up import step_records

LEAVING_SECONDS = 60.0  # for the old pods of workloads that have moved; their grace is 30 s unless they say otherwise


@dataclass(frozen=True)
class Upgrade:
    """What goes where: new shims, and the old ones of the same names."""

    asked: Asked
    old: tuple[Shim, ...]

    @property
    def classes(self) -> dict[str, str]:
        """Old RuntimeClass -> new one."""
        new = {shim.name: shim.runtime_class for shim in self.asked.shims}
        return {shim.runtime_class: new[shim.name] for shim in self.old}


def upgrade(site: Site, words: Sequence[str], *, everybody: bool, dry_run: bool) -> RuntimeResult:
    """Go to other versions of shims.

    Args:
        site: The cluster.
        words: To which, as `--shim` has them; without any, all go to the newest that is known, or the file's.
        everybody: Whether workloads that are not ours move as well.
        dry_run: Only say what would be done.

    Raises:
        UsageError: There is no older version, or nodes and shims don't fit.
        ServiceError: The new version does not work on a node; everything is as it was, the message says where and why.
        WorkloadFailed: A workload does not run on it; likewise.
    """
    run, client = site.run, site.run.connect()
    present = look_at_installer(client, run.spec.name)
    wanted = _wanted(site, words, present)
    change = change_of(site, wanted.asked, InstallOptions(), present)
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
        records = _run(site, beside)
        proofs = _prove(site, wanted.asked.shims)
        return (*records, *_run(site, move)), proofs
    except Interrupted:
        raise
    except AksWasmError:
        _back(site, new)
        raise


def _wanted(site: Site, words: Sequence[str], present: Present) -> Upgrade:
    """Return what is asked for; own builds only change when they are named, since nobody knows a newer one."""
    listed = site.run.spec.shims
    published = {shim.handler for shim in every_version()} | {shim.handler for shim in select(listed)}
    movable = tuple(shim for shim in present.shims if words or shim.handler in published)
    asked = asked_shims(words or sorted({shim.name for shim in movable}), listed) if words or movable else Asked()
    names = [shim.name for shim in asked.shims]
    there = {shim.name for shim in present.shims}
    missing = [name for name in names if name not in there]
    if missing:
        raise UsageError(
            f"there is nothing to upgrade: {', '.join(f'`{name}`' for name in missing)} is not installed",
            code="NotInstalled",
            hint=f"`aks-wasm runtime install --shim {missing[0]}` puts it there",
        )
    if len(set(names)) < len(names):
        raise UsageError("an upgrade goes to one version of each shim", hint="give each `--shim` once")
    if not names:
        raise UsageError(
            "there is nothing to upgrade: no published shim is installed",
            code="NotInstalled",
            hint="`--shim NAME=PATH` names another build of your own",
        )
    handlers = {shim.handler for shim in asked.shims}
    return Upgrade(asked, tuple(s for s in movable if s.name in names and s.handler not in handlers))


def _prove(site: Site, shims: tuple[Shim, ...]) -> tuple[Proof, ...]:
    """Prove the new versions on every node before anything moves.

    Raises:
        ServiceError: A probe failed; the message names the node and why.
    """
    proofs = prove(site.run, installer_trials(site, shims, site.nodes()))
    failed = [proof for proof in proofs if proof.result != "ok"]
    if failed:
        first = failed[0]
        more = f" ({len(failed)} of {len(proofs)} proofs failed)" if len(failed) > 1 else ""
        raise ServiceError(
            f"`{first.shim}` {first.version} does not work on node `{first.node}`: {first.reason}{more}",
            code=first.code or "ProofFailed",
            hint="everything is as it was before; `aks-wasm doctor` looks into the node",
        )
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
    records = _run(site, _off(site, present, gone))
    for shim in old:
        theirs = ", ".join(str(user) for user in users if user.runtime_class == shim.runtime_class)
        if theirs:
            site.run.emit(Warned(f"`{shim.name}` {shim.version} stays on the nodes, since it is used: {theirs}"))
    return _Off(records, gone, users)


def _users_left(site: Site, old: tuple[Shim, ...]) -> tuple[User, ...]:
    """Return who asks for the old versions, once the pods of workloads that have moved are gone, or have had time."""
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
        present = look_at_installer(site.run.connect(), site.run.spec.name)
        _run(site, removal_steps(site, present, new, everything=False))
    except AksWasmError as error:
        site.run.emit(Warned(f"the new version could not be taken off again: {error.message}"))


def _run(site: Site, steps: list[Step]) -> tuple[StepRecord, ...]:
    if not steps:
        return ()
    plan = Plan(tuple(steps))
    outcome = run_plan(plan, site.run.step_context())
    if outcome.error is not None:
        raise outcome.error
    return step_records(plan, outcome)


def _answer(
    site: Site, shims: tuple[Shim, ...], proofs: tuple[Proof, ...], records: tuple[StepRecord, ...]
) -> RuntimeResult:
    return RuntimeResult(
        "RuntimeUpgrade", ok=True, cluster=site.run.spec.name, proofs=proofs, shims=described(shims), steps=records
    )


def _told(user: User) -> dict[str, str]:
    return {"kind": user.kind, "namespace": user.namespace, "name": user.name, "runtimeClass": user.runtime_class}
