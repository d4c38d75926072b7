"""From what is wanted and what was seen to a plan; pure, so that what `plan` shows is what `up` does.

Answers demands 1, 4 and 22 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aks_wasm.kube.conditions import is_going, is_ready
from aks_wasm.kube.matching import matches
from aks_wasm.plan.live import LiveObjects
from aks_wasm.plan.plan import Plan
from aks_wasm.plan.pools import PoolPlan, marked_pools, plan_pools
from aks_wasm.providers.base import (
    ClusterRequest,
    NodePoolRequest,
    Observed,
    Prerequisite,
    ProviderInfo,
)
from aks_wasm.shims.installer import probe_image_key
from aks_wasm.shims.labels import NAME
from aks_wasm.spec.models import SYSTEM_POOL, ClusterSpec, Workload
from aks_wasm.steps.cluster import PutCluster
from aks_wasm.steps.image import DeliverImage
from aks_wasm.steps.node_pool import PutNodePool
from aks_wasm.steps.prerequisite import CreateGroup, RegisterFeature, RegisterProvider
from aks_wasm.steps.proof import ProveNodes
from aks_wasm.steps.retire import RetireRuntimes, refuse_leaving
from aks_wasm.steps.runtime import ApplyRuntimes, is_asked, unmarked, unproved
from aks_wasm.steps.step import Step
from aks_wasm.steps.wanted import Manifest, Routes, Wanted
from aks_wasm.steps.workload import WORKLOAD_KINDS, ApplyWorkload, DeleteWorkload

DELIVERY = {"registry": "push", "load": "load", "none": "push"}


@dataclass(frozen=True)
class Seen:
    """One look at both sides."""

    observed: Observed
    live: LiveObjects
    info: ProviderInfo


def plan_up(wanted: Wanted, seen: Seen, tags: Mapping[str, str]) -> Plan:
    """Return the steps that bring what was seen to what is wanted; none when it is so already."""
    pools = plan_pools(wanted, seen.observed, seen.info)
    folded = _folded(pools, seen)
    service: list[Step] = [
        *_prerequisites(wanted.spec, pools, seen),
        *_cluster(wanted.spec, folded, seen, tags),
        *_node_pools(pools, folded, wanted.spec),
    ]
    inside = _Inside(wanted, seen, pools, made=tuple(step.name for step in service))
    return Plan((*service, *inside.steps()))


def _prerequisites(spec: ClusterSpec, pools: list[PoolPlan], seen: Seen) -> list[Step]:
    missing, steps = seen.observed.missing, list[Step]()
    if Prerequisite.PROVIDER in missing:
        steps.append(RegisterProvider())
    asked = [plan for plan in pools if plan.preview or (plan.route == "wasi-preview" and not plan.exists)]
    if asked and Prerequisite.FEATURE in missing:
        steps.append(RegisterFeature(required=any(plan.route == "wasi-preview" for plan in asked)))
    if Prerequisite.GROUP in missing and seen.info.has_resource_groups:
        steps.append(CreateGroup(spec.resource_group, spec.azure.location))
    return steps


def _folded(pools: list[PoolPlan], seen: Seen) -> tuple[NodePoolRequest, ...]:
    """Return the pools that become part of the cluster's own creation: those whose route is not open."""
    cluster, info = seen.observed.cluster, seen.info
    # Where pools can't be added, one that is cut short is made anew with all of them.
    open_yet = cluster is None or (cluster.state != "Succeeded" and not info.adds_node_pools)
    if not info.folds_node_pools or not open_yet:
        return ()
    new = [plan for plan in pools if cluster is None or not plan.exists]
    return tuple(plan.request for plan in new if plan.request and plan.route == "shim" and not plan.preview)


def _cluster(spec: ClusterSpec, folded: tuple[NodePoolRequest, ...], seen: Seen, tags: Mapping[str, str]) -> list[Step]:
    cluster = seen.observed.cluster
    if cluster is not None and cluster.state == "Succeeded":
        return []
    options = spec.cluster
    system = NodePoolRequest(
        name=SYSTEM_POOL,
        arch=None if options.system_pool.vm_size else options.system_pool.arch,
        vm_size=options.system_pool.vm_size,
        route="shim",
        count=options.system_pool.count,
        mode="System",
    )
    version = options.kubernetes_version
    if not seen.info.has_resource_groups:
        version = spec.local.kubernetes_version or version
    request = ClusterRequest(
        name=spec.name,
        location=spec.azure.location if seen.info.has_resource_groups else "",
        kubernetes_version=version,
        tier=options.tier,
        pools=(system, *folded),
        tags=tags,
    )
    before = (f"group/{spec.resource_group}", "provider/Microsoft.ContainerService")
    return [PutCluster(request, state=cluster.state if cluster else None, depends_on=before)]


def _node_pools(pools: list[PoolPlan], folded: tuple[NodePoolRequest, ...], spec: ClusterSpec) -> list[Step]:
    in_cluster = {request.name for request in folded}
    return [
        PutNodePool(
            plan.request,
            preview=plan.preview,
            exists=plan.exists,
            depends_on=(f"cluster/{spec.name}", "feature/WasmNodePoolPreview"),
        )
        for plan in pools
        if plan.request is not None and plan.request.name not in in_cluster
    ]


