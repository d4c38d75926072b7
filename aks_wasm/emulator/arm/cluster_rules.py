"""What AKS and Resource Manager refuse about a managed cluster before anything is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aks_wasm.emulator.arm import versions
from aks_wasm.emulator.arm.context import Document
from aks_wasm.emulator.arm.errors import GatewayError, ProviderError, invalid_parameter
from aks_wasm.emulator.arm.kubernetes_versions import LTS
from aks_wasm.emulator.arm.regions import REGIONS, known_or_none
from aks_wasm.emulator.arm.routing import Call

_NAME = re.compile(r"[a-zA-Z0-9]([-_a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_DNS_PREFIX = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,52}[a-zA-Z0-9])?")
_SKUS = ("Base", "Automatic")
_TIERS = ("Free", "Standard", "Premium")
_FIXED = (
    *("dnsPrefix", "nodeResourceGroup", "enableRBAC", "networkProfile.networkPlugin", "networkProfile.serviceCidr"),
    *("networkProfile.dnsServiceIP", "networkProfile.loadBalancerSku"),
)


def location_of(call: Call) -> str:
    """Return the normalized region of a PUT.

    Raises:
        GatewayError: 400 LocationRequired or NoRegisteredProviderFound.
    """
    wanted = call.body.get("location")
    known = known_or_none(wanted)
    if known is None:
        raise versions.no_provider(versions.CLUSTERS, call.api_version, str(wanted), tuple(REGIONS))
    return known


def check_new(call: Call) -> None:
    """Judge what a new cluster needs.

    Raises:
        ProviderError: 400 InvalidParameter.
    """
    if not _NAME.fullmatch(call["cluster"]):
        raise invalid_parameter("resourceName", "Please see https://aka.ms/aks-naming-rules for more details.")
    properties = call.body.get("properties") or {}
    if not properties.get("dnsPrefix") and not properties.get("fqdnSubdomain"):
        raise _missing("dnsPrefix")
    if not _DNS_PREFIX.fullmatch(properties.get("dnsPrefix") or "x"):
        raise invalid_parameter("dnsPrefix", "Please see https://aka.ms/aks-naming-rules for more details.")
    if not properties.get("agentPoolProfiles"):
        raise _missing("agentPoolProfiles")
    if not call.body.get("identity") and not properties.get("servicePrincipalProfile"):
        raise _missing("servicePrincipalProfile")


def check(cluster: Document) -> None:
    """Judge a cluster as it will be.

    Raises:
        ProviderError: 400 InvalidParameter.
    """
    if cluster["sku"].get("name") not in _SKUS:
        raise invalid_parameter("sku.name", f"Supported names are {', '.join(_SKUS)}.")
    if cluster["sku"]["name"] == "Automatic" and cluster["sku"].get("tier") != "Standard":
        raise invalid_parameter("sku.tier", "AKS Automatic is offered in the Standard tier only.")
    if cluster["sku"].get("tier") not in _TIERS:
        raise invalid_parameter("sku.tier", f"Supported tiers are {', '.join(_TIERS)}.")
    properties = cluster["properties"]
    if (cluster["sku"]["tier"] == "Premium") != (properties["supportPlan"] == LTS):
        raise invalid_parameter("supportPlan", f"The tier Premium and {LTS} go together: https://aka.ms/aks/enable-lts")
    if properties["disableLocalAccounts"] and not properties.get("aadProfile"):
        raise invalid_parameter("disableLocalAccounts", "Local accounts can only be disabled with aadProfile.")


def check_update(known: Document, call: Call, location: str) -> None:
    """Refuse a change of what is fixed once the cluster is there.

    Raises:
        GatewayError: 409 for another location.
        ProviderError: 400 PropertyChangeNotAllowed.
    """
    if known["location"] != location:
        message = (
            f"The resource '{known['name']}' already exists in location '{known['location']}' in resource group "
            f"'{known['group']}'. A resource with the same name cannot be created in location '{location}'. "
            "Please select a new resource name."
        )
        raise GatewayError(409, "InvalidResourceLocation", message)
    for name in _FIXED:
        wanted = _member(call.body.get("properties") or {}, name)
        if wanted not in {None, ""} and wanted != _member(known["properties"], name):
            target = f"properties.{name}"
            message = f"Changing property '{target}' is not allowed."
            raise ProviderError(400, "PropertyChangeNotAllowed", message, extra={"target": target})


def _member(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _missing(name: str) -> ProviderError:
    message = f"Required parameter {name} is missing (null)."
    return ProviderError(400, "InvalidParameter", message, extra={"target": name})
