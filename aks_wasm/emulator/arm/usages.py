"""Core quotas: what is used, what is left, and AKS's refusals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from aks_wasm.emulator.arm import versions
from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.errors import ProviderError
from aks_wasm.emulator.arm.inventory import CLUSTERS, POOLS, within
from aks_wasm.emulator.arm.regions import REGIONS, normalized
from aks_wasm.emulator.arm.responses import page
from aks_wasm.emulator.arm.routing import Call, Reply, Route
from aks_wasm.emulator.arm.skus import in_region, size_named

LIMITS = {"cores": 350, "lowprioritycores": 100}
FAMILY_LIMIT = 100
_CORES, _SPOT = "cores", "lowprioritycores"


def used(arm: Arm, location: str) -> Counter[str]:
    """Return the cores in use in a region by usage name, lower case."""
    total: Counter[str] = Counter()
    for cluster in within(arm, CLUSTERS, ""):
        if cluster["location"] != location:
            continue
        for pool in within(arm, POOLS, cluster["id"]):
            if pool["power"] == "Running" and pool["state"] != "Deleting":
                total += _cores(pool["properties"], pool["properties"]["count"])
    return total


def limit(arm: Arm, usage: str) -> int:
    """Return the limit of a usage: a scripted one, one handed in, or the usual one."""
    name = usage.lower()
    given = {key.lower(): value for key, value in arm.context.limits.items()}
    limits: dict[str, int] = {**LIMITS, **given, **arm.context.faults.limits()}
    return limits.get(name, FAMILY_LIMIT)


def check(arm: Arm, location: str, changes: Sequence[tuple[Document | None, Document]]) -> None:
    """Refuse pools that the quotas have no room for; a surge node counts with every pool that grows.

    Args:
        arm: The service.
        location: The region.
        changes: (properties before or None, properties wanted) of each pool.

    Raises:
        ProviderError: 400 ErrCode_InsufficientVCPUQuota.
    """
    requested: Counter[str] = Counter()
    for before, wanted in changes:
        more = wanted["count"] - (before["count"] if before else 0)
        if more > 0:
            requested += _cores(wanted, more + _surge(wanted))
    in_use = used(arm, location)
    for usage, cores in sorted(requested.items(), key=lambda item: item[0] in {_CORES, _SPOT}):
        left = limit(arm, usage) - in_use[usage]
        if cores > left:
            raise insufficient(location, usage, requested=cores, left=left)


def insufficient(location: str, usage: str, *, requested: int, left: int) -> ProviderError:
    """Return AKS's refusal; regional and family quotas have different texts."""
    more = (
        " If you want to increase the quota, please follow this instruction: "
        "https://learn.microsoft.com/en-us/azure/quotas/view-quotas. Surge nodes would also consume vcpu quota, "
        "please consider use smaller maxSurge or use maxUnavailable to proceed upgrade without surge nodes, "
        "details: aka.ms/aks/maxUnavailable."
    )
    if usage.lower() == _CORES:
        message = (
            f"Insufficient regional vcpu quota left for location {location}. left regional vcpu quota {left}, "
            f"requested quota {requested}.{more}"
        )
    else:
        family = next((size.family for size in in_region(location) if size.family.lower() == usage.lower()), usage)
        message = (
            f"Insufficient vcpu quota requested {requested}, remaining {left} for family {family} "
            f"for region {location}.{more}"
        )
    return ProviderError(400, "ErrCode_InsufficientVCPUQuota", message)


def _cores(properties: Document, nodes: int) -> Counter[str]:
    size = size_named(properties["vmSize"])
    cores = nodes * size.vcpus
    if properties.get("scaleSetPriority") == "Spot":
        return Counter({_SPOT: cores})
    return Counter({_CORES: cores, size.family.lower(): cores})


def _surge(properties: Document) -> int:
    surge = str((properties.get("upgradeSettings") or {}).get("maxSurge") or "0")
    if surge.endswith("%"):
        return math.ceil(int(properties["count"]) * float(surge[:-1]) / 100)
    return int(surge)


def _list(arm: Arm, call: Call) -> Reply:
    location = normalized(call["location"])
    if location not in REGIONS:
        raise versions.no_provider(versions.USAGES, call.api_version, call["location"], tuple(REGIONS))
    families = dict.fromkeys(size.family for size in in_region(location))
    names = {
        "cores": "Total Regional vCPUs",
        "lowPriorityCores": "Total Regional Low-priority vCPUs",
        **{family: f"{family.removeprefix('standard').removesuffix('Family')} Family vCPUs" for family in families},
    }
    in_use = used(arm, location)
    shown = [
        {
            "limit": limit(arm, name),
            "unit": "Count",
            "currentValue": in_use[name.lower()],
            "name": {"value": name, "localizedValue": localized},
        }
        for name, localized in names.items()
    ]
    return page(arm, call, shown, size=len(shown))


ROUTES = (
    Route(
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/usages",
        _list,
        versions.USAGES,
    ),
)
