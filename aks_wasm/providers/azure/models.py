"""Our words to ARM's documents and back; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aks_wasm.providers.base import ClusterRequest, NodePoolRequest, ObservedCluster, ObservedGroup, ObservedNodePool
from aks_wasm.providers.marks import OWNER_TAG, ROUTE_TAG
from aks_wasm.spec.models import Arch

DEFAULT_SIZES: Mapping[Arch, str] = {"amd64": "Standard_D2s_v5", "arm64": "Standard_D2ps_v5"}
"""Two vCPUs and 8 GiB each; preflight asks Azure whether they are what their names say."""

_WASI_RUNTIME = "WasmWasi"
_DNS_PREFIX_LENGTH = 54
_POOL_READ_ONLY = (
    "provisioningState",
    "currentOrchestratorVersion",
    "nodeImageVersion",
    "eTag",
    "status",
    "powerState",
)
_CLUSTER_WRITABLE = (
    *("kubernetesVersion", "dnsPrefix", "fqdnSubdomain", "agentPoolProfiles", "linuxProfile", "windowsProfile"),
    *("servicePrincipalProfile", "addonProfiles", "podIdentityProfile", "oidcIssuerProfile", "nodeResourceGroup"),
    *("nodeResourceGroupProfile", "enableRBAC", "supportPlan", "networkProfile", "aadProfile", "autoUpgradeProfile"),
    *("upgradeSettings", "autoScalerProfile", "apiServerAccessProfile", "diskEncryptionSetID", "privateLinkResources"),
    *("disableLocalAccounts", "httpProxyConfig", "securityProfile", "storageProfile", "ingressProfile"),
    *("publicNetworkAccess", "workloadAutoScalerProfile", "azureMonitorProfile", "serviceMeshProfile"),
    *("metricsProfile", "nodeProvisioningProfile", "bootstrapProfile", "aiToolchainOperatorProfile"),
)
"""What of a cluster's answer may be sent back. AKS answers more than it documents (`controlPlanePluginProfiles`)."""

_READ_ONLY_WITHIN = ("issuerURL", "effectiveOutboundIPs")

Document = dict[str, Any]


def vm_size_of(vm_size: str | None, arch: Arch | None) -> str:
    """Return the machine size that is asked for: the given one, else the default of the architecture."""
    return vm_size or DEFAULT_SIZES[arch or "amd64"]


def cluster_body(request: ClusterRequest) -> Document:
    """Return what PUT managedClusters is sent."""
    properties: Document = {
        "dnsPrefix": dns_prefix(request.name),
        "enableRBAC": True,
        "networkProfile": {"networkPlugin": "azure", "networkPluginMode": "overlay"},
        "agentPoolProfiles": [
            {"name": pool.name, **pool_properties(pool, request.tags.get(OWNER_TAG))} for pool in request.pools
        ],
    }
    if request.kubernetes_version:
        properties["kubernetesVersion"] = request.kubernetes_version
    if request.tier == "Premium":  # the tier of long-term support, which AKS wants to be asked for by name
        properties["supportPlan"] = "AKSLongTermSupport"
    return {
        "location": request.location,
        "tags": dict(request.tags),
        "identity": {"type": "SystemAssigned"},
        "sku": {"name": "Base", "tier": request.tier},
        "properties": properties,
    }


def dns_prefix(name: str) -> str:
    """Return a DNS prefix AKS accepts: letters, digits and hyphens, at most 54, no hyphen at the end."""
    return re.sub(r"[^A-Za-z0-9-]", "-", name)[:_DNS_PREFIX_LENGTH].strip("-") or "aks-wasm"


def pool_properties(request: NodePoolRequest, owner: str | None) -> Document:
    """Return a new pool's properties, the same for PUT agentPools and inside a cluster's body."""
    properties: Document = {
        "count": request.count,
        "vmSize": vm_size_of(request.vm_size, request.arch),
        "osType": "Linux",
        "type": "VirtualMachineScaleSets",
        "mode": request.mode,
        **_scaling(request),
    }
    if request.route == "wasi-preview":
        properties["workloadRuntime"] = _WASI_RUNTIME
    if request.labels:
        properties["nodeLabels"] = dict(request.labels)
    if request.taints:
        properties["nodeTaints"] = list(request.taints)
    if request.zones:
        properties["availabilityZones"] = list(request.zones)
    if request.spot:
        properties |= {"scaleSetPriority": "Spot", "scaleSetEvictionPolicy": "Delete", "spotMaxPrice": -1}
    if owner:
        route = {ROUTE_TAG: request.route} if request.mode == "User" else {}
        properties["tags"] = {OWNER_TAG: owner, **route}
    return properties


def _scaling(request: NodePoolRequest) -> Document:
    if request.min is None or request.max is None:
        return {"enableAutoScaling": False}
    return {"enableAutoScaling": True, "minCount": request.min, "maxCount": request.max}


