"""Shims by runtime-class-manager, unless its work would be in vain here: its Shim resources, then our own proof."""

from __future__ import annotations

from collections.abc import Mapping

from aks_wasm.kube.conditions import is_going
from aks_wasm.kube.matching import matches
from aks_wasm.plan.plan import Plan
from aks_wasm.plan.runner import run_plan
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.runtime_class_manager import is_provisioned, shim_name, shim_resource
from aks_wasm.steps.shim_controller import refuse_in_vain, require_controller
from aks_wasm.steps.shim_resources import ApplyShimResources
from aks_wasm.steps.shims import look_at_installer
from aks_wasm.steps.step import Step
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.managed import refuse_daemon_set
from aks_wasm.workflows.results import StepRecord
from aks_wasm.workflows.runtimes.answers import Proof, RuntimeResult
from aks_wasm.workflows.runtimes.preflight import check_architectures, ready_nodes
from aks_wasm.workflows.runtimes.shown import described, planned
from aks_wasm.workflows.runtimes.site import Node, Site, name_of
from aks_wasm.workflows.runtimes.trials import Group, group_trials
from aks_wasm.workflows.runtimes.verify import probes_at_home, prove
from aks_wasm.workflows.up import step_records


def install_managed(site: Site, shims: tuple[Shim, ...], images: Mapping[str, str], *, dry_run: bool) -> RuntimeResult:
    """Have runtime-class-manager put shims on every node of a site.

    Args:
        site: The cluster.
        shims: What is wanted.
        images: What probes run, by shim, under "" for any; ours is pushed where none is given and a registry is known.
        dry_run: Only say what would be done.

    Raises:
        Refused: It is not there or not at work, cannot install one of these, would have no effect on some nodes, or the
            other installer has them.
    """
    nodes = fit_nodes(site, shims)
    refuse_daemon_set(look_at_installer(site.run.connect(), site.run.spec.name), shims)
    steps = put_steps(site, shims, nodes)
    if dry_run:
        return planned(site.run, "RuntimeInstallation", shims, steps)
    records = run_steps(site.run, steps)
    proofs = prove_managed(site, shims, nodes, images) if steps else ()
    ok = all(proof.result == "ok" for proof in proofs)
    return RuntimeResult("RuntimeInstallation", ok, site.run.spec.name, proofs, described(shims), records)


def fit_nodes(site: Site, shims: tuple[Shim, ...]) -> list[Node]:
    """Return the nodes of a site, all of them fit for what runtime-class-manager does.

    Raises:
        Refused: It is not there or not at work, cannot install one of these, or would have no effect on some nodes.
        UsageError: A node has an architecture that a shim is not built for.
    """
    require_controller(site.run.connect())
    nodes = ready_nodes(site)
    check_architectures(nodes, shims)
    refuse_in_vain(shims, tuple(nodes))
    return nodes


def put_steps(site: Site, shims: tuple[Shim, ...], nodes: list[Node], *, everybody: bool = False) -> list[Step]:
    """Return what brings the Shims to these; nothing when each is so and every node is provisioned.

    Args:
        site: The cluster.
        shims: What is wanted.
        nodes: Where.
        everybody: Whether workloads of others are moved afterwards, when a version goes.
    """
    client, owner = site.run.connect(), site.run.spec.name
    marking = site.marking(())
    names = {name_of(node) for node in nodes}

    def is_done(shim: Shim) -> bool:
        live = client.get("Shim", shim_name(shim))
        wanted = shim_resource(shim, owner=owner)
        marked = all(is_provisioned(node, shim_name(shim)) for node in nodes)
        return live is not None and not is_going(live) and matches(live, wanted) and marked

    if not marking and all(map(is_done, shims)):
        return []
    before = tuple(step.name for step in marking)

    def there() -> tuple[Node, ...]:
        return tuple(node for node in client.list("Node") if name_of(node) in names)

    return [*marking, ApplyShimResources(shims, there, everybody, depends_on=before)]


def prove_managed(
    site: Site, shims: tuple[Shim, ...], nodes: list[Node], images: Mapping[str, str]
) -> tuple[Proof, ...]:
    """Prove what runtime-class-manager says that it has done; what no image is known for is told."""
    groups = [Group(shim, shim.runtime_class, shim_name(shim), tuple(nodes)) for shim in shims]
    trials = group_trials(site.run, groups, images)
    if not trials:
        return ()
    with probes_at_home(site.run.connect(), site.run):
        return prove(site.run, trials)


def run_steps(run: Run, steps: list[Step]) -> tuple[StepRecord, ...]:
    """Run steps and return how they went.

    Raises:
        AksWasmError: Of the step that failed first.
    """
    if not steps:
        return ()
    plan = Plan(tuple(steps))
    outcome = run_plan(plan, run.step_context())
    if outcome.error is not None:
        raise outcome.error
    return step_records(plan, outcome)
