"""The shape of aks-wasm.yaml, version aks-wasm/v1: frozen models that forbid unknown fields."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints
from pydantic.alias_generators import to_camel

from aks_wasm.spec.duration import DURATION

Arch = Literal["amd64", "arm64"]
Route = Literal["auto", "wasi-preview", "shim"]
TargetName = Literal["azure", "local", "emulator"]

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
WORKLOAD_NAME = r"^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$"
"""A Service's name begins with a letter; a Job's is at most 63 long, ten of them and a dash the hash of its content."""
CLUSTER_NAME = r"^[a-z0-9]([-a-z0-9]{0,43}[a-z0-9])?$"
NODE_POOL_NAME = r"^[a-z][a-z0-9]{0,11}$"
GROUP_NAME = r"^[-\w._()]*[-\w_()]$"
TAINT = r"^[^=:\s]+(=[^=:\s]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$"
QUANTITY = r"^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"
ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
SHA256 = r"^[0-9a-f]{64}$"
LOCATION = r"^(https?|file)://"
IMAGE = r"^[a-z0-9]([-a-z0-9._:/]*[a-z0-9])?(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$"
RUNTIME_TYPE = r"^(io\.containerd\.[a-z0-9.-]+\.v\d+|/.+)$"

DnsLabel = Annotated[str, StringConstraints(pattern=DNS_LABEL)]
WorkloadName = Annotated[str, StringConstraints(pattern=WORKLOAD_NAME)]
ClusterName = Annotated[str, StringConstraints(pattern=CLUSTER_NAME)]
NodePoolName = Annotated[str, StringConstraints(pattern=NODE_POOL_NAME)]
Taint = Annotated[str, StringConstraints(pattern=TAINT)]
Duration = Annotated[str, StringConstraints(pattern=DURATION)]
Quantity = Annotated[str, Field(coerce_numbers_to_str=True, pattern=QUANTITY)]
EnvName = Annotated[str, StringConstraints(pattern=ENV_NAME)]
Sha256 = Annotated[str, StringConstraints(pattern=SHA256)]
Whole = Annotated[int, Strict()]
"""A number; neither `true` nor text, which pydantic would take for one."""


class SpecModel(BaseModel):
    """Base of every part of the file: camelCase in the file, unknown fields refused, frozen once read."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class Metadata(SpecModel):
    """Who the cluster is."""

    name: ClusterName = Field(description="Names and tags everything; a DNS label of at most 45 characters")


class CloudEndpoints(SpecModel):
    """Another Resource Manager than a public cloud's: Azure Stack, or the emulator."""

    resource_manager: str = Field(description="URL of the Resource Manager")
    authority: str | None = Field(default=None, description="URL that tokens come from")
    audience: str | None = Field(default=None, description="What tokens are for; default: the Resource Manager's URL")


class AzureSpec(SpecModel):
    """Where in Azure; ignored by the local target."""

    subscription: str | None = Field(
        default=None, description="Id; default AZURE_SUBSCRIPTION_ID, else the CLI login's, else the only one"
    )
    location: str = Field(default="westeurope", description="Region in its short form")
    resource_group: str | None = Field(
        default=None,
        min_length=1,
        max_length=90,
        pattern=GROUP_NAME,
        description="Default: metadata.name",
    )
    cloud: Literal["public", "usgovernment", "china"] | CloudEndpoints = Field(
        default="public", description="public, usgovernment, china, or the endpoints of another cloud"
    )
    tags: dict[str, str] = Field(default_factory=dict, description="ARM tags beside our own marks")
    expires_after: Duration | None = Field(default=None, description="For example 4h: `down --expired` reaps it")


class LocalSpec(SpecModel):
    """The local target; ignored by Azure."""

    engine: Literal["auto", "kind", "embedded"] = Field(
        default="auto",
        description="auto takes kind when a container engine answers, else the embedded cluster",
    )
    kubernetes_version: str | None = Field(default=None, description="Default: the engine's own")
    node_image: str | None = Field(default=None, description="Any kind node image, for offline machines")


class SystemPool(SpecModel):
    """The pool that AKS keeps its own pods on."""

    vm_size: str | None = Field(default=None, description="Default: a 2-vCPU size of `arch`")
    arch: Arch = "amd64"
    count: Whole = Field(default=1, ge=1, le=1000)


class ClusterOptions(SpecModel):
    """The cluster itself."""

    kubernetes_version: str | None = Field(default=None, description="Default: the service's default")
    tier: Literal["Free", "Standard", "Premium"] = "Free"
    system_pool: SystemPool = SystemPool()


SYSTEM_POOL = "system"
"""The name of the pool that `systemPool` describes."""

WASM_TAINT = "aks-wasm.dev/wasm=true:NoSchedule"
"""Keeps ordinary pods off Wasm nodes; the RuntimeClasses tolerate it."""


