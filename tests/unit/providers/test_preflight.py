"""What would fail later is found before anything is written, all of it at once."""

from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.providers.azure.preflight import location_problems, name_problems, needs_of, version_problems
from aks_wasm.providers.azure.sizes import Need, quota_problems, size_problems, sizes_of
from aks_wasm.providers.base import ObservedCluster, ObservedNodePool
from aks_wasm.spec.models import ClusterSpec


def sku(name: str, arch: str = "x64", vcpus: int = 2, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "family": f"family{arch}",
        "locations": ["WestUS2"],
        "locationInfo": [{"location": "westus2", "zones": ["1", "2"]}],
        "capabilities": [
            {"name": "vCPUs", "value": str(vcpus)},
            {"name": "MemoryGB", "value": "8"},
            {"name": "CpuArchitectureType", "value": arch},
        ],
        "restrictions": [],
        **more,
    }


SKUS = [
    sku("Standard_D2s_v5"),
    sku("Standard_D2ps_v5", "Arm64"),
    sku("Standard_B1s", vcpus=1),
    sku("Standard_D4s_v5", vcpus=4, restrictions=[{"type": "Location", "reasonCode": "NotAvailableForSubscription"}]),
    sku("Standard_D8s_v5", vcpus=8, restrictions=[{"type": "Zone", "restrictionInfo": {"zones": ["2"]}}]),
    {**sku("Standard_E2s_v5"), "locations": ["eastus"]},
    {**sku("disk"), "resourceType": "disks"},
]
SIZES = sizes_of(SKUS, "westus2")


def usage(name: str, limit: int | str, used: int) -> dict[str, Any]:
    return {"limit": limit, "currentValue": used, "name": {"value": name}}


def spec(**document: Any) -> ClusterSpec:
    return ClusterSpec.model_validate({"metadata": {"name": "hello"}, **document})


def cluster(*pools: ObservedNodePool) -> ObservedCluster:
    return ObservedCluster("hello", "Succeeded", "westus2", "1.35.5", {}, pools)


def test_sizes_are_those_of_the_location() -> None:
    assert "standard_e2s_v5" not in SIZES
    assert "disk" not in SIZES
    assert SIZES["standard_d2ps_v5"].arch == "arm64"
    assert SIZES["standard_d2s_v5"].zones == {"1", "2"}


@pytest.mark.parametrize(
    ("need", "field", "message", "hint"),
    [
        (
            Need("nodePools.0", "Standard_D2sv5", None, 1),
            "nodePools.0.vmSize",
            "`Standard_D2sv5` is not a machine size in westus2",
            "did you mean `Standard_D2s_v5`",
        ),
        (
            Need("nodePools.0", "Standard_D4s_v5", None, 1),
            "nodePools.0.vmSize",
            "`Standard_D4s_v5` is not available to the subscription in westus2 (NotAvailableForSubscription)",
            "for example `Standard_D2ps_v5`, `Standard_D2s_v5`",
        ),
        (
            Need("nodePools.0", "Standard_D2s_v5", "arm64", 1),
            "nodePools.0.vmSize",
            "`Standard_D2s_v5` is amd64, but `arch` is arm64",
            "leave one",
        ),
        (
            Need("cluster.systemPool", "Standard_B1s", None, 1, system=True),
            "cluster.systemPool.vmSize",
            "`Standard_B1s` is too small for a system pool",
            "2 vCPUs and 4 GiB",
        ),
        (
            Need("nodePools.0", "Standard_D8s_v5", None, 1, zones=("1", "2", "3")),
            "nodePools.0.zones",
            "`Standard_D8s_v5` is not in zone 2, 3 of westus2",
            "zones it is in: 1",
        ),
    ],
)
def test_a_size_that_will_not_do_is_told_with_a_way_out(need: Need, field: str, message: str, hint: str) -> None:
    (problem,) = size_problems([need], SIZES, "westus2")
    assert (problem.field, problem.message) == (field, message)
    assert problem.hint is not None
    assert hint in problem.hint


