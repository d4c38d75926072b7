"""From a spec to what is wanted: shims chosen, modules packaged, secrets read, everything checked; changes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from aks_wasm.errors import NoRight, Problem, QuotaMissing, RightsMissing, Shortage, SpecInvalid
from aks_wasm.events import Warned
from aks_wasm.kube.runtime_users import asks, users_of
from aks_wasm.plan.live import LiveObjects
from aks_wasm.plan.outdated import leaving_handlers, outdated_handlers
from aks_wasm.plan.planner import Seen
from aks_wasm.providers.base import ChosenRoute, Observed
from aks_wasm.shims.catalogue import problems as shim_problems
from aks_wasm.shims.catalogue import select
from aks_wasm.shims.installed import Present
from aks_wasm.shims.installer import INSTALLER
from aks_wasm.shims.labels import SYSTEM_NAMESPACE
from aks_wasm.spec.models import ClusterSpec, SecretValue
from aks_wasm.steps.taints import carried_taints
from aks_wasm.steps.wanted import Wanted
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.images import package_images
from aks_wasm.workflows.managed import check_installers, is_managed
from aks_wasm.workflows.modules import look_into_modules
from aks_wasm.workflows.observe import look_inside, refuse_foreign


def prepare(run: Run, environment: Mapping[str, str] | None = None, *, writes: bool = True) -> tuple[Wanted, Seen]:
    """Check all that can be checked before anything is written, and look at what is there.

    Args:
        run: What is wanted and where.
        environment: Where secrets are; default is the process' own.
        writes: Whether the plan will be carried out; whoever only looks is warned of rights that are missing.

    Raises:
        RightsMissing: The signed-in identity may not do it.
        SpecInvalid: Something in the file can't work here; every problem at once.
        QuotaMissing: It could, but for quota or capacity.
        Refused: The cluster or the group is not ours.
    """
    wanted = _want(run, os.environ if environment is None else environment)
    observed = run.provider.observe(run.spec)
    refuse_foreign(observed, run.spec.name)
    live = look_inside(run, observed)
    wanted = _with_installer(run, wanted, live)
    wanted = replace(wanted, carried=carried_taints(run.spec, observed.cluster, live.nodes))
    check_installers(run, wanted, observed, live)
    problems = [*_provider_problems(run, observed), *run.provider.check(run.spec, observed)]
    _refuse([problem for problem in problems if not isinstance(problem, NoRight)])
    lacking = [problem for problem in problems if isinstance(problem, NoRight)]
    if lacking and writes:
        raise RightsMissing(lacking)
    for problem in lacking:
        run.emit(Warned(f"the signed-in identity can't do this: {problem.message}"))
    return wanted, Seen(observed, live, run.provider.info)


def _want(run: Run, environment: Mapping[str, str]) -> Wanted:
    spec = run.spec
    secrets, problems = _secrets(spec, environment)
    _refuse([*problems, *shim_problems(spec.shims, install=False)])
    managed = is_managed(run)
    installer = not run.provider.info.brings_shims and not managed
    seen = Wanted(spec, select(spec.shims), secrets=secrets, installer=installer, managed=managed)
    wanted = look_into_modules(seen)
    routes: set[ChosenRoute] = {"wasi-preview" if pool.route == "wasi-preview" else "shim" for pool in spec.node_pools}
    if any(wanted.installs_on(route) for route in routes):
        _refuse(shim_problems(spec.shims))
    return replace(wanted, images=package_images(run, wanted))


def _with_installer(run: Run, wanted: Wanted, live: LiveObjects) -> Wanted:
    """Add what the cluster's own side decides: which shims are there already, which of them nothing asks for."""
    from aks_wasm.workflows.runtimes.images import probe_images

    objects = live.objects
    present = Present.of(
        objects.get(("ConfigMap", SYSTEM_NAMESPACE, INSTALLER)), objects.get(("DaemonSet", SYSTEM_NAMESPACE, INSTALLER))
    )
    # What runtime-class-manager has of other versions it replaces itself.
    outdated = frozenset[str]() if wanted.managed else outdated_handlers(wanted.shims, present, live)
    leaving = frozenset[str]() if wanted.managed else leaving_handlers(wanted.shims, live) - outdated
    users = users_of(run.connect(), outdated | leaving) if outdated or leaving else ()
    probes = probe_images(run) if wanted.installer else {}
    asking = [user for user in users if asks(user)]
    others = [user for user in asking if user.owner != run.spec.name]
    return replace(
        wanted,
        present=present,
        probes=probes,
        outdated=outdated,
        unused=outdated - {user.runtime_class for user in asking},
        used_by_others=frozenset(user.runtime_class for user in others if user.runtime_class in outdated),
        leaving=leaving,
        leaving_users=tuple(user for user in others if user.runtime_class in leaving),
    )


def _secrets(spec: ClusterSpec, environment: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    found, problems = {}, []
    for index, workload in enumerate(spec.workloads):
        for name, value in workload.env.items():
            if not isinstance(value, SecretValue):
                continue
            secret = environment.get(value.from_environment)
            if secret is None:
                place = f"workloads.{index}.env.{name}.fromEnvironment"
                problems.append(Problem(place, f"`{value.from_environment}` is not set", "export it and run again"))
            else:
                found[value.from_environment] = secret
    return found, problems


def _provider_problems(run: Run, observed: Observed) -> list[Problem]:
    """Find what this provider can't do, whatever its service says."""
    spec, info = run.spec, run.provider.info
    problems = []
    for index, pool in enumerate(spec.node_pools):
        if pool.route == "wasi-preview" and not info.has_preview_pools:
            problems.append(
                Problem(
                    f"nodePools.{index}.route", f"`wasi-preview` is Azure's, {info.name} has no such pools", "use auto"
                )
            )
        if pool.arch is not None and pool.arch not in info.supports_arch:
            able = " or ".join(info.supports_arch)
            problems.append(
                Problem(
                    f"nodePools.{index}.arch",
                    f"`{pool.arch}` nodes can't run here",
                    f"try `--set nodePools.{index}.arch={able}`",
                )
            )
    if info.images == "none":
        problems += [
            Problem(
                f"workloads.{index}",
                f"`{workload.name}` is packaged here and no registry is known to push it to",
                "set `registry.login` in the file or AKS_WASM_REGISTRY",
            )
            for index, workload in enumerate(spec.workloads)
            if workload.image is None
        ]
    cluster = observed.cluster
    if cluster is not None and not cluster.running and info.has_resource_groups:  # else `up` itself starts it
        start = f"az aks start --resource-group {spec.resource_group} --name {cluster.name}"
        problems.append(Problem("", f"the cluster `{cluster.name}` is stopped", f"start it: `{start}`"))
    return problems


def _refuse(problems: list[Problem]) -> None:
    if problems and all(isinstance(problem, Shortage) for problem in problems):
        raise QuotaMissing(problems)
    if problems:
        raise SpecInvalid(None, problems)
