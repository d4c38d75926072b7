"""`runtime remove`: the nodes' files as they were before, then our objects, then our marks; nothing that is in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aks_wasm.errors import UsageError
from aks_wasm.events import Warned
from aks_wasm.kube.runtime_users import User, users_of
from aks_wasm.kube.workloads import owned_by
from aks_wasm.plan.plan import Plan
from aks_wasm.plan.runner import run_plan
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.installed import Change, Present
from aks_wasm.shims.labels import SYSTEM_NAMESPACE
from aks_wasm.shims.runtime_class import probe_class_name
from aks_wasm.shims.runtime_class_manager import shim_of
from aks_wasm.steps.shim_controller import our_shims
from aks_wasm.steps.shim_removal import RemoveShimResources
from aks_wasm.steps.shims import ChangeShims, look_at_installer
from aks_wasm.steps.step import Step
from aks_wasm.steps.withdraw import RemoveInstaller, WithdrawClasses, refuse_used
from aks_wasm.workflows.results import StepRecord
from aks_wasm.workflows.runtimes.answers import RuntimeResult
from aks_wasm.workflows.runtimes.images import probe_images
from aks_wasm.workflows.runtimes.shown import described, named, planned
from aks_wasm.workflows.runtimes.site import Site, is_marked, name_of
from aks_wasm.workflows.up import step_records


def remove(site: Site, words: Sequence[str], *, everything: bool, dry_run: bool) -> RuntimeResult:
    """Take shims off the nodes. What is not there is fine.

    Args:
        site: The cluster.
        words: Which, as `NAME` or `NAME@VERSION`.
        everything: All of them, and the installer with all it made.
        dry_run: Only say what would be done.

    Raises:
        UsageError: Neither or both was asked for, or there is no such shim.
        Refused: Pods use one of them, or the installer is not ours; nothing was changed.
    """
    if everything == bool(words):
        raise UsageError("which runtimes are to go?", code="UsageError", hint="give either `--shim NAME` or `--all`")
    client, owner = site.run.connect(), site.run.spec.name
    present = look_at_installer(client, owner)
    managed = tuple(map(shim_of, our_shims(client, owner)))
    every = replace(present, shims=(*present.shims, *managed))
    going = every.shims if everything else _named(every, words)
    users = users_of(client, [shim.runtime_class for shim in going])
    refuse_used(users)
    everything = everything or len(going) == len(every.shims)
    steps = removal_steps(site, present, going, everything=everything)
    if dry_run:
        answer = planned(site.run, "RuntimeRemoval", going, steps)
        return replace(answer, shims=(), facts={**answer.facts, "removed": described(going)})
    _warn_of_templates(site, users)
    plan = Plan(tuple(steps))
    outcome = run_plan(plan, site.run.step_context())
    if outcome.error is not None:
        raise outcome.error
    return _answer(site, going, step_records(plan, outcome))


def removal_steps(site: Site, present: Present, going: Sequence[Shim], *, everything: bool) -> list[Step]:
    """Return what takes shims off the nodes, in an order in which it may be cut off anywhere and done again."""
    client = site.run.connect()
    managed = {shim_of(live).handler: name_of(live) for live in our_shims(client, site.run.spec.name)}
    others = tuple(sorted({managed[shim.handler] for shim in going if shim.handler in managed}))
    going = [shim for shim in going if shim.handler not in managed]
    handlers = tuple(sorted({shim.handler for shim in going} | (set(_left_over(site)) if everything else set())))
    steps: list[Step] = [WithdrawClasses(handlers)] if handlers else []
    marked = tuple(name_of(node) for node in client.list("Node") if is_marked(node))
    if present.there and (everything or going):
        about = f"take {named(going, 'all shims')} off {len(marked)} nodes" + (
            ", whose files are then as they were before" if everything else ""
        )
        change = Change(drop=frozenset(handlers), probes=probe_images(site.run))
        steps.append(ChangeShims(change, site.taints(), lambda: marked, about, depends_on=("runtime-classes",)))
    if others or (everything and managed):
        steps.append(RemoveShimResources(None if everything else others, depends_on=("runtime-classes",)))
    if everything and (present.there or client.get("Namespace", SYSTEM_NAMESPACE) is not None):
        steps.append(RemoveInstaller(depends_on=("shims", "runtime-classes", "shim-resources")))
    before = tuple(step.name for step in steps)
    return [*steps, *site.unmarking(handlers, everything=everything, after=before)]


def _left_over(site: Site) -> list[str]:
    """Return the handlers of our RuntimeClasses, those that a list which is gone no longer names among them."""
    listed = site.run.connect().list("RuntimeClass", labels=owned_by(site.run.spec.name))
    return [
        str(live["handler"]) for live in listed if name_of(live) in (live["handler"], probe_class_name(live["handler"]))
    ]


def _named(present: Present, words: Sequence[str]) -> tuple[Shim, ...]:
    chosen: dict[str, Shim] = {}
    for word in words:
        name, _, version = word.partition("@")
        found = present.named(name, version)
        if not found:
            known = ", ".join(f"`{shim.name}@{shim.version}`" for shim in present.shims) or "none"
            raise UsageError(f"the shim `{word}` is not installed", code="NotInstalled", hint=f"installed: {known}")
        chosen |= {shim.handler: shim for shim in found}
    return tuple(chosen.values())


def _warn_of_templates(site: Site, users: Sequence[User]) -> None:
    """Say which workloads without pods will not start any more."""
    workloads = sorted({str(user) for user in users if user.kind not in ("Pod", "Job")})
    if workloads:
        site.run.emit(Warned(f"these ask for what is going, and will start no pod: {', '.join(workloads)}"))


def _answer(site: Site, going: Sequence[Shim], records: tuple[StepRecord, ...]) -> RuntimeResult:
    facts = {"removed": described(going)}
    return RuntimeResult("RuntimeRemoval", ok=True, cluster=site.run.spec.name, steps=records, facts=facts)
