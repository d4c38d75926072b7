"""What the cluster's own API should hold for a spec, once it is known which route each pool got; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aks_wasm.errors import ServiceError
from aks_wasm.kube.workloads import Placement, workload_manifests
from aks_wasm.providers.base import ChosenRoute
from aks_wasm.shims.catalogue import NO_SHIM, Shim, preview_shim
from aks_wasm.shims.installer import INSTALLER, Installation
from aks_wasm.shims.labels import pool_labels
from aks_wasm.shims.runtime_class import preview_runtime_class, shim_runtime_class
from aks_wasm.spec.models import ClusterSpec, SecretValue, Workload
from aks_wasm.wasm.archive import ImageArchive

Manifest = dict[str, Any]
Routes = Mapping[str, ChosenRoute]
"""Route of each node pool of the spec, by the pool's name."""


def probe_image_key(shim: Shim) -> str:
    """Return the key of the image that probes a shim: a Spin application for Spin, a bare module for the others."""
    kind = "spin" if shim.command else "module"
    if shim.runs is not None and shim.runs.spin_manifest == (1,):
        kind = "spin-1"  # Spin 1 does not read manifests of version 2
    return f"probe-{kind}-{shim.probe}"


@dataclass(frozen=True)
class Runtime:
    """A shim as pods can ask for it. `pools` names the node pools whose nodes have it."""

    shim: Shim
    runtime_class: str
    handler: str
    pools: tuple[str, ...]
    manifest: Manifest


@dataclass(frozen=True)
class Wanted:
    """The spec with everything it refers to at hand.

    Attributes:
        spec: The spec.
        shims: What its `shims` selects from the catalogue.
        images: Packaged workloads by their name, and probes by `probe_image_key`.
        secrets: Values taken from the caller's environment, by variable.
        beyond_preview: Workloads that the shims of preview pools can't run; our installer then adds newer ones there.
        installer: Whether shims get onto the nodes by our installer; else the provider brings them.
    """

    spec: ClusterSpec
    shims: tuple[Shim, ...]
    images: Mapping[str, ImageArchive] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    beyond_preview: frozenset[str] = frozenset()
    installer: bool = True

    def installs_on(self, route: ChosenRoute) -> bool:
        """Return whether our installer puts shims on the nodes of pools of this route."""
        if not self.shims:
            return False
        return route == "shim" or bool(self.beyond_preview) or any(preview_shim(shim) is None for shim in self.shims)

    def labels(self, route: ChosenRoute) -> dict[str, str]:
        """Return the node labels that a pool of this route gets through the API."""
        return pool_labels(route, installed=self.installs_on(route))

    def runtimes(self, routes: Routes) -> tuple[Runtime, ...]:
        """Return the runtimes that pods can ask for; those that the service brings come first."""
        owner = self.spec.name
        service = tuple(name for name, route in routes.items() if route == "wasi-preview")
        ours = tuple(name for name, route in routes.items() if self.installs_on(route))
        found = []
        for shim in self.shims if service else ():
            brought = preview_shim(shim)
            if brought is not None and brought.preview is not None:
                preview = brought.preview
                manifest = preview_runtime_class(preview, owner=owner, taints=self._taints(service))
                found.append(Runtime(brought, preview.runtime_class, preview.handler, service, manifest))
        for shim in self.shims if ours else ():
            manifest = shim_runtime_class(shim, owner=owner, taints=self._taints(ours))
            found.append(Runtime(shim, shim.runtime_class, shim.handler, ours, manifest))
        return tuple(found)

    def runtime_manifests(self, routes: Routes) -> list[Manifest]:
        """Return the RuntimeClasses, and the installer where a pool needs it; the namespace first."""
        ours = tuple(name for name, route in routes.items() if self.installs_on(route))
        installer = Installation(self.spec.name, self.shims, tuple(self._taints(ours))).manifests()
        if not ours or not self.installer:  # probes live in the installer's namespace
            installer = [manifest for manifest in installer if manifest["kind"] == "Namespace"]
        return [*installer, *(runtime.manifest for runtime in self.runtimes(routes))]

    def workload_manifests(self, workload: Workload, routes: Routes) -> list[Manifest]:
        """Return the objects of one workload.

        Raises:
            ServiceError: No pool of the cluster has a runtime for its shim.
        """
        archive = self.images.get(workload.name)
        return workload_manifests(
            workload,
            owner=self.spec.name,
            placement=self._placement(workload, routes),
            image=archive.name if archive else workload.image or "",
            secrets={
                name: self.secrets[value.from_environment]
                for name, value in workload.env.items()
                if isinstance(value, SecretValue)
            },
        )

    def _placement(self, workload: Workload, routes: Routes) -> Placement:
        if workload.shim == NO_SHIM:
            return Placement()
        name = workload.shim.partition("@")[0]
        able = [
            runtime
            for runtime in self.runtimes(routes)
            if runtime.shim.name == name
            and not (workload.name in self.beyond_preview and runtime.runtime_class != runtime.shim.runtime_class)
        ]
        if not able:
            raise ServiceError(
                f"no node pool has a runtime for the shim `{workload.shim}` of workload `{workload.name}`",
                code="NoRuntime",
                hint="use `route: shim` for a node pool",
            )
        # Where only some pools have what the service brings, ours reaches more nodes.
        chosen = max(able, key=lambda runtime: len(runtime.pools))
        return Placement(chosen.runtime_class, chosen.shim.command, chosen.shim.http_port, {})

    def _taints(self, pools: tuple[str, ...]) -> list[str]:
        return sorted({taint for pool in self.spec.node_pools if pool.name in pools for taint in pool.taints})


def is_installer(manifest: Mapping[str, Any]) -> bool:
    """Return whether this is the DaemonSet that puts shims on nodes."""
    return (manifest["kind"], manifest["metadata"]["name"]) == ("DaemonSet", INSTALLER)
