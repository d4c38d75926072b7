"""What a provider can do and what it has seen, in the tool's own words; no foreign type passes this line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from aks_wasm.errors import Problem
from aks_wasm.providers.marks import OWNER_TAG
from aks_wasm.spec.models import Arch, ClusterSpec
from aks_wasm.waits import Patience
from aks_wasm.wasm.archive import ImageArchive

LOCAL_PREFIX = "aks-wasm.local"
"""What the names of images begin with that no registry has."""

ChosenRoute = Literal["wasi-preview", "shim"]


class Prerequisite(StrEnum):
    """What must be in place before a cluster or a preview pool can be asked for."""

    PROVIDER = "provider"
    FEATURE = "feature"
    GROUP = "group"


@dataclass(frozen=True)
class ProviderInfo:
    """Capabilities. Callers ask these, never the provider's name. The defaults are those of a cluster on this machine.

    Attributes:
        name: For output only.
        has_resource_groups: Clusters live in a group that is made and deleted with them.
        has_preview_pools: WASI node pools can be asked for (and may be refused).
        folds_node_pools: Pools can be part of the cluster's own creation request.
        images: How packaged modules reach the nodes; `none` when no registry is configured.
        image_prefix: What the names of packaged images begin with: the registry's host and path, or a local name.
        keeps_on_failure: A failed `up` leaves what it made (Azure); else it is cleaned (local).
        costs_money: Creating needs the user's consent.
        supports_arch: The architectures its nodes can have; the first is the default.
        adds_node_pools: Pools can be added to a cluster that is there; else they come with its creation only.
        has_pools: Its nodes are in pools that the spec names; else they are just there.
        brings_shims: The provider puts the spec's shims on the nodes itself; else our installer does, in the cluster.
    """

    name: str
    has_resource_groups: bool = False
    has_preview_pools: bool = False
    folds_node_pools: bool = True
    images: Literal["registry", "load", "none"] = "load"
    image_prefix: str = LOCAL_PREFIX
    keeps_on_failure: bool = False
    costs_money: bool = False
    supports_arch: tuple[Arch, ...] = ("amd64", "arm64")
    adds_node_pools: bool = True
    has_pools: bool = True
    brings_shims: bool = False


@dataclass(frozen=True)
class ObservedNodePool:
    """A pool as the service describes it."""

    name: str
    state: str
    mode: Literal["System", "User"]
    count: int
    arch: Arch | None = None
    vm_size: str | None = None
    min: int | None = None
    max: int | None = None
    spot: bool = False
    zones: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    route: ChosenRoute = "shim"
    error: str | None = None


@dataclass(frozen=True)
class ObservedCluster:
    """A cluster as the service describes it. `state` is the service's word, `Succeeded` when it is at rest.

    `sku` is the service's word too: `Base`, or `Automatic` where it sets the rules; None where there is no such thing.
    """

    name: str
    state: str
    location: str
    kubernetes_version: str
    tags: Mapping[str, str]
    node_pools: tuple[ObservedNodePool, ...] = ()
    running: bool = True
    api_server: str | None = None
    error: str | None = None
    sku: str | None = None

    @property
    def owner(self) -> str | None:
        """Whose it is, by our mark; None when it carries none."""
        return self.tags.get(OWNER_TAG)

    def pool(self, name: str) -> ObservedNodePool | None:
        """Return the pool of that name, or None."""
        return next((pool for pool in self.node_pools if pool.name == name), None)

    def has_refused_preview(self, spec: ClusterSpec) -> bool:
        """Return whether a pool of route `auto` took the shim route: its runtime remembers that the service refused."""
        auto = {pool.name for pool in spec.node_pools if pool.route == "auto"}
        return any(pool.name in auto and pool.route == "shim" for pool in self.node_pools)


@dataclass(frozen=True)
class ObservedGroup:
    """The resource group that holds the cluster."""

    name: str
    location: str
    tags: Mapping[str, str]
    state: str = "Succeeded"

    @property
    def owner(self) -> str | None:
        """Whose it is, by our mark; None when it carries none."""
        return self.tags.get(OWNER_TAG)


@dataclass(frozen=True)
class Observed:
    """One look at everything the provider keeps for a spec.

    Attributes:
        cluster: None when there is none of that name.
        group: None when there is none, or the provider has no groups.
        missing: Prerequisites that are not in place.
        feature_state: The preview feature's state in Azure's words; `Unknown` when the service has no such feature;
            None when the provider has no preview pools or did not need to ask.
        provider_state: The registration state of Microsoft.ContainerService, likewise.
    """

    cluster: ObservedCluster | None = None
    group: ObservedGroup | None = None
    missing: frozenset[Prerequisite] = frozenset()
    feature_state: str | None = None
    provider_state: str | None = None


@dataclass(frozen=True)
class NodePoolRequest:
    """A pool to create, or an existing one to bring to this size.

    Attributes:
        arch: Wanted architecture; None when `vm_size` decides it.
        vm_size: None leaves the choice to the provider, among sizes of `arch`.
        count: Nodes now; with `min` and `max` only the start.
        unlabel: Keys of labels to take off where the service keeps those that a request does not name.
    """

    name: str
    arch: Arch | None
    vm_size: str | None
    route: ChosenRoute
    count: int
    min: int | None = None
    max: int | None = None
    spot: bool = False
    zones: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    mode: Literal["System", "User"] = "User"
    unlabel: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClusterRequest:
    """A cluster to create, with the pools that can be part of the same request, or new tags for an existing one."""

    name: str
    location: str
    kubernetes_version: str | None
    tier: str
    pools: tuple[NodePoolRequest, ...]
    tags: Mapping[str, str]


class Provider(Protocol):
    """A place that clusters come from. Eight verbs, each harmless when repeated, each raising only AksWasmError."""

    @property
    def info(self) -> ProviderInfo:
        """What this provider can do."""

    def observe(self, spec: ClusterSpec) -> Observed:
        """Look at what is there; write nothing."""

    def check(self, spec: ClusterSpec, observed: Observed) -> list[Problem]:
        """Find all that would make `up` fail later: sizes, architecture, quota, versions, names, rights."""

    def ensure(self, prerequisite: Prerequisite, spec: ClusterSpec, patience: Patience) -> None:
        """Put a prerequisite in place and wait for it; a feature that is unknown raises PreviewRetired."""

    def put_cluster(self, spec: ClusterSpec, request: ClusterRequest, patience: Patience) -> None:
        """Create the cluster or update its tags, and wait; joins an operation that is under way already."""

    def put_node_pool(self, spec: ClusterSpec, request: NodePoolRequest, patience: Patience) -> None:
        """Create or scale a pool, and wait; raises PreviewRetired when a WASI pool is refused."""

    def delete(self, spec: ClusterSpec, node_pool: str | None, patience: Patience, *, wait: bool) -> None:
        """Delete a pool, or the cluster and the group that carries our mark; absent is fine.

        Raises:
            Refused: It carries another owner's mark or none, something foreign is in the group, or a lock is on it.
        """

    def kubeconfig(self, spec: ClusterSpec) -> str:
        """Return a kubeconfig (YAML) that works from here without a further tool."""

    def deliver_image(self, spec: ClusterSpec, image: ImageArchive, patience: Patience) -> None:
        """Make the image available to the nodes: push it, or load it into them."""

    def close(self) -> None:
        """Close every connection."""
