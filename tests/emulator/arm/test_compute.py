"""VM sizes and quotas: the lists, and the refusals that follow from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.emulator.arm.azure import Azure, Place, cluster_body, pool_body

SKUS = "2021-07-01"
USAGES = "2026-04-01"


def skus(azure: Azure, location: str) -> dict[str, dict[str, Any]]:
    path = f"/subscriptions/{azure.subscription}/providers/Microsoft.Compute/skus"
    answer = azure.call("GET", path, version=SKUS, params={"$filter": f"location eq '{location}'"}).json()
    return {sku["name"]: sku for sku in answer["value"]}


def usages(azure: Azure, location: str = "westeurope") -> dict[str, dict[str, Any]]:
    path = f"/subscriptions/{azure.subscription}/providers/Microsoft.Compute/locations/{location}/usages"
    values = azure.call("GET", path, version=USAGES).json()["value"]
    return {usage["name"]["value"]: usage for usage in values}


def capabilities(sku: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in sku["capabilities"]}


def test_a_size_tells_architecture_cores_and_zones(azure: Azure) -> None:
    found = skus(azure, "westus2")
    assert len(found) > 25
    size = found["Standard_D2ps_v5"]
    assert (size["resourceType"], size["family"]) == ("virtualMachines", "standardDPSv5Family")
    assert size["locations"] == ["westus2"]
    assert size["locationInfo"][0]["zones"] == ["1", "2", "3"]
    assert {"vCPUs": "2", "MemoryGB": "8", "CpuArchitectureType": "Arm64", "HyperVGenerations": "V2"}.items() <= (
        capabilities(size).items()
    )
    assert capabilities(found["Standard_D2s_v5"])["CpuArchitectureType"] == "x64"
    assert capabilities(found["Standard_D2pds_v5"])["EphemeralOSDiskSupported"] == "True"
    assert found["Premium_LRS"]["resourceType"] == "disks"


def test_regions_differ_in_sizes_zones_and_restrictions(azure: Azure) -> None:
    assert skus(azure, "westus")["Standard_D2s_v5"]["locationInfo"][0]["zones"] == []
    assert "Standard_D2ps_v5" not in skus(azure, "westus")
    restricted = skus(azure, "westus2")["Standard_B2s"]["restrictions"]
    assert restricted[0]["type"] == "Location"
    assert restricted[0]["reasonCode"] == "NotAvailableForSubscription"
    zones = skus(azure, "westeurope")["Standard_D4pds_v5"]["restrictions"]
    assert (zones[0]["type"], zones[0]["restrictionInfo"]["zones"]) == ("Zone", ["2"])
    assert skus(azure, "atlantis") == {}


def test_all_regions_come_in_pages(azure: Azure) -> None:
    path = f"/subscriptions/{azure.subscription}/providers/Microsoft.Compute/skus"
    answer = azure.call("GET", path, version=SKUS).json()
    assert len(answer["value"]) == 50
    assert "nextLink" in answer


def test_usages_count_the_pools_there_are(place: Place) -> None:
    before = usages(place.azure)
    assert before["standardDSv5Family"]["limit"] == 100
    place.make_cluster()
    place.make_pool("wasm", count=3)
    place.make_pool("spot", scaleSetPriority="Spot")
    after = usages(place.azure)
    grown = {name: after[name]["currentValue"] - before[name]["currentValue"] for name in after}
    assert {name: cores for name, cores in grown.items() if cores} == {
        "cores": 8,
        "standardDSv5Family": 2,
        "standardDPSv5Family": 6,
        "lowPriorityCores": 2,
    }
    assert usages(place.azure, "northeurope")["cores"]["currentValue"] == 0
    path = f"/subscriptions/{place.azure.subscription}/providers/Microsoft.Compute/locations/atlantis/usages"
    assert place.call("GET", path, version=USAGES).status_code == 400


@contextmanager
def limited(azure: Azure, usage: str, limit: int) -> Iterator[None]:
    with azure.fault("quota", "", usage=usage, limit=limit, times=None):
        yield


def test_regional_cores_run_out_surge_included(place: Place) -> None:
    with limited(place.azure, "cores", 5):
        assert usages(place.azure)["cores"]["limit"] == 5
        body = cluster_body()
        body["properties"]["agentPoolProfiles"][0]["count"] = 2
        answer = place.call("PUT", place.cluster(), body)
    assert (answer.status_code, answer.json()["code"]) == (400, "ErrCode_InsufficientVCPUQuota")
    assert answer.json()["message"].startswith(
        "Insufficient regional vcpu quota left for location westeurope. left regional vcpu quota 5, requested quota 6. "
    )
    assert place.call("GET", place.cluster()).status_code == 404


@pytest.mark.parametrize(
    ("usage", "change", "name"),
    [
        ("standardDPSv5Family", {}, "standardDPSv5Family"),
        ("lowPriorityCores", {"scaleSetPriority": "Spot"}, "lowprioritycores"),
    ],
)
def test_a_family_or_spot_quota_runs_out(place: Place, usage: str, change: dict[str, Any], name: str) -> None:
    place.make_cluster()
    with limited(place.azure, usage, 1):
        answer = place.call("PUT", place.pool("p"), pool_body(**change))
    assert answer.status_code == 400
    assert f"remaining 1 for family {name} for region westeurope." in answer.json()["message"]


def test_scaling_asks_for_what_is_added_and_shrinking_for_nothing(place: Place) -> None:
    place.make_cluster()
    place.make_pool("p", count=4)
    with limited(place.azure, "standardDPSv5Family", 8):
        assert place.call("PUT", place.pool("p"), pool_body(count=5)).status_code == 400
        answer = place.call("PUT", place.pool("p"), pool_body(count=3))
        assert answer.status_code == 200
        place.azure.ended(answer)


def test_limits_may_be_handed_in(place: Place) -> None:
    place.azure.server.limits["standardDSv5Family"] = 3
    try:
        answer = place.call("PUT", place.cluster(), cluster_body())
    finally:
        place.azure.server.limits.clear()
    assert "requested 4, remaining 3 for family standardDSv5Family" in answer.json()["message"]
