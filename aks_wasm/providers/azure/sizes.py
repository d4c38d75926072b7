"""What Azure says about machine sizes and quota, and what follows for a spec; pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aks_wasm.errors import Problem, Shortage
from aks_wasm.spec.models import Arch

_ARCHS: Mapping[str, Arch] = {"x64": "amd64", "arm64": "arm64"}
_REGION_QUOTA, _SPOT_QUOTA = "cores", "lowprioritycores"
_QUOTA_HINT = "ask for more quota (https://aka.ms/aks/quotas-skus-regions), or choose another size or location"
_LEAST_VCPUS, _LEAST_MEMORY = 2, 4.0  # of a system pool's machine (aks/use-system-pools)

Document = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """A machine size in one location, as the Compute SKUs API has it.

    Attributes:
        name: For example `Standard_D2ps_v5`.
        family: What its quota is counted under.
        vcpus: Virtual CPUs.
        memory_gib: Memory.
        arch: Its architecture.
        zones: Availability zones it is in.
        blocked: Why the subscription can't have it here, or None.
        blocked_zones: Zones in which the subscription can't have it.
    """

    name: str
    family: str
    vcpus: int
    memory_gib: float
    arch: Arch
    zones: frozenset[str] = frozenset()
    blocked: str | None = None
    blocked_zones: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Need:
    """Machines that are to be made.

    Attributes:
        field: Where in the file they are asked for.
        size: The machine size.
        arch: What the file says of the architecture, or None.
        count: How many more than there are.
        spot: Whether they are spot machines.
        zones: Availability zones.
        system: Whether AKS' own pods run on them.
    """

    field: str
    size: str
    arch: Arch | None
    count: int
    spot: bool = False
    zones: tuple[str, ...] = ()
    system: bool = False


def sizes_of(skus: Iterable[Document], location: str) -> dict[str, Size]:
    """Return the virtual machine sizes of a location, by lower-case name."""
    found: dict[str, Size] = {}
    for sku in skus:
        places = [str(place).lower() for place in sku.get("locations") or ()]
        if sku.get("resourceType") == "virtualMachines" and location in places:
            found[sku["name"].lower()] = _size(sku, location)
    return found


def _size(sku: Document, location: str) -> Size:
    can = {item["name"]: item["value"] for item in sku.get("capabilities") or ()}
    zones = [
        zone
        for info in sku.get("locationInfo") or ()
        if str(info.get("location", "")).lower() == location
        for zone in info.get("zones") or ()
    ]
    blocked, blocked_zones = _restrictions(sku)
    return Size(
        name=sku["name"],
        family=sku.get("family") or "",
        vcpus=int(can.get("vCPUs") or 0),
        memory_gib=float(can.get("MemoryGB") or 0),
        arch=_ARCHS.get(str(can.get("CpuArchitectureType", "x64")).lower(), "amd64"),
        zones=frozenset(zones),
        blocked=blocked,
        blocked_zones=blocked_zones,
    )


def _restrictions(sku: Document) -> tuple[str | None, frozenset[str]]:
    blocked: str | None = None
    zones: set[str] = set()
    for restriction in sku.get("restrictions") or ():
        if restriction.get("type") == "Location":
            blocked = restriction.get("reasonCode") or "NotAvailableForSubscription"
        elif restriction.get("type") == "Zone":
            zones.update((restriction.get("restrictionInfo") or {}).get("zones") or ())
    return blocked, frozenset(zones)


def size_problems(needs: Sequence[Need], sizes: Mapping[str, Size], location: str) -> list[Problem]:
    """Return what is wrong with the sizes: unknown, not available here, of another architecture, not in a zone."""
    return [problem for need in needs for problem in _problems_of(need, sizes, location)]


def _problems_of(need: Need, sizes: Mapping[str, Size], location: str) -> Iterable[Problem]:
    field = f"{need.field}.vmSize"
    size = sizes.get(need.size.lower())
    if size is None:
        near = [sizes[name].name for name in difflib.get_close_matches(need.size.lower(), sizes, 3)]
        hint = f"did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else _alternatives(need, sizes)
        yield Problem(field, f"`{need.size}` is not a machine size in {location}", hint)
        return
    if size.blocked:
        message = f"`{size.name}` is not available to the subscription in {location} ({size.blocked})"
        yield Shortage(field, message, _alternatives(need, sizes))
    if need.arch and size.arch != need.arch:
        yield Problem(field, f"`{size.name}` is {size.arch}, but `arch` is {need.arch}", "leave one of the two out")
    if need.system and (size.vcpus < _LEAST_VCPUS or size.memory_gib < _LEAST_MEMORY):
        yield Problem(field, f"`{size.name}` is too small for a system pool", "it takes 2 vCPUs and 4 GiB at least")
    away = [zone for zone in need.zones if zone not in size.zones or zone in size.blocked_zones]
    if away:
        there = ", ".join(sorted(size.zones - size.blocked_zones)) or "none"
        message = f"`{size.name}` is not in zone {', '.join(away)} of {location}"
        yield Problem(f"{need.field}.zones", message, f"zones it is in: {there}")


def _alternatives(need: Need, sizes: Mapping[str, Size]) -> str:
    fitting = [
        size
        for size in sizes.values()
        if not size.blocked and size.vcpus >= _LEAST_VCPUS and (need.arch is None or size.arch == need.arch)
    ]
    cheapest = sorted(fitting, key=lambda size: (size.vcpus, size.memory_gib, size.name))[:3]
    names = ", ".join(f"`{size.name}`" for size in cheapest)
    return f"for example {names}" if names else "choose another location"


def quota_problems(
    needs: Sequence[Need], sizes: Mapping[str, Size], usages: Iterable[Document], location: str
) -> list[Problem]:
    """Return which vCPU quota the needs exceed, all pools together: the region's, a family's, the spot machines'."""
    left = {
        str(usage["name"]["value"]).lower(): int(float(usage["limit"])) - int(float(usage["currentValue"]))
        for usage in usages
    }
    wanted: dict[str, int] = {}
    fields: dict[str, list[str]] = {}
    for need in needs:
        size = sizes.get(need.size.lower())
        if size is None or need.count <= 0:
            continue
        for quota in (_SPOT_QUOTA,) if need.spot else (_REGION_QUOTA, size.family.lower()):
            wanted[quota] = wanted.get(quota, 0) + size.vcpus * need.count
            fields.setdefault(quota, []).append(need.field)
    names = {size.family.lower(): size.family for size in sizes.values()}
    names |= {_REGION_QUOTA: "regional", _SPOT_QUOTA: "spot"}
    return [
        Shortage(
            ", ".join(fields[quota]),
            f"{vcpus} vCPUs are needed, {max(0, left[quota])} are left of the {names[quota]} quota in {location}",
            _QUOTA_HINT,
        )
        for quota, vcpus in wanted.items()
        if quota in left and vcpus > left[quota]
    ]
