"""Agent pools between request, document, answer and nodes; pure but for reading tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aks_wasm.emulator.arm.context import Document
from aks_wasm.emulator.arm.errors import ProviderError
from aks_wasm.emulator.arm.kubernetes_versions import Offer, minor_of, pool_version
from aks_wasm.emulator.arm.skus import size_named
from aks_wasm.emulator.node.profile import NodePoolProfile

DEFAULT_SIZE = "Standard_D8a_v4"  # what AKS picked for `vmSize: ""` in a recording of 2026-06
_SPOT = "kubernetes.azure.com/scalesetpriority"
_SPOT_TAINT = f"{_SPOT}=spot:NoSchedule"
POOL_TYPE = "Microsoft.ContainerService/managedClusters/agentPools"
_IMAGE_DATE = "202607.09.0"  # the VHD of node.profile
_FIXED = (
    *("vmSize", "osType", "osDiskSizeGB", "osDiskType", "kubeletDiskType", "workloadRuntime", "maxPods", "type"),
    *("availabilityZones", "scaleSetPriority", "enableEncryptionAtHost", "enableUltraSSD", "enableFIPS"),
    *("vnetSubnetID", "podSubnetID", "proximityPlacementGroupID"),
)
_READ_ONLY = frozenset(
    {"name", "provisioningState", "powerState", "eTag", "nodeImageVersion", "currentOrchestratorVersion", "status"}
)
_BY_DEFAULT: Mapping[str, Any] = {
    "count": 1,
    "vmSize": DEFAULT_SIZE,
    "osDiskSizeGB": 128,
    "osDiskType": "Managed",
    "kubeletDiskType": "OS",
    "workloadRuntime": "OCIContainer",
    "maxPods": 250,
    "type": "VirtualMachineScaleSets",
    "enableAutoScaling": False,
    "scaleDownMode": "Delete",
    "orchestratorVersion": "",
    "currentOrchestratorVersion": "",
    "enableNodePublicIP": False,
    "mode": "User",
    "enableEncryptionAtHost": False,
    "enableUltraSSD": False,
    "osType": "Linux",
    "osSKU": "Ubuntu",
    "nodeImageVersion": "",
    "upgradeSettings": {"maxSurge": "10%", "maxUnavailable": "0"},
    "enableFIPS": False,
    "networkProfile": {},
    "securityProfile": {"sshAccess": "LocalUser", "enableVTPM": False, "enableSecureBoot": False},
}


@dataclass(frozen=True)
class Ground:
    """What a pool stands on: its cluster.

    Attributes:
        cluster: The cluster's name.
        location: Its region.
        version: Its Kubernetes version.
    """

    cluster: str
    location: str
    version: Offer


def completed(wanted: Mapping[str, Any], ground: Ground) -> Document:
    """Return the properties of a new pool: what was asked for, and the service's defaults."""
    properties: Document = dict(_BY_DEFAULT)
    properties.update(_given(wanted))
    if properties.get("scaleSetPriority") == "Spot":
        properties = {"scaleSetEvictionPolicy": "Delete", "spotMaxPrice": -1.0, **properties, **_spot_marks(properties)}
        properties["upgradeSettings"] = {}
    if properties["enableAutoScaling"] and "count" not in _given(wanted):
        properties["count"] = properties.get("minCount", 1)
    return _versioned(properties, ground)


def changed(known: Document, wanted: Mapping[str, Any], ground: Ground) -> Document:
    """Return the properties after an update.

    Raises:
        ProviderError: 400 PropertyChangeNotAllowed for what is fixed once the pool is there.
    """
    given = _given(wanted)
    for name in _FIXED:
        if name in given and not _same(given[name], known.get(name)):
            target = f"properties.{name}"
            message = f"Changing property '{target}' is not allowed."
            raise ProviderError(400, "PropertyChangeNotAllowed", message, extra={"target": target})
    properties = {**known, **given}
    if properties.get("scaleSetPriority") == "Spot":
        properties |= _spot_marks(properties)
    if given.get("enableAutoScaling") is False:
        properties = {name: value for name, value in properties.items() if name not in {"minCount", "maxCount"}}
    return _versioned(properties, ground)