@dataclass(frozen=True)
class _Inside:
    """The part of the plan that works through the cluster's own API. `made` names the steps before it."""

    wanted: Wanted
    seen: Seen
    pools: list[PoolPlan]
    made: tuple[str, ...]

    @property
    def known(self) -> Routes:
        """Routes that are not open."""
        return {plan.pool.name: plan.route for plan in self.pools if plan.route is not None}

    @property
    def is_open(self) -> bool:
        """Whether what the cluster should hold depends on what the service will answer."""
        return len(self.known) < len(self.pools) or not self.seen.live.reachable

    def steps(self) -> list[Step]:
        """Return the steps for runtimes, proofs, images and workloads."""
        runtimes = self._runtimes()
        workloads = self._workloads(runtimes)
        steps = [*runtimes, *self._images(runtimes, workloads), *workloads, *self._removed()]
        return [*steps, *self._retired(tuple(step.name for step in steps))]

    def _runtimes(self) -> list[Step]:
        steps: list[Step] = []
        if not self.wanted.shims:
            return steps
        manifests = [*self.wanted.runtime_manifests(self.known), *self.wanted.probe_manifests(self.known)]
        manifests += self.wanted.shim_resources(self.known)
        runtimes, nodes = self.wanted.runtimes(self.known), list(self.seen.live.nodes)
        managed = tuple(runtime for runtime in runtimes if runtime.managed)
        lacking = unmarked(managed, nodes) or any(self.seen.live.find(one.manifest) is None for one in managed)
        differing = [manifest for manifest in manifests if self.is_open or not self._is_so(manifest)]
        if differing or self.is_open or lacking or not self._is_noted():
            # Where nothing is so yet there is nothing to tell apart.
            named = () if len(differing) == len(manifests) else tuple(map(_told, differing))
            steps.append(ApplyRuntimes(self.wanted, self.known, depends_on=self.made, differing=named))
        if steps or self.made or unproved(runtimes, nodes) or unmarked(runtimes, nodes):
            keys = sorted({f"image/{key}" for key in self.wanted.images})
            steps.append(ProveNodes(self.wanted, self.known, depends_on=(*self.made, "runtimes", *keys)))
        return steps

    def _is_noted(self) -> bool:
        """Return whether each runtime of the file is noted as such, so that it goes when the file drops it."""
        names = [runtime.probe_class for runtime in self.wanted.runtimes(self.known) if runtime.ours]
        classes = [self.seen.live.objects.get(("RuntimeClass", None, name)) for name in names]
        return all(live is not None and is_asked(live) for live in classes)

    def _workloads(self, runtimes: list[Step]) -> list[Step]:
        before = (*self.made, *(step.name for step in runtimes if isinstance(step, ApplyRuntimes)))
        return [
            ApplyWorkload(self.wanted, workload, self.known, depends_on=(*before, f"image/{workload.name}"))
            for workload in self.wanted.spec.workloads
            if self.is_open or not self._is_deployed(workload)
        ]

    def _is_deployed(self, workload: Workload) -> bool:
        return all(self._is_so(manifest) for manifest in self.wanted.workload_manifests(workload, self.known))

    def _is_so(self, manifest: Manifest) -> bool:
        if manifest["kind"] == "Namespace" and self.wanted.installer:
            return True  # without it nothing inside would be there, and all of that is looked at
        live = self.seen.live.find(manifest)
        return live is not None and not is_going(live) and matches(live, manifest) and is_ready(live)

    def _images(self, runtimes: list[Step], workloads: list[Step]) -> list[Step]:
        needed = {step.workload.name for step in workloads if isinstance(step, ApplyWorkload)}
        if any(isinstance(step, ProveNodes) for step in runtimes):
            needed |= self._probes()
        verb = DELIVERY[self.seen.info.images]
        before = self.made if self.seen.info.images == "load" else ()
        return [
            DeliverImage(key, image, verb, depends_on=before)
            for key, image in self.wanted.images.items()
            if key in needed
        ]

    def _probes(self) -> set[str]:
        """Keys of the images that probes may need from here: none of those that our installer brings."""
        if self.wanted.installer and len(self.known) == len(self.pools):
            return {probe_image_key(r.shim) for r in self.wanted.runtimes(self.known) if not r.ours}
        return self.wanted.images.keys() - {workload.name for workload in self.wanted.spec.workloads}

    def _retired(self, before: tuple[str, ...]) -> list[Step]:
        """Take shims off that left the file, and old versions of others unless somebody else uses them.

        Raises:
            Refused: Something that is not of the file asks for a shim that left it.
        """
        refuse_leaving(self.wanted)
        going = self.wanted.leaving | (self.wanted.outdated - self.wanted.used_by_others)
        if not going:
            return []
        marked = marked_pools(self.seen.observed.cluster, self.pools, going)
        handlers, after = tuple(sorted(going)), (*self.made, *before)
        return [RetireRuntimes(self.wanted, self.known, handlers, marked, depends_on=after)]

    def _removed(self) -> list[Step]:
        """Delete workloads that carry our mark and are no longer in the file."""
        named = {workload.name for workload in self.wanted.spec.workloads}
        found = {
            str(live["metadata"].get("labels", {}).get(NAME))
            for kind in WORKLOAD_KINDS
            for live in self.seen.live.of_kind(kind)
            if live["metadata"].get("namespace") == "default"
        }
        owner = self.wanted.spec.name
        return [DeleteWorkload(owner, name, "no longer in the file") for name in sorted(found - named)]


def _told(manifest: Manifest) -> str:
    return f"{manifest['kind']} `{manifest['metadata']['name']}`"
