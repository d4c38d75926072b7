"""Agent pools: what they look like, what may change, what is refused before anything is made."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.arm.azure import Place, pool_body


def test_a_pool_has_the_recorded_members_in_their_order(place: Place) -> None:
    place.make_cluster()
    answer = place.call("PUT", place.pool("wasm"), pool_body(nodeLabels={"a": "b"}, tags={"t": "1"}))
    assert answer.status_code == 201
    assert answer.json()["properties"]["provisioningState"] == "Creating"
    assert "eTag" not in answer.json()["properties"]
    place.azure.ended(answer)
    pool = place.call("GET", place.pool("wasm")).json()
    assert list(pool) == ["id", "name", "type", "properties"]
    assert pool["id"].endswith("/resourcegroups/" + place.pool("wasm").partition("/resourceGroups/")[2])
    assert pool["type"] == "Microsoft.ContainerService/managedClusters/agentPools"
    assert list(pool["properties"])[:16] == [
        *("count", "vmSize", "osDiskSizeGB", "osDiskType", "kubeletDiskType", "workloadRuntime", "maxPods", "type"),
        *("enableAutoScaling", "scaleDownMode", "provisioningState", "powerState", "orchestratorVersion"),
        *("currentOrchestratorVersion", "enableNodePublicIP", "mode"),
    ]
    assert pool["properties"]["upgradeSettings"] == {"maxSurge": "10%", "maxUnavailable": "0"}
    assert pool["properties"]["nodeLabels"] == {"a": "b"}
    assert pool["properties"]["tags"] == {"t": "1"}


def test_an_absent_pool_is_aks_own_404(place: Place) -> None:
    place.make_cluster()
    answer = place.call("GET", place.pool("nope"))
    assert answer.status_code == 404
    body = answer.json()
    assert (body["code"], body["subcode"]) == ("NotFound", "GetAgentPool_NotFound")
    assert body["message"].startswith("Could not find the agentpool: nope")
    assert body["details"][0]["code"] == "Unspecified"
    assert "x-ms-failure-cause" not in answer.headers


@pytest.mark.parametrize(("method", "verb"), [("GET", "read"), ("PUT", "write"), ("DELETE", "delete")])
def test_a_pool_of_an_absent_cluster_misses_its_parent(place: Place, method: str, verb: str) -> None:
    answer = place.call(method, place.pool("p"), pool_body() if method == "PUT" else None)
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "ParentResourceNotFound"
    assert error["message"].startswith(
        f"Failed to perform '{verb}' on resource(s) of type 'managedClusters/agentPools', because the parent resource"
    )


@pytest.mark.parametrize(
    "change",
    [
        *({"vmSize": "Standard_D4ps_v5"}, {"osDiskSizeGB": 64}, {"maxPods": 30}, {"availabilityZones": ["1"]}),
        *({"scaleSetPriority": "Spot"}, {"workloadRuntime": "KataVmIsolation"}),
    ],
)
def test_what_is_fixed_once_the_pool_is_there(place: Place, change: dict[str, Any]) -> None:
    place.make_cluster()
    place.make_pool("wasm")
    answer = place.call("PUT", place.pool("wasm"), pool_body(**change))
    target = f"properties.{next(iter(change))}"
    assert answer.status_code == 400
    assert answer.json() == {
        "code": "PropertyChangeNotAllowed",
        "details": None,
        "message": f"Changing property '{target}' is not allowed.",
        "subcode": "",
        "target": target,
    }


def test_a_pool_is_scaled_relabelled_and_given_back_what_was_read(place: Place) -> None:
    place.make_cluster()
    shown = place.make_pool("wasm", nodeLabels={"a": "b"})
    answer = place.call("PUT", place.pool("wasm"), shown)
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (200, "Updating")
    place.azure.ended(answer)
    answer = place.call("PUT", place.pool("wasm"), pool_body(count=3, nodeLabels={"c": "d"}))
    assert answer.json()["properties"]["provisioningState"] == "Scaling"
    place.azure.ended(answer)
    after = place.call("GET", place.pool("wasm")).json()["properties"]
    assert (after["count"], after["nodeLabels"], after["provisioningState"]) == (3, {"c": "d"}, "Succeeded")
    fleet = place.azure.server.fleet
    assert ("wasm", 3) in [(pool.name, pool.count) for cluster in fleet.clusters.values() for pool in cluster.pools]
    machines = place.call("GET", f"{place.pool('wasm')}/machines").json()["value"]
    assert len(machines) == 3
    assert machines[0]["name"].endswith("vmss000000")
    assert machines[0]["properties"]["network"]["ipAddresses"][0]["family"] == "IPv4"
    assert machines[0]["properties"]["resourceId"].endswith("/virtualMachines/0")


def test_a_user_pool_may_have_no_nodes(place: Place) -> None:
    place.make_cluster()
    assert place.make_pool("empty", count=0)["properties"]["count"] == 0


def test_an_autoscaled_pool_keeps_within_its_bounds(place: Place) -> None:
    place.make_cluster()
    body = pool_body(enableAutoScaling=True, minCount=2, maxCount=4, count=None)
    place.azure.ended(place.call("PUT", place.pool("wasm"), body))
    assert place.call("GET", place.pool("wasm")).json()["properties"]["count"] == 2
    outside = place.call("PUT", place.pool("wasm"), pool_body(enableAutoScaling=True, minCount=3, maxCount=4, count=2))
    assert (outside.status_code, outside.json()["code"]) == (400, "InvalidParameter")
    grown = place.call("PUT", place.pool("wasm"), pool_body(enableAutoScaling=True, minCount=3, maxCount=4, count=3))
    assert grown.json()["properties"]["count"] == 3
    fixed = place.call("PUT", place.pool("wasm"), pool_body(enableAutoScaling=False, count=1))
    assert "minCount" not in fixed.json()["properties"]
    place.azure.ended(fixed)


def test_a_spot_pool_has_its_eviction_policy_label_and_taint(place: Place) -> None:
    place.make_cluster()
    shown = place.make_pool("spot", scaleSetPriority="Spot")["properties"]
    assert (shown["scaleSetEvictionPolicy"], shown["spotMaxPrice"]) == ("Delete", -1.0)
    spot = "kubernetes.azure.com/scalesetpriority"
    assert (shown["nodeLabels"], shown["nodeTaints"]) == ({spot: "spot"}, [f"{spot}=spot:NoSchedule"])
    relabelled = place.call("PUT", place.pool("spot"), pool_body(nodeLabels={"a": "b"}, nodeTaints=[]))
    place.azure.ended(relabelled)
    shown = relabelled.json()["properties"]
    assert (shown["nodeLabels"], shown["nodeTaints"]) == ({"a": "b", spot: "spot"}, [f"{spot}=spot:NoSchedule"])
    fleet = place.azure.server.fleet
    assert [pool.spot for cluster in fleet.clusters.values() for pool in cluster.pools if pool.name == "spot"] == [True]


@pytest.mark.parametrize(
    ("name", "change", "code", "text"),
    [
        ("Wasm", {}, "InvalidParameter", "agentPoolProfile.name is invalid. Please see https://aka.ms/aks-naming"),
        ("thirteenchars", {}, "InvalidParameter", "agentPoolProfile.name"),
        ("windows", {"osType": "Windows"}, "InvalidParameter", "agentPoolProfile.name"),
        ("win", {"osType": "Windows"}, "NotEmulatedYet", "Windows"),
        ("p", {"mode": "Boss"}, "InvalidParameter", "'Boss' is not one of: System, User."),
        ("p", {"vmSize": "Standard_Nope"}, "BadRequest", "The VM size of Standard_Nope is not allowed in your"),
        ("p", {"vmSize": "Standard_DS2_v2"}, "BadRequest", "in location 'westeurope'. The available VM sizes are '"),
        ("p", {"vmSize": "Standard_DS1_v2", "mode": "System"}, "SystemPoolSkuTooLow", "Nodepool name: p."),
        ("p", {"vmSize": "Standard_D4pds_v5", "availabilityZones": ["2"]}, "AvailabilityZoneNotSupported", "'1,3'"),
        ("p", {"count": -1}, "InvalidParameter", "[0, 1000]"),
        ("p", {"count": 0, "mode": "System"}, "InvalidParameter", "[1, 1000]"),
        ("p", {"maxPods": 5}, "InvalidParameter", "[10, 250]"),
        ("p", {"minCount": 1}, "InvalidParameter", "enableAutoScaling"),
        ("p", {"enableAutoScaling": True, "minCount": 3, "maxCount": 2}, "InvalidParameter", "minCount <= maxCount"),
        ("p", {"enableAutoScaling": True, "minCount": 2, "maxCount": 3}, "InvalidParameter", "[2, 3]"),
        ("p", {"scaleSetPriority": "Spot", "mode": "System"}, "InvalidParameter", "spot"),
        ("p", {"nodeTaints": ["x"]}, "InvalidParameter", "key=value:effect"),
        ("p", {"nodeLabels": {"a": 1}}, "InvalidParameter", "map of strings"),
        ("p", {"orchestratorVersion": "1.20.7"}, "AgentPoolK8sVersionNotSupported", "Version 1.20.7 is not supported"),
        ("p", {"orchestratorVersion": "1.36"}, "NodePoolMcVersionIncompatible", "1.36.2"),
    ],
)
def test_a_bad_pool_is_refused_and_nothing_is_made(
    place: Place, name: str, change: dict[str, Any], code: str, text: str
) -> None:
    place.make_cluster()
    answer = place.call("PUT", place.pool(name), pool_body(**change))
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert text in answer.json()["message"]
    assert place.call("GET", place.pool(name)).status_code == 404


def test_a_pool_may_be_older_than_its_cluster(place: Place) -> None:
    place.make_cluster()
    shown = place.make_pool("old", orchestratorVersion="1.34")["properties"]
    assert (shown["orchestratorVersion"], shown["currentOrchestratorVersion"]) == ("1.34", "1.34.8")
    answer = place.call("PUT", place.pool("old"), pool_body(orchestratorVersion="1.35"))
    assert answer.json()["properties"]["provisioningState"] == "Upgrading"
    place.azure.ended(answer)


def test_pools_are_listed_deleted_and_gone_from_the_nodes(place: Place) -> None:
    place.make_cluster()
    place.make_pool("wasm")
    listed = place.call("GET", place.pool("x").rpartition("/")[0]).json()["value"]
    assert [pool["name"] for pool in listed] == ["system", "wasm"]
    answer = place.call("DELETE", place.pool("wasm"), params={"ignore-pod-disruption-budget": "true"})
    assert (answer.status_code, answer.text) == (202, "")
    assert {"azure-asyncoperation", "location"} <= {name.lower() for name in answer.headers}
    place.azure.ended(answer)
    assert place.call("DELETE", place.pool("wasm")).status_code == 204
    fleet = place.azure.server.fleet
    assert [pool.name for cluster in fleet.clusters.values() for pool in cluster.pools] == ["system"]


def test_the_last_system_pool_stays(place: Place) -> None:
    place.make_cluster()
    answer = place.call("DELETE", place.pool("system"))
    assert (answer.status_code, answer.json()["code"]) == (400, "MustDefineAtLeastOneSystemPool")
    shown = place.call("GET", place.pool("system")).json()
    shown["properties"]["mode"] = "User"
    answer = place.call("PUT", place.pool("system"), shown)
    assert (answer.status_code, answer.json()["code"]) == (400, "MustDefineAtLeastOneSystemPool")


def test_a_pools_operation_is_aborted(place: Place) -> None:
    place.make_cluster()
    assert place.call("POST", f"{place.pool('system')}/abort").status_code == 204
    with place.azure.fault("stuck", place.pool("wasm"), method="PUT"):
        place.call("PUT", place.pool("wasm"), pool_body())
    answer = place.call("POST", f"{place.pool('wasm')}/abort")
    assert answer.status_code == 202
    place.azure.ended(answer)
    assert place.call("GET", place.pool("wasm")).json()["properties"]["provisioningState"] == "Canceled"
