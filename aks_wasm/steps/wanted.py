"""What the cluster's own API should hold for a spec, once it is known which route each pool got; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aks_wasm.errors import ServiceError
from aks_wasm.kube.runtime_users import User
from aks_wasm.kube.workloads import Placement, workload_manifests
from aks_wasm.providers.base import ChosenRoute
from aks_wasm.shims.catalogue import NO_SHIM, Shim, preview_shim
from aks_wasm.shims.installed import Change, Present
from aks_wasm.shims.installer import INSTALLER, Installation, ProbeImage, probe_image_key
from aks_wasm.shims.installer.objects import namespace
from aks_wasm.shims.labels import READY, pool_labels, ready_label
from aks_wasm.shims.runtime_class import (
    preview_runtime_class,
    probe_class_name,
    probe_runtime_class,
    shim_runtime_class,
    tolerations,
)
from aks_wasm.shims.runtime_class_manager import managed_runtime_class, shim_name, shim_resource
from aks_wasm.spec.models import ClusterSpec, NodePool, SecretValue, Workload
from aks_wasm.steps.taints import carried_taints
from aks_wasm.wasm.archive import ImageArchive

Manifest = dict[str, Any]
Routes = Mapping[str, ChosenRoute]
"""Route of each node pool of the spec, by the pool's name."""


@dataclass(frozen=True)
class Runtime:
    """A shim as pods can ask for it.

    Attributes:
        shim: The shim.
        runtime_class: The RuntimeClass's name.
        handler: containerd's name for it there.
        pools: The node pools whose nodes have it.
        manifest: The RuntimeClass.
        probe_class: The RuntimeClass that probes use: also on nodes that are not proved yet.
        ours: Whether our own label marks the nodes that are ready for it; the service marks those of preview pools.
        managed: Whether runtime-class-manager brings it, makes its RuntimeClass and marks its nodes.
    """

    shim: Shim
    runtime_class: str
    handler: str
    pools: tuple[str, ...]
    manifest: Manifest
    probe_class: str
    ours: bool
    managed: bool = False


