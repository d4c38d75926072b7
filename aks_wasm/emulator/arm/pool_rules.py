"""What AKS refuses about an agent pool before anything is made."""

from __future__ import annotations

import re

from aks_wasm.emulator.arm import skus
from aks_wasm.emulator.arm.context import Document
from aks_wasm.emulator.arm.errors import ProviderError, bad_request, invalid_parameter
from aks_wasm.emulator.arm.pool_model import Ground

MAX_NODES = 1000
_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")
_TAINT = re.compile(r"[\w./-]+(=[\w.-]*)?:(NoSchedule|PreferNoSchedule|NoExecute)")
_SYSTEM_MEMORY_GIB = 3.5  # DS1_v2 (1 core) is too low, DS2_v2 and B2s pass (azure-dev-docs#216)


def check(ground: Ground, name: str, properties: Document) -> None:
    """Judge a pool by itself.

    Raises:
        ProviderError: 400 with AKS's code and text for the first thing wrong.
    """
    _check_name(name, properties)
    _check_known_values(properties)
    _check_size(ground, name, properties)
    _check_zones(ground, name, properties)
    _check_count(properties)
    _check_autoscaler(properties)
    _check_nodes(properties)
    if properties.get("scaleSetPriority") == "Spot" and properties["mode"] == "System":
        raise invalid_parameter("agentPoolProfile.scaleSetPriority", "System node pools can't use spot machines.")


def _check_name(name: str, properties: Document) -> None:
    too_long = properties["osType"] == "Windows" and len(name) > 6
    if not _NAME.fullmatch(name) or too_long:
        raise invalid_parameter("agentPoolProfile.name", "Please see https://aka.ms/aks-naming-rules for more details.")


def _check_known_values(properties: Document) -> None:
    known = {
        "mode": ("System", "User"),
        "osType": ("Linux", "Windows"),
        "workloadRuntime": ("OCIContainer", "WasmWasi", "KataMshvVmIsolation", "KataVmIsolation"),
        "scaleSetPriority": ("Regular", "Spot"),
        "osSKU": (
            *("Ubuntu", "Ubuntu2204", "Ubuntu2404", "AzureLinux", "AzureLinux3"),
            *("Windows2019", "Windows2022", "Windows2025"),
        ),
    }
    for name, values in known.items():
        if properties.get(name) not in {None, *values}:
            given, allowed = properties[name], ", ".join(values)
            raise invalid_parameter(f"agentPoolProfile.{name}", f"'{given}' is not one of: {allowed}.")
    if properties["osType"] == "Windows":
        message = "Windows agent pools are not emulated yet by the aks-wasm emulator."
        raise ProviderError(400, "NotEmulatedYet", message)


def _check_size(ground: Ground, name: str, properties: Document) -> None:
    usable = skus.usable(ground.location)
    size = usable.get(str(properties["vmSize"]).lower())
    if size is None:
        available = ",".join(sorted(usable))
        raise bad_request(
            f"The VM size of {properties['vmSize']} is not allowed in your subscription in location "
            f"'{ground.location}'. The available VM sizes are '{available}'. "
            "For more details, please visit https://aka.ms/aks/quotas-skus-regions"
        )
    if properties["mode"] == "System" and (size.vcpus < 2 or size.memory_gib < _SYSTEM_MEMORY_GIB):
        message = f"System node pool must use VM sku with more than 2 cores and 4GB memory. Nodepool name: {name}."
        raise ProviderError(400, "SystemPoolSkuTooLow", message)


def _check_zones(ground: Ground, name: str, properties: Document) -> None:
    asked = properties.get("availabilityZones") or []
    supported = skus.zones_of(ground.location, skus.size_named(properties["vmSize"]))
    if any(zone not in supported for zone in asked):
        message = (
            f"The zone(s) '{','.join(asked)}' for resource '{name}' is not supported. "
            f"The supported zones for location '{ground.location}' are '{','.join(supported)}'"
        )
        raise ProviderError(400, "AvailabilityZoneNotSupported", message)


def _check_count(properties: Document) -> None:
    count, system = properties["count"], properties["mode"] == "System"
    lowest = 1 if system else 0
    if not isinstance(count, int) or not lowest <= count <= MAX_NODES:
        kind = "system" if system else "user"
        reason = f"The count of a {kind} node pool should be in the range of [{lowest}, {MAX_NODES}]."
        raise invalid_parameter("agentPoolProfile.count", reason)
    pods = properties["maxPods"]
    if not isinstance(pods, int) or not 10 <= pods <= 250:
        reason = "The value of maxPods should be in the range of [10, 250]."
        raise invalid_parameter("agentPoolProfile.maxPods", reason)


def _check_autoscaler(properties: Document) -> None:
    low, high = properties.get("minCount"), properties.get("maxCount")
    if not properties["enableAutoScaling"]:
        if low is not None or high is not None:
            reason = "minCount and maxCount are only allowed when enableAutoScaling is true."
            raise invalid_parameter("agentPoolProfile.enableAutoScaling", reason)
        return
    lowest = 1 if properties["mode"] == "System" else 0
    if not isinstance(low, int) or not isinstance(high, int) or not lowest <= low <= high <= MAX_NODES:
        reason = f"Expected {lowest} <= minCount <= maxCount <= {MAX_NODES} with enableAutoScaling."
        raise invalid_parameter("agentPoolProfile.minCount", reason)
    if not low <= properties["count"] <= high:
        reason = f"The count must be in the range of minCount and maxCount [{low}, {high}]."
        raise invalid_parameter("agentPoolProfile.count", reason)


def _check_nodes(properties: Document) -> None:
    for taint in properties.get("nodeTaints") or []:
        if not _TAINT.fullmatch(str(taint)):
            reason = f"The taint '{taint}' is not of the form key=value:effect."
            raise invalid_parameter("agentPoolProfile.nodeTaints", reason)
    labels = properties.get("nodeLabels") or {}
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise invalid_parameter("agentPoolProfile.nodeLabels", "Labels are a map of strings.")


def require_system_pool(pools: list[Document]) -> None:
    """Refuse a cluster without a System pool.

    Args:
        pools: The properties of all pools the cluster is to have.

    Raises:
        ProviderError: 400 MustDefineAtLeastOneSystemPool.
    """
    if not any(properties["mode"] == "System" for properties in pools):
        message = "Must define at least one system pool."
        raise ProviderError(400, "MustDefineAtLeastOneSystemPool", message)
