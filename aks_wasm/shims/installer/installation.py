"""What is wanted on the nodes of one cluster, and the objects that bring it about, in the order to apply them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.installer.access import access
from aks_wasm.shims.installer.content import (
    CONTENT_ANNOTATION,
    LIST,
    SCRIPT,
    SETTINGS,
    fingerprint,
    probe_map,
    script_map,
    settings,
    shim_list,
)
from aks_wasm.shims.installer.daemon_set import IMAGE, Where, daemon_set, probe_source
from aks_wasm.shims.installer.node import node_script
from aks_wasm.shims.installer.objects import Manifest, namespace
from aks_wasm.shims.installer.parts import Binary, part_maps, part_sources
from aks_wasm.shims.installer.probes import ProbeImage, probe_daemon_set, stay_image_key
from aks_wasm.shims.labels import INSTALLED, SHIMS
from aks_wasm.shims.runtime_class import probe_runtime_class, shim_runtime_class, tolerations


@dataclass(frozen=True)
class Installation:
    """Shims for the nodes that a selector names; needs nothing of a spec, so that it serves any cluster.

    Attributes:
        owner: Whose it is, in the labels of every object.
        shims: What to install; each platform has its SHA-256 (`catalogue.problems` checks). None at all means that the
            nodes become as they were before.
        taints: `key=value:Effect` of the nodes.
        probes: Images for probes by `probe_image_key` and `stay_image_key`; without the latter of a shim nothing marks
            nodes as ready for it.
        image: Of the installer's containers; a mirror's where Microsoft's registry is out of reach.
        max_unavailable: How many nodes may restart containerd at a time.
        local_image_pull: Whether containerd is to pull without its transfer service (facts wasm.md, finding 4).
        node_selector: Which nodes.
        binaries: What `parts://` locations of the shims name.
        kept_parts: How many ConfigMaps that are in the cluster already hold a binary, by what `parts://` names.
    """

    owner: str
    shims: tuple[Shim, ...]
    taints: tuple[str, ...] = ()
    probes: Mapping[str, ProbeImage] = field(default_factory=dict)
    image: str = IMAGE
    max_unavailable: int = 1
    local_image_pull: bool = False
    node_selector: Mapping[str, str] = field(default_factory=lambda: {SHIMS: INSTALLED})
    binaries: tuple[Binary, ...] = ()
    kept_parts: Mapping[str, int] = field(default_factory=dict)

    def manifests(self) -> list[Manifest]:
        """Return the installer, the namespace first and the DaemonSet last.

        Raises:
            UsageError: A binary is too large for the cluster's API.
        """
        data = self._data()
        counts = {**self.kept_parts, **{binary.key: len(binary.parts) for binary in self.binaries}}
        sources = [source for key, count in sorted(counts.items()) for source in part_sources(key, count)]
        if self.probes:
            sources.insert(0, probe_source(list(self.probes)))
        return [
            namespace(self.owner),
            *access(self.owner, self.max_unavailable),
            script_map(self.owner, data),
            *([probe_map(self.owner, self.probes)] if self.probes else []),
            *(part for binary in self.binaries for part in part_maps(self.owner, binary)),
            daemon_set(
                self.owner,
                Where(self.node_selector, tolerations(self.taints), self.max_unavailable),
                image=self.image,
                annotations={CONTENT_ANNOTATION: self.content},
                sources=sources,
            ),
        ]

    def runtime_classes(self) -> list[Manifest]:
        """Return the RuntimeClasses: of each shim, and of its probes."""
        return [
            make(shim, owner=self.owner, taints=self.taints)
            for shim in self.shims
            for make in (shim_runtime_class, probe_runtime_class)
        ]

    def probe_daemon_sets(self) -> list[Manifest]:
        """Return the DaemonSets whose ready pods mark nodes as ready.

        Applied after the installer is done, none of their pods waits for a handler.
        """
        return [
            probe_daemon_set(
                shim,
                owner=self.owner,
                image=self.probes[key].name,
                taints=self.taints,
                node_selector=self.node_selector,
            )
            for shim in self.shims
            if (key := stay_image_key(shim)) in self.probes
        ]

    @property
    def content(self) -> str:
        """The fingerprint that the installer's pods of this installation carry."""
        return fingerprint(self._data(), (image.name for image in self.probes.values()))

    def _data(self) -> dict[str, str]:
        return {
            SCRIPT: node_script(),
            LIST: shim_list(self.shims),
            SETTINGS: settings(local_image_pull=self.local_image_pull, turns=self.max_unavailable),
        }