def _given(wanted: Mapping[str, Any]) -> Document:
    """What the request says; null and, for the size, empty mean the default."""
    given = {name: value for name, value in wanted.items() if value is not None and name not in _READ_ONLY}
    if not given.get("vmSize"):
        given.pop("vmSize", None)
    if not given.get("orchestratorVersion"):
        given.pop("orchestratorVersion", None)
    if not given.get("upgradeSettings"):
        given.pop("upgradeSettings", None)
    return given


def _spot_marks(properties: Document) -> Document:
    """Return labels and taints with those that AKS gives a spot pool and shows in its answers (Azure/AKS#3152)."""
    taints = properties.get("nodeTaints") or []
    return {
        "nodeLabels": {**(properties.get("nodeLabels") or {}), _SPOT: "spot"},
        "nodeTaints": taints if _SPOT_TAINT in taints else [*taints, _SPOT_TAINT],
    }


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    return bool(one == other) or (not one and not other)


def _versioned(properties: Document, ground: Ground) -> Document:
    version = pool_version(properties["orchestratorVersion"], ground.version.exact, ground.version.asked)
    properties["orchestratorVersion"] = version.asked
    properties["currentOrchestratorVersion"] = version.exact
    return properties


def with_image(properties: Document) -> Document:
    """Return the properties with the node image that goes with size, system and version; the size must be known."""
    arm = "arm64" if size_named(properties["vmSize"]).arm else ""
    sku = os_sku(properties)
    if sku.startswith("AzureLinux"):
        image = f"AKSAzureLinux-V3gen2{arm}-{_IMAGE_DATE}"
    else:
        image = f"AKSUbuntu-{sku.removeprefix('Ubuntu')}gen2{arm}containerd-{_IMAGE_DATE}"
    return {**properties, "nodeImageVersion": image}


def os_sku(properties: Document) -> str:
    """Return the exact system: `Ubuntu` is 24.04 from Kubernetes 1.35 on, 22.04 before."""
    asked = str(properties["osSKU"])
    if asked != "Ubuntu":
        return asked
    newest = int(minor_of(properties["currentOrchestratorVersion"]).split(".")[1]) >= 35
    return "Ubuntu2404" if newest else "Ubuntu2204"


def shown(pool: Document) -> Document:
    """Return the pool as its own resource."""
    properties = _with_state(pool)
    if pool["eTag"]:
        properties["eTag"] = pool["eTag"]
    return {"id": pool["id"], "name": pool["name"], "type": POOL_TYPE, "properties": properties}


def shown_in_cluster(pool: Document) -> Document:
    """Return the pool as a member of its cluster's agentPoolProfiles."""
    profile = {"name": pool["name"], **_with_state(pool)}
    if pool["eTag"]:
        profile["eTag"] = pool["eTag"]
    return profile


def _with_state(pool: Document) -> Document:
    properties: Document = {}
    for name, value in pool["properties"].items():
        if name == "orchestratorVersion":
            properties["provisioningState"] = pool["state"]
            properties["powerState"] = {"code": pool["power"]}
        properties[name] = value
    if pool["error"]:
        properties["status"] = {"provisioningError": pool["error"]}
    return properties


def node_profile(cluster: Document, pool: Document) -> NodePoolProfile:
    """Return the pool as the node side sees it; one that is stopped has no nodes."""
    properties = pool["properties"]
    size = size_named(properties["vmSize"])
    return NodePoolProfile(
        name=pool["name"],
        count=properties["count"] if pool["power"] == "Running" else 0,
        vm_size=size.name,
        arch=size.arch,
        vcpus=size.vcpus,
        memory_gib=size.memory_gib,
        kubernetes_version=properties["currentOrchestratorVersion"],
        node_image_version=properties["nodeImageVersion"],
        mode=properties["mode"],
        labels=properties.get("nodeLabels") or {},
        taints=tuple(properties.get("nodeTaints") or ()),
        spot=properties.get("scaleSetPriority") == "Spot",
        workload_runtime="WasmWasi" if properties["workloadRuntime"] == "WasmWasi" else "OCIContainer",
        location=cluster["location"],
        resource_group=cluster["properties"]["nodeResourceGroup"],
        max_pods=properties["maxPods"],
        zones=tuple(properties.get("availabilityZones") or ()),
        os_sku=os_sku(properties),
        subscription=cluster["subscription"],
    )