class NodePool(SpecModel):
    """A pool whose nodes run Wasm workloads."""

    name: NodePoolName = Field(description="At most 12 lower-case letters and digits, a letter first (an AKS rule)")
    arch: Arch | None = Field(default=None, description="amd64 or arm64; or give vmSize, from which it follows")
    vm_size: str | None = Field(default=None, description="Default: a 2-vCPU size of `arch`")
    count: Whole | None = Field(default=None, ge=0, le=1000, description="Fixed size; default 1; or give min and max")
    min: Whole | None = Field(default=None, ge=0, le=1000, description="Autoscaler's lower bound; 0 is allowed")
    max: Whole | None = Field(default=None, ge=1, le=1000, description="Autoscaler's upper bound")
    spot: bool = False
    zones: tuple[str, ...] = ()
    route: Route = Field(default="auto", description="auto asks for the preview pool and falls back to shims")
    labels: dict[str, str] = Field(default_factory=dict, description="Node labels, set through the API")
    taints: tuple[Taint, ...] = Field(default=(WASM_TAINT,), description="Node taints, set through the API")
    os_type: Literal["Linux", "Windows"] = "Linux"
    mode: Literal["User", "System"] = "User"


class ShimPlatform(SpecModel):
    """Where the binary for one platform is, and what it must hash to."""

    os: Literal["linux"] = "linux"
    arch: Arch
    location: str = Field(pattern=LOCATION, description="URL of the .tar.gz or the bare binary")
    sha256: Sha256


class CustomShim(SpecModel):
    """A shim that the catalogue does not know."""

    name: DnsLabel
    version: str = "custom"
    handler: DnsLabel | None = Field(default=None, description="Default: made from name and version")
    runtime_type: str = Field(pattern=RUNTIME_TYPE)
    platforms: tuple[ShimPlatform, ...] = Field(min_length=1)


class InstallerSpec(SpecModel):
    """What puts shims on the nodes of ordinary pools; preview pools and local clusters need none."""

    kind: Literal["daemonset", "runtime-class-manager"] = Field(
        default="daemonset",
        description="daemonset is our own; runtime-class-manager makes Shim resources where that is installed already",
    )
    image: str | None = Field(
        default=None,
        pattern=IMAGE,
        description="Where the installer's image is mirrored; default: Microsoft's registry, which needs no login",
    )
    max_unavailable: Whole = Field(
        default=1, ge=1, le=100, description="How many nodes may restart their containerd at the same time"
    )
    local_image_pull: bool | None = Field(
        default=None,
        description="Whether containerd from 2.1 on is to unpack what it pulls by itself, as images for wasi/wasm need "
        "(containerd docs/cri/config.md); default: where a Wasm workload of the file names an image",
    )


class SecretValue(SpecModel):
    """A value from the caller's environment, kept in a Kubernetes Secret, never in the file or the output."""

    from_environment: EnvName


class Resources(SpecModel):
    """What one replica may use: request and limit alike."""

    cpu: Quantity = "100m"
    memory: Quantity = "64Mi"


class Workload(SpecModel):
    """Something to run. Exactly one of source, module and image says what."""

    name: WorkloadName = Field(description="Names its objects; at most 52 lower-case letters, digits and dashes")
    shim: str = Field(default="spin", description="A shim's name, or `none` for an ordinary container")
    source: str | None = Field(default=None, description="A Spin application manifest (spin.toml), version 1 or 2")
    module: str | None = Field(default=None, description="A WASI command module or a component (.wasm)")
    image: str | None = Field(default=None, description="An image that is in a registry already")
    kind: Literal["service", "job"] = "service"
    replicas: Whole = Field(default=1, ge=0, le=1000)
    port: Whole = Field(default=80, ge=1, le=65535)
    expose: Literal["public", "cluster", "none"] = "public"
    env: dict[EnvName, str | int | float | bool | SecretValue] = Field(default_factory=dict)
    args: tuple[str, ...] = ()
    resources: Resources = Resources()


class RegistrySpec(SpecModel):
    """Where packaged modules are pushed on Azure; local targets load them straight into the node."""

    login: str | None = Field(default=None, description="For example myregistry.azurecr.io")


class ClusterSpec(SpecModel):
    """The whole file."""

    api_version: Literal["aks-wasm/v1"] = "aks-wasm/v1"
    kind: Literal["Cluster"] = "Cluster"
    metadata: Metadata
    target: TargetName = "azure"
    azure: AzureSpec = AzureSpec()
    local: LocalSpec = LocalSpec()
    cluster: ClusterOptions = ClusterOptions()
    node_pools: tuple[NodePool, ...] = (NodePool(name="wasm"),)
    shims: tuple[str | CustomShim, ...] = ("spin",)
    installer: InstallerSpec = InstallerSpec()
    workloads: tuple[Workload, ...] = ()
    registry: RegistrySpec = RegistrySpec()

    @property
    def name(self) -> str:
        """The name that everything carries."""
        return self.metadata.name

    @property
    def resource_group(self) -> str:
        """The resource group that holds the cluster."""
        return self.azure.resource_group or self.metadata.name
