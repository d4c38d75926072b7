"""What `up` makes sure of, before anything is written, where runtime-class-manager is to put shims on the nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aks_wasm.errors import Problem, Refused, SpecInvalid
from aks_wasm.events import Warned
from aks_wasm.plan.live import LiveObjects
from aks_wasm.providers.base import ChosenRoute, Observed
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.installed import Present
from aks_wasm.shims.runtime_class_manager import HELM, shim_of, shim_problems
from aks_wasm.steps.shim_controller import our_shims, refuse_in_vain, require_controller
from aks_wasm.steps.taints import POOL_LABEL
from aks_wasm.steps.wanted import Wanted
from aks_wasm.workflows.context import Run

KIND = "runtime-class-manager"
_OURS = "the installer `daemonset`"
_NEW_IMAGES = (1, 35)  # from this Kubernetes on AKS's `Ubuntu` is 24.04, whose containerd drops its block


def is_managed(run: Run) -> bool:
    """Return whether the file's shims are runtime-class-manager's to install; a provider may bring them itself."""
    return run.spec.installer.kind == KIND and not run.provider.info.brings_shims


def check_installers(run: Run, wanted: Wanted, observed: Observed, live: LiveObjects) -> None:
    """Refuse what would fail later, or would work in vain, for the sake of what puts shims on the nodes.

    Raises:
        SpecInvalid: runtime-class-manager can't install one of the shims, or nowhere the probes could be pulled from.
        Refused: It is not at work in this cluster, nodes' containerd would drop what it writes, or the other installer
            is there.
    """
    routes: set[ChosenRoute] = {"wasi-preview" if p.route == "wasi-preview" else "shim" for p in run.spec.node_pools}
    if not any(map(wanted.installs_on, routes)):
        return
    if not is_managed(run):
        missing = [shim for shim in wanted.shims if ("RuntimeClass", None, shim.runtime_class) not in live.objects]
        if wanted.installer and live.reachable and missing:
            refuse_managed(run, missing)
        return
    problems = shim_problems(wanted.shims)
    if run.provider.info.images == "none":
        what = "nodes pull its probes from a registry, and none is known"
        problems.append(Problem("installer.kind", what, "set `registry.login` in the file or AKS_WASM_REGISTRY"))
    if not live.reachable and not run.provider.info.keeps_on_failure:
        what = "`runtime-class-manager` must be there before it is asked, and an `up` that fails leaves nothing here"
        problems.append(Problem("installer.kind", what, "leave it out: the installer `daemonset` needs nothing"))
    if problems:
        raise SpecInvalid(None, problems)
    _refuse_new_images(run, observed)
    if not live.reachable:
        sentence = f"the cluster needs runtime-class-manager before its runtimes: once it is there, `{HELM}`"
        run.emit(Warned(f"{sentence}, then `aks-wasm up` again goes on"))
        return
    refuse_daemon_set(wanted.present, wanted.shims)
    require_controller(run.connect())
    names = {pool.name for pool in run.spec.node_pools}
    nodes = [node for node in live.nodes if (node["metadata"].get("labels") or {}).get(POOL_LABEL) in names]
    refuse_in_vain(wanted.shims, tuple(nodes))


def _refuse_new_images(run: Run, observed: Observed) -> None:
    """Refuse pools to come whose image is known to drop the block."""
    if not run.provider.info.has_resource_groups:
        return
    cluster = observed.cluster
    version = cluster.kubernetes_version if cluster else run.spec.cluster.kubernetes_version
    new = [pool.name for pool in run.spec.node_pools if cluster is None or cluster.pool(pool.name) is None]
    found = re.match(r"(\d+)\.(\d+)", version or "")
    if new and found and (int(found[1]), int(found[2])) >= _NEW_IMAGES:
        pools = ", ".join(f"`{name}`" for name in new)
        raise Refused(
            f"runtime-class-manager's work would have no effect on {pools}, although it would say that it is done: "
            f"AKS gives Kubernetes {version} nodes of Ubuntu 24.04, whose containerd drops its block",
            code="BlockDropped",
            hint="use `installer.kind: daemonset`, or make the pool by `az aks nodepool add --os-sku Ubuntu2204`; "
            "a new cluster may have `--set cluster.kubernetesVersion=1.34`",
        )


def refuse_daemon_set(present: Present, shims: Iterable[Shim]) -> None:
    """Refuse to have runtime-class-manager bring shims that our own installer has brought.

    Raises:
        Refused: Their RuntimeClasses have the very names.
    """
    _refuse_same(present.shims, shims, _OURS, KIND, "takes it off; or use the installer `daemonset`")


def refuse_managed(run: Run, shims: Iterable[Shim]) -> None:
    """Refuse to have our own installer bring shims that runtime-class-manager has brought.

    Raises:
        Refused: Their RuntimeClasses have the very names.
    """
    there = [shim_of(live) for live in our_shims(run.connect(), run.spec.name)]
    _refuse_same(there, shims, KIND, _OURS, f"takes it off first; or use the installer `{KIND}`")


def _refuse_same(there: Iterable[Shim], shims: Iterable[Shim], brought: str, asked: str, way_out: str) -> None:
    """Refuse shims of which one installer has brought some and another is asked for them."""
    wanted = {shim.runtime_class for shim in shims}
    both = [shim for shim in there if shim.runtime_class in wanted]
    if both:
        names = ", ".join(f"`{shim.name}` {shim.version}" for shim in both)
        raise Refused(
            f"{brought} has {names} on this cluster's nodes, and {asked} is asked for it",
            code="OtherInstaller",
            hint=f"`aks-wasm runtime remove --shim {both[0].name}` {way_out}",
        )
