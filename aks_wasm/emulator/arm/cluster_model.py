"""Managed clusters between request, document and answer; pure but for chance where Azure has it."""

from __future__ import annotations

import copy
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from aks_wasm.emulator.arm.context import Document
from aks_wasm.emulator.arm.kubernetes_versions import Offer
from aks_wasm.emulator.arm.names import fleet_key
from aks_wasm.emulator.arm.pool_model import shown_in_cluster

CLUSTER_TYPE = "Microsoft.ContainerService/ManagedClusters"  # with a capital M, as the answers have it
_GROUP_NAME_LENGTH = 80  # of the node resource group
_MERGED_BY_HAND = frozenset({"agentPoolProfiles", "kubernetesVersion", "nodeResourceGroup"})
_READ_ONLY = frozenset(
    {
        *("provisioningState", "powerState", "currentKubernetesVersion", "fqdn", "azurePortalFQDN", "resourceUID"),
        *("maxAgentPools", "status", "identityProfile", "oidcIssuerProfile.issuerURL"),
    }
)
_NETWORK: Mapping[str, Any] = {
    "networkPlugin": "azure",
    "networkPluginMode": "overlay",
    "networkPolicy": "none",
    "networkDataplane": "azure",
    "loadBalancerSku": "standard",
    "loadBalancerProfile": {"managedOutboundIPs": {"count": 1}, "backendPoolType": "nodeIPConfiguration"},
    "podCidr": "10.244.0.0/16",
    "serviceCidr": "10.0.0.0/16",
    "dnsServiceIP": "10.0.0.10",
    "outboundType": "loadBalancer",
    "podCidrs": ["10.244.0.0/16"],
    "serviceCidrs": ["10.0.0.0/16"],
    "ipFamilies": ["IPv4"],
}
_BY_DEFAULT: Mapping[str, Any] = {
    "kubernetesVersion": "",
    "currentKubernetesVersion": "",
    "dnsPrefix": "",
    "fqdn": "",
    "azurePortalFQDN": "",
    "windowsProfile": {"adminUsername": "azureuser", "enableCSIProxy": True},
    "servicePrincipalProfile": {"clientId": "msi"},
    "nodeResourceGroup": "",
    "enableRBAC": True,
    "supportPlan": "KubernetesOfficial",
    "networkProfile": _NETWORK,
    "maxAgentPools": 100,
    "autoUpgradeProfile": {"nodeOSUpgradeChannel": "NodeImage"},
    "disableLocalAccounts": False,
    "securityProfile": {},
    "storageProfile": {
        "diskCSIDriver": {"enabled": True},
        "fileCSIDriver": {"enabled": True},
        "snapshotController": {"enabled": True},
    },
    "oidcIssuerProfile": {"enabled": False},
    "workloadAutoScalerProfile": {},
    "metricsProfile": {"costAnalysis": {"enabled": False}},
    "resourceUID": "",
    "nodeProvisioningProfile": {"mode": "Manual"},
    "bootstrapProfile": {"artifactSource": "Direct"},
}


def new_cluster(cluster_id: str, body: Mapping[str, Any], location: str, tenant: str) -> Document:
    """Return the document of a cluster that is being created; there is no eTag yet.

    Args:
        cluster_id: As AKS writes it.
        body: The PUT's.
        location: The region, normalized.
        tenant: Where its identity lives.
    """
    _, _, subscription, _, group, _, _, _, name = cluster_id.split("/")
    wanted = body.get("properties") or {}
    properties = merged(copy.deepcopy(dict(_BY_DEFAULT)), wanted)
    default_group = f"MC_{group}_{name}_{location}"[:_GROUP_NAME_LENGTH]
    properties["nodeResourceGroup"] = wanted.get("nodeResourceGroup") or default_group
    host = f"{properties['dnsPrefix']}-{secrets.token_hex(4)}"
    properties["fqdn"] = f"{host}.hcp.{location}.azmk8s.io"
    properties["azurePortalFQDN"] = f"{host}.portal.hcp.{location}.azmk8s.io"
    properties["resourceUID"] = uuid.uuid4().hex[:24]
    return {
        "id": cluster_id,
        "name": name,
        "subscription": subscription,
        "group": group,
        "location": location,
        "tags": body.get("tags") or {},
        "properties": properties,
        "identity": _identity(body.get("identity") or {}, tenant),
        "sku": {"name": "Base", "tier": "Free", **(body.get("sku") or {})},
        "state": "Creating",
        "power": "Running",
        "eTag": None,
        "error": None,
        "kubeletIdentity": {"clientId": str(uuid.uuid4()), "objectId": str(uuid.uuid4())},
        "outboundAddress": str(uuid.uuid4()),
        "fleetKey": fleet_key(subscription, group, name),
    }


