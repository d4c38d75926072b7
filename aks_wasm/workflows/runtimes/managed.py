"""`runtime install --installer runtime-class-manager`: its Shim resources, unless its work would be in vain here."""

from __future__ import annotations

from aks_wasm.errors import ServiceError
from aks_wasm.events import Warned
from aks_wasm.kube.matching import matches
from aks_wasm.plan.plan import Plan
from aks_wasm.plan.runner import run_plan
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.runtime_class_manager import is_provisioned, shim_name, shim_resource
from aks_wasm.steps.shim_controller import refuse_in_vain, require_controller
from aks_wasm.steps.shim_resources import ApplyShimResources
from aks_wasm.steps.step import Step
from aks_wasm.steps.trial import Trial
from aks_wasm.workflows.results import StepRecord
from aks_wasm.workflows.runtimes.answers import RuntimeResult
from aks_wasm.workflows.runtimes.preflight import check_architectures, ready_nodes
from aks_wasm.workflows.runtimes.shown import described, planned
from aks_wasm.workflows.runtimes.site import Node, Site, name_of
from aks_wasm.workflows.runtimes.verify import delivered, prove
from aks_wasm.workflows.up import step_records


def install_managed(site: Site, shims: tuple[Shim, ...], *, dry_run: bool) -> RuntimeResult:
    """Have runtime-class-manager put shims on every node of a site.

    Raises:
        Refused: It is not there or not at work, cannot install one of these, or would have no effect on some nodes.
    """
    run, client = site.run, site.run.connect()
    require_controller(client)
    nodes = ready_nodes(site)
    check_architectures(nodes, shims)
    refuse_in_vain(shims, tuple(nodes))
    steps = _steps(site, shims, nodes)
    if dry_run:
        return planned(run, "RuntimeInstallation", shims, steps)
    records: tuple[StepRecord, ...] = ()
    if steps:
        plan = Plan(tuple(steps))
        outcome = run_plan(plan, run.step_context())
        if outcome.error is not None:
            raise outcome.error
        records = step_records(plan, outcome)
    proofs = prove(run, _trials(site, shims, nodes)) if steps else ()
    ok = all(proof.result == "ok" for proof in proofs)
    return RuntimeResult("RuntimeInstallation", ok, run.spec.name, proofs, described(shims), records)


def _steps(site: Site, shims: tuple[Shim, ...], nodes: list[Node]) -> list[Step]:
    client, owner = site.run.connect(), site.run.spec.name
    marking = site.marking(())
    names = {name_of(node) for node in nodes}

    def is_done(shim: Shim) -> bool:
        live = client.get("Shim", shim_name(shim))
        wanted = shim_resource(shim, owner=owner)
        marked = all(is_provisioned(node, shim_name(shim)) for node in nodes)
        return live is not None and matches(live, wanted) and marked

    if not marking and all(map(is_done, shims)):
        return []
    before = tuple(step.name for step in marking)

    def there() -> tuple[Node, ...]:
        return tuple(node for node in client.list("Node") if name_of(node) in names)

    return [*marking, ApplyShimResources(shims, there, depends_on=before)]


def _trials(site: Site, shims: tuple[Shim, ...], nodes: list[Node]) -> list[Trial]:
    """Return what can be tried: it brings no image to the nodes, so there must be somewhere to pull one from."""
    trials = []
    for shim in shims:
        try:
            image, why = delivered(site.run, shim), "no registry is known that nodes pull the probe from"
        except ServiceError as error:
            image, why = None, error.message
        if image is None:
            site.run.emit(Warned(f"`{shim.name}` is provisioned and not proved: {why}"))
            continue
        trials += [Trial(node, shim, shim.runtime_class, image, shim_name(shim), pulls=True) for node in nodes]
    return trials
