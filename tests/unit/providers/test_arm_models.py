"""Our words to ARM's documents and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from azure.mgmt.containerservice.models import ManagedClusterProperties

from aks_wasm.providers.azure.models import (
    _CLUSTER_WRITABLE,
    DEFAULT_SIZES,
    cluster_body,
    cluster_retry,
    dns_prefix,
    observed_cluster,
    observed_group,
    pool_change,
    pool_properties,
    unchangeable,
    vm_size_of,
)
from aks_wasm.providers.base import ClusterRequest, NodePoolRequest

WASM = NodePoolRequest("wasm", "arm64", None, "shim", 2, labels={"a": "b"}, taints=("w=t:NoSchedule",))
SYSTEM = NodePoolRequest("system", "amd64", None, "shim", 1, mode="System")


def live_pool(request: NodePoolRequest = WASM, **properties: Any) -> dict[str, Any]:
    return {
        "name": request.name,
        "properties": {
            **pool_properties(request, "me"),
            "provisioningState": "Succeeded",
            "eTag": "1f",
            "nodeImageVersion": "AKSUbuntu-2404gen2arm64containerd-202607.09.0",
            **properties,
        },
    }


def test_a_cluster_is_asked_for_with_its_pools_in_one_body() -> None:
    request = ClusterRequest("hello", "westeurope", "1.35", "Standard", (SYSTEM, WASM), {"aks-wasm-owner": "hello"})
    assert cluster_body(request) == {
        "location": "westeurope",
        "tags": {"aks-wasm-owner": "hello"},
        "identity": {"type": "SystemAssigned"},
        "sku": {"name": "Base", "tier": "Standard"},
        "properties": {
            "dnsPrefix": "hello",
            "enableRBAC": True,
            "kubernetesVersion": "1.35",
            "networkProfile": {"networkPlugin": "azure", "networkPluginMode": "overlay"},
            "agentPoolProfiles": [
                {
                    "name": "system",
                    "count": 1,
                    "vmSize": "Standard_D2s_v5",
                    "osType": "Linux",
                    "type": "VirtualMachineScaleSets",
                    "mode": "System",
                    "enableAutoScaling": False,
                    "tags": {"aks-wasm-owner": "hello"},
                },
                {
                    "name": "wasm",
                    "count": 2,
                    "vmSize": "Standard_D2ps_v5",
                    "osType": "Linux",
                    "type": "VirtualMachineScaleSets",
                    "mode": "User",
                    "enableAutoScaling": False,
                    "nodeLabels": {"a": "b"},
                    "nodeTaints": ["w=t:NoSchedule"],
                    "tags": {"aks-wasm-owner": "hello", "aks-wasm-route": "shim"},
                },
            ],
        },
    }


def test_without_a_version_the_service_chooses() -> None:
    body = cluster_body(ClusterRequest("hello", "westeurope", None, "Free", (SYSTEM,), {}))
    assert "kubernetesVersion" not in body["properties"]


def test_a_preview_pool_names_its_runtime_and_an_ordinary_one_does_not() -> None:
    assert pool_properties(replace(WASM, route="wasi-preview"), None)["workloadRuntime"] == "WasmWasi"
    assert "workloadRuntime" not in pool_properties(WASM, None)


def test_a_spot_pool_that_scales_itself_in_zones() -> None:
    properties = pool_properties(replace(WASM, count=0, min=0, max=3, spot=True, zones=("1", "2")), None)
    assert properties["enableAutoScaling"] is True
    assert (properties["minCount"], properties["maxCount"], properties["count"]) == (0, 3, 0)
    assert properties["scaleSetPriority"] == "Spot"
    assert properties["spotMaxPrice"] == -1
    assert properties["availabilityZones"] == ["1", "2"]


def test_the_size_follows_from_the_architecture_unless_it_is_given() -> None:
    assert vm_size_of(None, "arm64") == DEFAULT_SIZES["arm64"]
    assert vm_size_of(None, None) == DEFAULT_SIZES["amd64"]
    assert vm_size_of("Standard_B2s", "arm64") == "Standard_B2s"


@pytest.mark.parametrize(
    ("name", "prefix"), [("hello", "hello"), ("a" * 60, "a" * 54), ("a.b", "a-b"), ("-", "aks-wasm")]
)
def test_the_dns_prefix_is_one_that_aks_takes(name: str, prefix: str) -> None:
    assert dns_prefix(name) == prefix


def test_a_pool_that_is_as_asked_needs_no_change() -> None:
    assert pool_change(live_pool(), WASM) is None


def test_what_others_put_on_a_pool_stays() -> None:
    live = live_pool(nodeLabels={"a": "b", "other": "x"}, nodeTaints=["o=t:NoSchedule", "w=t:NoSchedule"])
    assert pool_change(live, WASM) is None
    change = pool_change(live, replace(WASM, labels={"c": "d"}))
    assert change is not None
    assert change["nodeLabels"] == {"a": "b", "other": "x", "c": "d"}


def test_a_label_is_taken_off_and_the_others_stay() -> None:
    live = live_pool(replace(WASM, labels={"a": "b", "mine": "1"}))
    change = pool_change(live, replace(WASM, labels={"a": "b"}, unlabel=("mine",)))
    assert change is not None
    assert change["nodeLabels"] == {"a": "b"}
    assert pool_change(live_pool(replace(WASM, labels={"a": "b"})), replace(WASM, unlabel=("mine",))) is None


def test_scaling_changes_the_count_and_keeps_the_rest() -> None:
    change = pool_change(live_pool(osSKU="Ubuntu"), replace(WASM, count=5))
    assert change is not None
    assert (change["count"], change["osSKU"], change["vmSize"]) == (5, "Ubuntu", "Standard_D2ps_v5")
    assert "eTag" not in change
    assert "provisioningState" not in change


def test_the_autoscalers_own_count_is_not_drift() -> None:
    scaled = replace(WASM, min=1, max=5)
    assert pool_change(live_pool(scaled, count=4), scaled) is None


@pytest.mark.parametrize(("count", "sent"), [(1, 3), (4, 4), (9, 5)])
def test_bounds_that_leave_the_present_count_out_move_it_to_the_nearest(count: int, sent: int) -> None:
    change = pool_change(live_pool(count=count), replace(WASM, min=3, max=5))
    assert change is not None
    assert (change["minCount"], change["count"], change["maxCount"]) == (3, sent, 5)


def test_leaving_the_autoscaler_takes_its_bounds_away() -> None:
    change = pool_change(live_pool(replace(WASM, min=1, max=5)), WASM)
    assert change is not None
    assert change["enableAutoScaling"] is False
    assert "minCount" not in change


def test_a_failed_pool_is_sent_again() -> None:
    assert pool_change(live_pool(provisioningState="Failed"), WASM) is not None


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (replace(WASM, vm_size="Standard_D4ps_v5"), "its machines are `Standard_D2ps_v5`, not `Standard_D4ps_v5`"),
        (replace(WASM, arch="amd64"), "its machines are arm64, not amd64"),
        (replace(WASM, route="wasi-preview"), "it is an ordinary pool, not a WASI one"),
        (replace(WASM, vm_size="standard_d2ps_v5"), None),
        (WASM, None),
    ],
)
def test_machines_do_not_change_into_others(request_: NodePoolRequest, why: str | None) -> None:
    assert unchangeable(live_pool(), request_) == why


def test_a_failed_cluster_is_sent_again_as_it_is_with_our_tags() -> None:
    live = {
        "id": "/x",
        "name": "hello",
        "location": "westeurope",
        "eTag": "1",
        "tags": {"mine": "1"},
        "properties": {
            "provisioningState": "Failed",
            "dnsPrefix": "hello",
            "controlPlanePluginProfiles": {"seen": "and documented nowhere"},
            "resourceUID": "64a",
            "identityProfile": {"kubeletidentity": {"clientId": "theirs"}},
            "networkProfile": {"loadBalancerProfile": {"effectiveOutboundIPs": [{"id": "/ip"}], "idle": 4}},
            "agentPoolProfiles": [{"name": "system", "provisioningState": "Failed", "count": 1}],
        },
    }
    assert cluster_retry(live, {"aks-wasm-owner": "hello"}) == {
        "location": "westeurope",
        "tags": {"mine": "1", "aks-wasm-owner": "hello"},
        "properties": {
            "dnsPrefix": "hello",
            "networkProfile": {"loadBalancerProfile": {"idle": 4}},
            "agentPoolProfiles": [{"name": "system", "count": 1}],
        },
    }


def test_what_is_sent_again_is_what_the_sdk_knows_to_be_writable() -> None:
    fields = ManagedClusterProperties()._attr_to_rest_field.values()
    writable = {field._rest_name for field in fields if field._visibility != ["read"]}
    assert set(_CLUSTER_WRITABLE) <= writable


def test_the_premium_tier_comes_with_the_support_it_is_for() -> None:
    request = ClusterRequest("hello", "westeurope", None, "Premium", (SYSTEM,), {})
    assert cluster_body(request)["properties"]["supportPlan"] == "AKSLongTermSupport"
    assert "supportPlan" not in cluster_body(replace(request, tier="Standard"))["properties"]


def test_a_cluster_is_seen_with_its_pools() -> None:
    seen = observed_cluster(
        {
            "name": "hello",
            "location": "westeurope",
            "tags": {"aks-wasm-owner": "hello"},
            "properties": {
                "provisioningState": "Failed",
                "powerState": {"code": "Stopped"},
                "kubernetesVersion": "1.35",
                "currentKubernetesVersion": "1.35.5",
                "fqdn": "hello-1.hcp.westeurope.azmk8s.io",
                "status": {"provisioningError": {"code": "QuotaExceeded", "message": "too much"}},
                "agentPoolProfiles": [
                    {
                        "name": "wasm",
                        "count": 3,
                        "vmSize": "Standard_D2ps_v5",
                        "mode": "User",
                        "provisioningState": "Updating",
                        "enableAutoScaling": True,
                        "minCount": 1,
                        "maxCount": 5,
                        "workloadRuntime": "WasmWasi",
                        "nodeImageVersion": "AKSUbuntu-2404gen2arm64containerd-202607.09.0",
                        "scaleSetPriority": "Spot",
                    }
                ],
            },
        }
    )
    pool = seen.pool("wasm")
    assert (seen.state, seen.running, seen.kubernetes_version, seen.owner) == ("Failed", False, "1.35.5", "hello")
    assert seen.error == "QuotaExceeded: too much"
    assert pool is not None
    assert (pool.state, pool.count, pool.min, pool.max) == ("Updating", 3, 1, 5)
    assert (pool.arch, pool.route, pool.spot, pool.mode) == ("arm64", "wasi-preview", True, "User")


def test_a_group_is_seen_with_its_owner() -> None:
    seen = observed_group({"name": "g", "location": "westus2", "tags": {"aks-wasm-owner": "me"}})
    assert (seen.owner, seen.state, seen.location) == ("me", "Succeeded", "westus2")