def merged(known: Document, wanted: Mapping[str, Any]) -> Document:
    """Return the properties with what a request says; null keeps what there is."""
    result = dict(known)
    for name, value in wanted.items():
        if value is None or name in _READ_ONLY or name in _MERGED_BY_HAND:
            continue
        before = result.get(name)
        both = isinstance(value, dict) and isinstance(before, dict)
        result[name] = merged(before, value) if both and before is not None else value
    return result


def with_version(cluster: Document, version: Offer) -> Document:
    """Return the document with a Kubernetes version."""
    versions = {"kubernetesVersion": version.asked, "currentKubernetesVersion": version.exact}
    return {**cluster, "properties": {**cluster["properties"], **versions}}


def _identity(wanted: Mapping[str, Any], tenant: str) -> Document:
    kind = wanted.get("type") or "SystemAssigned"
    if kind != "SystemAssigned":
        return dict(wanted)
    return {"type": kind, "principalId": str(uuid.uuid4()), "tenantId": tenant}


def shown(cluster: Document, pools: list[Document]) -> Document:
    """Return the cluster as AKS does, members in the recorded order."""
    done = cluster["eTag"] is not None
    answer: Document = {
        "id": cluster["id"],
        "location": cluster["location"],
        "name": cluster["name"],
        **({"tags": cluster["tags"]} if cluster["tags"] else {}),
        "type": CLUSTER_TYPE,
        "kind": "Base",
        "properties": _shown_properties(cluster, pools, done=done),
        "identity": cluster["identity"],
        "sku": cluster["sku"],
    }
    if done:
        answer["eTag"] = cluster["eTag"]
    return answer


def _shown_properties(cluster: Document, pools: list[Document], *, done: bool) -> Document:
    shown: Document = {"provisioningState": cluster["state"], "powerState": {"code": cluster["power"]}}
    for name, value in copy.deepcopy(cluster["properties"]).items():
        shown[name] = value
        if name == "azurePortalFQDN":
            shown["agentPoolProfiles"] = [shown_in_cluster(pool) for pool in pools]
        if name == "maxAgentPools" and done:
            shown["identityProfile"] = {"kubeletidentity": _kubelet_identity(cluster)}
    balancer = shown["networkProfile"].get("loadBalancerProfile")
    if done and isinstance(balancer, dict):
        group = f"/subscriptions/{cluster['subscription']}/resourceGroups/{shown['nodeResourceGroup']}"
        address = f"{group}/providers/Microsoft.Network/publicIPAddresses/{cluster['outboundAddress']}"
        balancer["effectiveOutboundIPs"] = [{"id": address}]
    if shown["oidcIssuerProfile"].get("enabled"):
        issuer = f"https://{cluster['location']}.oic.prod-aks.azure.com/{cluster['identity'].get('tenantId', '')}"
        shown["oidcIssuerProfile"]["issuerURL"] = f"{issuer}/{shown['resourceUID']}/"
    if cluster["error"]:
        shown["status"] = {"provisioningError": cluster["error"]}
    return shown


def _kubelet_identity(cluster: Document) -> Document:
    group = f"/subscriptions/{cluster['subscription']}/resourcegroups/{cluster['properties']['nodeResourceGroup']}"
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{cluster['name']}-agentpool"
    return {"resourceId": identity, **cluster["kubeletIdentity"]}
