"""The VM sizes of the emulated cloud, as the Compute SKUs API lists them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aks_wasm.emulator.arm import filters, versions
from aks_wasm.emulator.arm.context import Arm
from aks_wasm.emulator.arm.regions import REGIONS, normalized, zones
from aks_wasm.emulator.arm.responses import page
from aks_wasm.emulator.arm.routing import Call, Reply, Route

_PAGE = 50  # one region fits on a page


@dataclass(frozen=True)
class VmSize:
    """One VM size.

    Attributes:
        name: For example `Standard_D2ps_v5`.
        family: The name of its quota.
        vcpus: Virtual CPUs.
        memory_gib: Memory.
        ephemeral_gib: Largest ephemeral OS disk; 0 when there is none.
        arm: Whether it is Arm64; x64 otherwise.
        generations: Of Hyper-V.
        premium: Whether it takes premium disks.
    """

    name: str
    family: str
    vcpus: int
    memory_gib: float
    ephemeral_gib: int = 0
    arm: bool = False
    generations: str = "V1,V2"
    premium: bool = True

    @property
    def arch(self) -> str:
        """The architecture in Kubernetes' words."""
        return "arm64" if self.arm else "amd64"


def _arm64(name: str, family: str, vcpus: int, memory_gib: float, ephemeral_gib: int = 0) -> VmSize:
    return VmSize(name, family, vcpus, memory_gib, ephemeral_gib, arm=True, generations="V2")


SIZES = {
    size.name.lower(): size
    for size in (
        VmSize("Standard_A1_v2", "standardAv2Family", 1, 2, premium=False, generations="V1"),
        VmSize("Standard_B1s", "standardBSFamily", 1, 1),
        VmSize("Standard_B2s", "standardBSFamily", 2, 4),
        VmSize("Standard_B2ms", "standardBSFamily", 2, 8),
        VmSize("Standard_B2s_v2", "standardBsv2Family", 2, 8),
        VmSize("Standard_B2as_v2", "standardBasv2Family", 2, 8),
        _arm64("Standard_B2ps_v2", "standardBpsv2Family", 2, 8),
        _arm64("Standard_B2pls_v2", "standardBpsv2Family", 2, 4),
        VmSize("Standard_DS1_v2", "standardDSv2Family", 1, 3.5),
        VmSize("Standard_DS2_v2", "standardDSv2Family", 2, 7, 86),
        VmSize("Standard_D2s_v3", "standardDSv3Family", 2, 8, 50),
        VmSize("Standard_D4s_v3", "standardDSv3Family", 4, 16, 100),
        VmSize("Standard_D8a_v4", "standardDAv4Family", 8, 32, 200, premium=False),
        VmSize("Standard_D2s_v5", "standardDSv5Family", 2, 8),
        VmSize("Standard_D4s_v5", "standardDSv5Family", 4, 16),
        VmSize("Standard_D8s_v5", "standardDSv5Family", 8, 32),
        VmSize("Standard_D2ds_v5", "standardDDSv5Family", 2, 8, 75),
        VmSize("Standard_D4ds_v5", "standardDDSv5Family", 4, 16, 150),
        VmSize("Standard_D2as_v5", "standardDASv5Family", 2, 8),
        VmSize("Standard_D4as_v5", "standardDASv5Family", 4, 16),
        VmSize("Standard_D2s_v6", "StandardDsv6Family", 2, 8, generations="V2"),
        _arm64("Standard_D2ps_v5", "standardDPSv5Family", 2, 8),
        _arm64("Standard_D4ps_v5", "standardDPSv5Family", 4, 16),
        _arm64("Standard_D8ps_v5", "standardDPSv5Family", 8, 32),
        _arm64("Standard_D2pds_v5", "standardDPDSv5Family", 2, 8, 75),
        _arm64("Standard_D4pds_v5", "standardDPDSv5Family", 4, 16, 150),
        _arm64("Standard_D2pls_v5", "standardDPLSv5Family", 2, 4),
        _arm64("Standard_D2ps_v6", "StandardDpsv6Family", 2, 8),
        _arm64("Standard_D4ps_v6", "StandardDpsv6Family", 4, 16),
        _arm64("Standard_E2ps_v5", "standardEPSv5Family", 2, 16),
        VmSize("Standard_E2s_v5", "standardESv5Family", 2, 16),
        VmSize("Standard_F2s_v2", "standardFSv2Family", 2, 4, 16),
    )
}