def test_good_sizes_have_no_problem() -> None:
    needs = [Need("a", "standard_d2s_v5", "amd64", 1, zones=("1",)), Need("b", "Standard_D2ps_v5", "arm64", 1)]
    assert size_problems(needs, SIZES, "westus2") == []


def test_quota_counts_all_pools_together() -> None:
    needs = [Need("cluster.systemPool", "Standard_D2s_v5", None, 1), Need("nodePools.0", "Standard_D2ps_v5", None, 3)]
    usages = [usage("cores", "10", 4), usage("familyx64", 100, 0), usage("familyArm64", 4, 0)]
    regional, family = quota_problems(needs, SIZES, usages, "westus2")
    assert regional.field == "cluster.systemPool, nodePools.0"
    assert regional.message == "8 vCPUs are needed, 6 are left of the regional quota in westus2"
    assert family.field == "nodePools.0"
    assert family.message == "6 vCPUs are needed, 4 are left of the familyArm64 quota in westus2"
    assert regional.hint is not None


def test_spot_machines_have_a_quota_of_their_own() -> None:
    needs = [Need("nodePools.0", "Standard_D2s_v5", None, 2, spot=True)]
    usages = [usage("cores", 0, 0), usage("familyx64", 0, 0), usage("lowPriorityCores", 3, 0)]
    (problem,) = quota_problems(needs, SIZES, usages, "westus2")
    assert "of the spot quota" in problem.message


def test_enough_quota_and_unknown_quota_are_no_problem() -> None:
    assert quota_problems([Need("a", "Standard_D2s_v5", None, 5)], SIZES, [usage("cores", 10, 0)], "westus2") == []


def test_a_new_cluster_needs_its_system_pool_and_all_others() -> None:
    needs = needs_of(
        spec(nodePools=[{"name": "a", "arch": "arm64", "count": 2}, {"name": "b", "min": 0, "max": 3}]), None
    )
    assert [(need.field, need.size, need.count) for need in needs] == [
        ("cluster.systemPool", "Standard_D2s_v5", 1),
        ("nodePools.0", "Standard_D2ps_v5", 2),
        ("nodePools.1", "Standard_D2s_v5", 0),
    ]


def test_a_cluster_that_is_complete_needs_nothing() -> None:
    pool = ObservedNodePool("wasm", "Succeeded", "User", 1, vm_size="Standard_D2s_v5")
    assert needs_of(spec(), cluster(pool)) == []


def test_only_the_machines_that_are_missing_are_needed() -> None:
    pool = ObservedNodePool("wasm", "Succeeded", "User", 1, vm_size="Standard_D4s_v5")
    (need,) = needs_of(spec(nodePools=[{"name": "wasm", "count": 3}]), cluster(pool))
    assert (need.size, need.count) == ("Standard_D4s_v5", 2)


def test_a_system_size_alone_brings_its_own_architecture() -> None:
    (need, _) = needs_of(spec(cluster={"systemPool": {"vmSize": "Standard_D2ps_v5"}}), None)
    assert need.arch is None


def test_an_unknown_location_names_its_neighbours() -> None:
    (problem,) = location_problems("westeurop", ["westeurope", "westus2"])
    assert problem.field == "azure.location"
    assert problem.hint == "did you mean `westeurope` or `westus2`?"
    assert location_problems("westus2", ["westus2"]) == []


def test_an_unknown_version_lists_those_offered() -> None:
    offered = [{"version": "1.9", "patchVersions": {}}, {"version": "1.35", "patchVersions": {"1.35.5": {}}}]
    (problem,) = version_problems("1.20", offered, "westus2")
    assert problem.message == "AKS does not offer Kubernetes 1.20 in westus2"
    assert problem.hint == "offered: 1.35, 1.9; leave it out for the service's default"
    for good in (None, "1.35", "1.35.5"):
        assert version_problems(good, offered, "westus2") == []


def test_names_that_make_too_long_a_node_group_are_told() -> None:
    long = ClusterSpec.model_validate({"metadata": {"name": "a" * 40}})
    (problem,) = name_problems(long, "westus2", None)
    assert "would have 92 characters, AKS takes 80" in problem.message
    assert name_problems(long, "westus2", cluster()) == []