@dataclass(frozen=True)
class Wanted:
    """The spec with everything it refers to at hand.

    Attributes:
        spec: The spec.
        shims: What its `shims` selects from the catalogue.
        images: Packaged workloads by their name, and by `probe_image_key` the probes that the installer does not bring.
        probes: Images of the probes that the installer brings.
        secrets: Values taken from the caller's environment, by variable.
        beyond_preview: Workloads that the shims of preview pools can't run; our installer then adds newer ones there.
        installer: Whether shims get onto the nodes by our installer; else the provider or runtime-class-manager brings
            them.
        managed: Whether runtime-class-manager does.
        present: The installer as the cluster has it: shims that somebody added to those of the file stay.
        outdated: Handlers of other versions of the file's shims that the cluster has.
        unused: Those of them that nothing asks for.
        used_by_others: Those that something asks for that is not of the file.
        leaving: Handlers of shims that an earlier file asked for and this one does not.
        leaving_users: What asks for those and is not of the file.
        carried: Taints of the live pools and their nodes; those that the file no longer names stay on a pool.
    """

    spec: ClusterSpec
    shims: tuple[Shim, ...]
    images: Mapping[str, ImageArchive] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    beyond_preview: frozenset[str] = frozenset()
    installer: bool = True
    managed: bool = False
    probes: Mapping[str, ProbeImage] = field(default_factory=dict)
    present: Present = field(default_factory=Present)
    outdated: frozenset[str] = frozenset()
    unused: frozenset[str] = frozenset()
    used_by_others: frozenset[str] = frozenset()
    leaving: frozenset[str] = frozenset()
    leaving_users: tuple[User, ...] = ()
    carried: frozenset[str] = frozenset()

    @property
    def taints(self) -> tuple[str, ...]:
        """What pods of our runtimes tolerate, as `key=value:Effect`: what the file says and what is there.

        Of all pools alike: RuntimeClasses and the installer choose nodes by labels, so that tolerating more sends
        nothing anywhere else.
        """
        return tuple(sorted(self.carried.union(*(pool.taints for pool in self.spec.node_pools))))

    def seeing(self, nodes: Iterable[Mapping[str, Any]]) -> Wanted:
        """Return the same where nodes may carry more than they did when the plan was made."""
        return replace(self, carried=self.carried | carried_taints(self.spec, None, nodes))

    def installs_on(self, route: ChosenRoute) -> bool:
        """Return whether our installer puts shims on the nodes of pools of this route."""
        if not self.shims:
            return False
        return route == "shim" or bool(self.beyond_preview) or any(preview_shim(shim) is None for shim in self.shims)

    def labels(self, route: ChosenRoute, pool: NodePool) -> dict[str, str]:
        """Return the node labels that a pool of this route gets through the API."""
        installs = self.installs_on(route)
        ready = {ready_label(shim.handler): READY for shim in self.shims} if installs and pool.min == 0 else {}
        return pool_labels(route, installed=installs) | ready

    def runtimes(self, routes: Routes) -> tuple[Runtime, ...]:
        """Return the runtimes that pods can ask for; those that the service brings come first."""
        owner = self.spec.name
        service = tuple(name for name, route in routes.items() if route == "wasi-preview")
        ours = self._ours(routes)
        found = []
        for shim in self.shims if service else ():
            brought = preview_shim(shim)
            if brought is not None and brought.preview is not None:
                preview = brought.preview
                manifest = preview_runtime_class(preview, owner=owner, taints=self.taints)
                name = preview.runtime_class
                found.append(Runtime(brought, name, preview.handler, service, manifest, name, ours=False))
        for shim in self.shims if ours and self.managed else ():
            name, manifest = shim.runtime_class, managed_runtime_class(shim)
            found.append(Runtime(shim, name, shim_name(shim), ours, manifest, name, ours=False, managed=True))
        for shim in self.shims if ours and not self.managed else ():
            manifest = shim_runtime_class(shim, owner=owner, taints=self.taints)
            name = probe_class_name(shim.handler)
            found.append(Runtime(shim, shim.runtime_class, shim.handler, ours, manifest, name, ours=True))
        return tuple(found)

    def installs(self, routes: Routes) -> bool:
        """Return whether our installer works on one of the pools."""
        return self.installer and bool(self._ours(routes))

    def installation(self, routes: Routes) -> Installation | None:
        """Return what our installer is to bring about; None where none works."""
        return self.installed(routes, self.present) if self.installs(routes) else None

    def installed(self, routes: Routes, present: Present, *, without: frozenset[str] = frozenset()) -> Installation:
        """Return what is to become of the installer: shims of the file beside those that somebody added by hand.

        Args:
            routes: Route of each pool.
            present: The installer as it is.
            without: Handlers that are to go, beside those that nothing asks for.
        """
        settings = self.spec.installer
        change = Change(
            add=self.shims if self.installs(routes) else (),
            drop=self.unused | without,
            probes=self.probes,
            image=settings.image,
            turns=settings.max_unavailable,
            local_image_pull=self._local_image_pull(),
        )
        return change.installation(self.spec.name, present, self.taints)

    def kept(self, installation: Installation) -> Installation:
        """Return an installation without what is leaving: nobody is to ask for that any more."""
        return replace(installation, shims=tuple(s for s in installation.shims if s.handler not in self.leaving))

    def runtime_manifests(self, routes: Routes) -> list[Manifest]:
        """Return the installer where a pool needs one, and the RuntimeClasses; the namespace first."""
        installation = self.installation(routes)
        return [*(installation.manifests() if installation else ()), *self.class_manifests(routes, installation)]

    def class_manifests(self, routes: Routes, installation: Installation | None) -> list[Manifest]:
        """Return the RuntimeClasses of an installation, or of what the provider brings, and those of the service."""
        owner = self.spec.name
        service = [runtime.manifest for runtime in self.runtimes(routes) if not runtime.ours and not runtime.managed]
        if installation is not None:
            return [*self.kept(installation).runtime_classes(), *service]
        ours = [
            manifest
            for runtime in self.runtimes(routes)
            if runtime.ours
            for manifest in (runtime.manifest, probe_runtime_class(runtime.shim, owner=owner, taints=self.taints))
        ]
        return [namespace(owner), *ours, *service]  # probes live in the installer's namespace

    def shim_resources(self, routes: Routes) -> list[Manifest]:
        """Return the Shims of which runtime-class-manager makes runtimes; none where our installer works."""
        managed = [runtime.shim for runtime in self.runtimes(routes) if runtime.managed]
        return [shim_resource(shim, owner=self.spec.name) for shim in managed]

    def probe_manifests(self, routes: Routes) -> list[Manifest]:
        """Return the DaemonSets of the probes that stay; to be applied after the installer is done."""
        installation = self.installation(routes)
        return self.kept(installation).probe_daemon_sets() if installation is not None else []

    def probe_image(self, runtime: Runtime) -> tuple[str, str | None]:
        """Return the image that proves a runtime once, and its imagePullPolicy where the installer brings it."""
        key = probe_image_key(runtime.shim)
        if runtime.ours and self.installer:
            return self.probes[key].name, "Never"
        return self.images[key].name, None

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
        shim, tolerated = chosen.shim, self.tolerations(chosen)
        return Placement(chosen.runtime_class, shim.command, shim.http_port, {}, tolerated)

    def tolerations(self, runtime: Runtime) -> tuple[Mapping[str, str], ...]:
        """Return what pods must tolerate themselves: runtime-class-manager's RuntimeClass tolerates nothing."""
        return tuple(tolerations(self.taints)) if runtime.managed else ()

    def _local_image_pull(self) -> bool | None:
        """Return what the file says; else that images which were not packaged here may be for wasi/wasm."""
        said = self.spec.installer.local_image_pull
        named = any(workload.image and workload.shim != NO_SHIM for workload in self.spec.workloads)
        return said if said is not None else (True if named else None)

    def _ours(self, routes: Routes) -> tuple[str, ...]:
        return tuple(name for name, route in routes.items() if self.installs_on(route))


def is_installer(manifest: Mapping[str, Any]) -> bool:
    """Return whether this is the DaemonSet that puts shims on nodes."""
    return (manifest["kind"], manifest["metadata"]["name"]) == ("DaemonSet", INSTALLER)