# A rehearsal should meet what real subscriptions meet; dotnet/core#7603, jenkins-infra/helpdesk#3584.
_ABSENT = {
    "southafricanorth": ("ps_v", "pds_v", "pls_v"),
    "westus": ("ps_v5", "pds_v5", "pls_v5"),
    "brazilsouth": ("ps_v6",),
    "polandcentral": ("_v6",),
}  # region -> parts of the names of sizes it does not have
_RESTRICTED = {
    ("westus2", "standard_b2s"): "NotAvailableForSubscription",
    ("westeurope", "standard_ds2_v2"): "NotAvailableForSubscription",
    ("eastus", "standard_d8a_v4"): "QuotaId",
}
_RESTRICTED_ZONES = {("westeurope", "standard_d4pds_v5"): ("2",), ("eastus2", "standard_d2ps_v5"): ("1", "3")}


def in_region(location: str) -> list[VmSize]:
    """Return the sizes that a region has, restricted ones too."""
    absent = _ABSENT.get(location, ())
    return [size for name, size in SIZES.items() if not any(part in name for part in absent)]


def usable(location: str) -> dict[str, VmSize]:
    """Return the sizes that the subscription may use in a region, by lower-case name."""
    return {size.name.lower(): size for size in in_region(location) if (location, size.name.lower()) not in _RESTRICTED}


def zones_of(location: str, size: VmSize) -> tuple[str, ...]:
    """Return the zones in which the subscription may use a size."""
    closed = _RESTRICTED_ZONES.get((location, size.name.lower()), ())
    return tuple(zone for zone in zones(location) if zone not in closed)


def size_named(name: str) -> VmSize:
    """Return a known size; case does not matter.

    Raises:
        KeyError: There is none of that name.
    """
    return SIZES[name.lower()]


def _restrictions(location: str, size: VmSize) -> Iterable[dict[str, Any]]:
    if reason := _RESTRICTED.get((location, size.name.lower())):
        info = {"locations": [location]}
        yield {"type": "Location", "values": [location], "restrictionInfo": info, "reasonCode": reason}
    if closed := _RESTRICTED_ZONES.get((location, size.name.lower())):
        yield {
            "type": "Zone",
            "values": [location],
            "restrictionInfo": {"locations": [location], "zones": list(closed)},
            "reasonCode": "NotAvailableForSubscription",
        }


def _sku(location: str, size: VmSize) -> dict[str, Any]:
    capabilities = {
        "vCPUs": str(size.vcpus),
        "vCPUsAvailable": str(size.vcpus),
        "MemoryGB": f"{size.memory_gib:g}",
        "CpuArchitectureType": "Arm64" if size.arm else "x64",
        "HyperVGenerations": size.generations,
        "PremiumIO": str(size.premium),
        "LowPriorityCapable": str(not size.name.startswith("Standard_B")),
        "EphemeralOSDiskSupported": str(size.ephemeral_gib > 0),
        "AcceleratedNetworkingEnabled": str(size.vcpus > 1),
    }
    if size.ephemeral_gib:
        capabilities["CachedDiskBytes"] = str(size.ephemeral_gib * 1024**3)
    family, tier = size.family, size.name.partition("_")[0]
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": tier,
        "size": size.name.partition("_")[2],
        "family": family,
        "locations": [location],
        "locationInfo": [{"location": location, "zones": list(zones(location)), "zoneDetails": []}],
        "capabilities": [{"name": name, "value": value} for name, value in capabilities.items()],
        "restrictions": list(_restrictions(location, size)),
    }


def _others(location: str) -> list[dict[str, Any]]:
    """The list holds more than machines; who reads it must look at resourceType."""
    common: dict[str, Any] = {
        "locations": [location],
        "locationInfo": [{"location": location, "zones": [], "zoneDetails": []}],
        "capabilities": [],
        "restrictions": [],
    }
    return [
        {"resourceType": "availabilitySets", "name": "Aligned", **common},
        {"resourceType": "disks", "name": "Premium_LRS", "tier": "Premium", "size": "P10", **common},
    ]


def _list(arm: Arm, call: Call) -> Reply:
    asked = [
        normalized(value)
        for name, value, equal in filters.conditions(call.query.get("$filter"))
        if name == "location" and equal
    ]
    found = []
    for location in REGIONS:
        if not asked or location in asked:
            found += _others(location) + [_sku(location, size) for size in in_region(location)]
    return page(arm, call, found, size=_PAGE)


ROUTES = (Route("GET", "/subscriptions/{subscription}/providers/Microsoft.Compute/skus", _list, versions.SKUS),)
