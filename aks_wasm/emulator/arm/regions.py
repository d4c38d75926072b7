"""The regions of the emulated cloud."""

from __future__ import annotations

from aks_wasm.emulator.arm.errors import GatewayError

REGIONS = {
    "eastus": ("East US", "US", "3"),
    "eastus2": ("East US 2", "US", "3"),
    "centralus": ("Central US", "US", "3"),
    "northcentralus": ("North Central US", "US", ""),
    "southcentralus": ("South Central US", "US", "3"),
    "westus": ("West US", "US", ""),
    "westus2": ("West US 2", "US", "3"),
    "westus3": ("West US 3", "US", "3"),
    "canadacentral": ("Canada Central", "Canada", "3"),
    "brazilsouth": ("Brazil South", "South America", "3"),
    "northeurope": ("North Europe", "Europe", "3"),
    "westeurope": ("West Europe", "Europe", "3"),
    "uksouth": ("UK South", "UK", "3"),
    "francecentral": ("France Central", "Europe", "3"),
    "germanywestcentral": ("Germany West Central", "Europe", "3"),
    "switzerlandnorth": ("Switzerland North", "Europe", "3"),
    "swedencentral": ("Sweden Central", "Europe", "3"),
    "norwayeast": ("Norway East", "Europe", "3"),
    "polandcentral": ("Poland Central", "Europe", "3"),
    "italynorth": ("Italy North", "Europe", "3"),
    "southeastasia": ("Southeast Asia", "Asia Pacific", "3"),
    "eastasia": ("East Asia", "Asia Pacific", "3"),
    "japaneast": ("Japan East", "Asia Pacific", "3"),
    "koreacentral": ("Korea Central", "Asia Pacific", "3"),
    "centralindia": ("Central India", "Asia Pacific", "3"),
    "australiaeast": ("Australia East", "Asia Pacific", "3"),
    "uaenorth": ("UAE North", "Middle East", "3"),
    "southafricanorth": ("South Africa North", "Africa", "3"),
}
"""Name to (display name, geography group, number of availability zones as text or empty)."""


def normalized(location: str) -> str:
    """Return `westus2` for `West US 2`; Resource Manager takes both."""
    return location.replace(" ", "").lower()


def zones(location: str) -> tuple[str, ...]:
    """Return the availability zones of a region; none when it has none."""
    count = REGIONS[location][2]
    return tuple(str(zone) for zone in range(1, int(count or 0) + 1))


def group_location(location: object) -> str:
    """Return the normalized region of a resource group.

    Raises:
        GatewayError: It is missing or unknown.
    """
    known = _given(location)
    if known not in REGIONS:
        regions = ",".join(REGIONS)
        message = (
            f"The provided location '{location}' is not available for resource group. "
            f"List of available regions is '{regions}'."
        )
        raise GatewayError(400, "LocationNotAvailableForResourceGroup", message)
    return known


def _given(location: object) -> str:
    if not isinstance(location, str) or not location:
        message = "The location property is required for this definition."
        raise GatewayError(400, "LocationRequired", message)
    return normalized(location)


def known_or_none(location: object) -> str | None:
    """Return the normalized region, or None when there is no such region.

    Raises:
        GatewayError: It is missing.
    """
    known = _given(location)
    return known if known in REGIONS else None