def pool_change(live: Document, request: NodePoolRequest) -> Document | None:
    """Return the properties that bring a live pool to the request, or None when it is there already.

    Only what the request names is changed; other labels and taints stay, but for those it takes off.
    """
    properties = live.get("properties") or {}
    wanted: Document = _scaling(request)
    if wanted["enableAutoScaling"]:
        # AKS takes bounds only around the present count, which is the autoscaler's own otherwise.
        count = int(properties.get("count") or 0)
        wanted["count"] = min(max(count, wanted["minCount"]), wanted["maxCount"])
    else:
        wanted["count"] = request.count
    labels = properties.get("nodeLabels") or {}
    changed = {key: value for key, value in {**labels, **request.labels}.items() if key not in request.unlabel}
    if changed != labels:
        wanted["nodeLabels"] = changed
    taints = properties.get("nodeTaints") or []
    if missing := [taint for taint in request.taints if taint not in taints]:
        wanted["nodeTaints"] = [*taints, *missing]
    failed = properties.get("provisioningState") in ("Failed", "Canceled")
    if not failed and all(_same(properties.get(key), value) for key, value in wanted.items()):
        return None
    kept = {key: value for key, value in properties.items() if key not in _POOL_READ_ONLY and value is not None}
    if not wanted["enableAutoScaling"]:
        kept.pop("minCount", None)
        kept.pop("maxCount", None)
    return kept | wanted


def _same(live: Any, wanted: Any) -> bool:
    return bool(live == wanted or (live is None and wanted is False))


def unchangeable(live: Document, request: NodePoolRequest) -> str | None:
    """Return what of a live pool would have to change and can't: its machine size, its runtime."""
    properties = live.get("properties") or {}
    size = str(properties.get("vmSize") or "")
    if request.vm_size and size.lower() != request.vm_size.lower():
        return f"its machines are `{size}`, not `{request.vm_size}`"
    if request.vm_size is None and request.arch and _arch_of(properties) not in (None, request.arch):
        return f"its machines are {_arch_of(properties)}, not {request.arch}"
    if request.route == "wasi-preview" and properties.get("workloadRuntime") != _WASI_RUNTIME:
        return "it is an ordinary pool, not a WASI one"
    return None


def cluster_retry(live: Document, tags: Mapping[str, str]) -> Document:
    """Return the body that sends a failed cluster through creation again, as it is, with our tags."""
    given = live["properties"]
    properties = {key: _writable(given[key]) for key in _CLUSTER_WRITABLE if given.get(key) is not None}
    properties["agentPoolProfiles"] = [
        {key: value for key, value in pool.items() if key not in _POOL_READ_ONLY}
        for pool in properties.get("agentPoolProfiles") or ()
    ]
    kept: Document = {key: live[key] for key in ("location", "identity", "sku") if key in live}
    return {**kept, "tags": {**(live.get("tags") or {}), **tags}, "properties": properties}


def _writable(value: Any) -> Any:
    """Return a part of an answer without what the service alone says, at any depth."""
    if isinstance(value, dict):
        return {key: _writable(part) for key, part in value.items() if key not in _READ_ONLY_WITHIN}
    return value


def observed_group(document: Document) -> ObservedGroup:
    """Return our view of a resource group."""
    return ObservedGroup(
        name=document["name"],
        location=document.get("location") or "",
        tags=document.get("tags") or {},
        state=(document.get("properties") or {}).get("provisioningState") or "Succeeded",
    )


def observed_cluster(document: Document) -> ObservedCluster:
    """Return our view of a managed cluster."""
    properties = document.get("properties") or {}
    return ObservedCluster(
        name=document["name"],
        state=properties.get("provisioningState") or "Unknown",
        location=document.get("location") or "",
        kubernetes_version=properties.get("currentKubernetesVersion") or properties.get("kubernetesVersion") or "",
        tags=document.get("tags") or {},
        node_pools=tuple(observed_pool(profile) for profile in properties.get("agentPoolProfiles") or ()),
        running=(properties.get("powerState") or {}).get("code") != "Stopped",
        api_server=properties.get("fqdn") or properties.get("privateFQDN"),
        error=_error(properties),
        sku=(document.get("sku") or {}).get("name"),
    )


def observed_pool(profile: Document) -> ObservedNodePool:
    """Return our view of one of a cluster's `agentPoolProfiles`."""
    scaled = bool(profile.get("enableAutoScaling"))
    return ObservedNodePool(
        name=profile["name"],
        state=profile.get("provisioningState") or "Unknown",
        mode="System" if profile.get("mode") == "System" else "User",
        count=int(profile.get("count") or 0),
        arch=_arch_of(profile),
        vm_size=profile.get("vmSize"),
        min=profile.get("minCount") if scaled else None,
        max=profile.get("maxCount") if scaled else None,
        spot=profile.get("scaleSetPriority") == "Spot",
        zones=tuple(profile.get("availabilityZones") or ()),
        labels=profile.get("nodeLabels") or {},
        taints=tuple(profile.get("nodeTaints") or ()),
        route="wasi-preview" if profile.get("workloadRuntime") == _WASI_RUNTIME else "shim",
        error=_error(profile),
    )


def _arch_of(properties: Document) -> Arch | None:
    """Read the architecture off the node image's name, as in `AKSUbuntu-2404gen2arm64containerd-202607.09.0`."""
    image = str(properties.get("nodeImageVersion") or "").lower()
    if not image:
        return None
    return "arm64" if "arm64" in image else "amd64"


def _error(properties: Document) -> str | None:
    problem = (properties.get("status") or {}).get("provisioningError")
    return f"{problem.get('code')}: {problem.get('message')}" if isinstance(problem, dict) else None
