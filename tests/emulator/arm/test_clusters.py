"""Managed clusters: shapes as recorded, what is refused before anything is made, power and abort."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from aks_wasm.emulator.arm.names import fleet_key
from tests.emulator.arm.azure import Place, cluster_body
from tests.emulator.arm.server import MemoryCluster


def emulated(place: Place, name: str = "c") -> MemoryCluster:
    key = fleet_key(place.azure.subscription, place.group, name)
    return place.azure.server.fleet.clusters[key]


def test_a_create_answers_201_with_a_cluster_in_creation(place: Place) -> None:
    answer = place.call("PUT", place.cluster(), cluster_body())
    assert answer.status_code == 201
    assert "location" not in answer.headers
    assert "retry-after" not in answer.headers
    assert answer.headers["azure-asyncoperation"].startswith(
        f"{place.azure.url}/subscriptions/{place.azure.subscription}/providers/Microsoft.ContainerService"
        "/locations/westeurope/operations/"
    )
    body = answer.json()
    assert body["id"] == place.cluster().replace("resourceGroups", "resourcegroups")
    assert body["type"] == "Microsoft.ContainerService/ManagedClusters"
    assert body["properties"]["provisioningState"] == "Creating"
    assert body["properties"]["agentPoolProfiles"][0]["provisioningState"] == "Creating"
    assert "eTag" not in body
    assert "eTag" not in body["properties"]["agentPoolProfiles"][0]
    assert "identityProfile" not in body["properties"]
    assert "effectiveOutboundIPs" not in body["properties"]["networkProfile"]["loadBalancerProfile"]
    place.azure.ended(answer)


def test_a_finished_cluster_has_the_recorded_members(place: Place) -> None:
    body = place.make_cluster()
    assert list(body) == ["id", "location", "name", "type", "kind", "properties", "identity", "sku", "eTag"]
    properties = body["properties"]
    assert list(properties)[:8] == [
        *("provisioningState", "powerState", "kubernetesVersion", "currentKubernetesVersion", "dnsPrefix"),
        *("fqdn", "azurePortalFQDN", "agentPoolProfiles"),
    ]
    assert (properties["kubernetesVersion"], properties["currentKubernetesVersion"]) == ("1.35", "1.35.5")
    assert properties["nodeResourceGroup"] == f"MC_{place.group}_c_westeurope"
    assert properties["servicePrincipalProfile"] == {"clientId": "msi"}
    assert properties["identityProfile"]["kubeletidentity"]["resourceId"].endswith("/c-agentpool")
    assert properties["networkProfile"]["loadBalancerProfile"]["effectiveOutboundIPs"]
    pool = properties["agentPoolProfiles"][0]
    assert (pool["name"], pool["mode"], pool["provisioningState"], pool["osDiskSizeGB"]) == (
        *("system", "System", "Succeeded"),
        128,
    )
    assert len(pool["eTag"]) == 36
    assert pool["nodeImageVersion"].startswith("AKSUbuntu-2404gen2containerd-")
    assert body["sku"] == {"name": "Base", "tier": "Free"}


def test_what_az_sends_is_taken_with_its_empty_strings(place: Place) -> None:
    profile = {
        "name": "nodepool1",
        "orchestratorVersion": "",
        "vmSize": "",
        "osType": "Linux",
        "enableNodePublicIP": False,
        "count": 1,
        "enableAutoScaling": False,
        "scaleSetPriority": "Regular",
        "nodeTaints": [],
        "upgradeSettings": {},
        "type": "VirtualMachineScaleSets",
        "mode": "System",
    }
    shown = place.make_cluster(agentPoolProfiles=[profile], kubernetesVersion="", addonProfiles={})
    assert shown["properties"]["agentPoolProfiles"][0]["vmSize"] == "Standard_D8a_v4"


def test_the_fleet_gets_the_nodes_of_all_pools(place: Place) -> None:
    wasm = {"name": "wasm", "count": 2, "vmSize": "Standard_D2pds_v5", "mode": "User", "nodeTaints": ["a=b:NoSchedule"]}
    system = {"name": "system", "count": 1, "vmSize": "Standard_D2s_v5", "mode": "System", "osSKU": "AzureLinux"}
    place.make_cluster(agentPoolProfiles=[system, wasm])
    pools = {pool.name: pool for pool in emulated(place).pools}
    assert (pools["wasm"].count, pools["wasm"].arch, pools["wasm"].taints) == (2, "arm64", ("a=b:NoSchedule",))
    assert pools["wasm"].kubernetes_version == "1.35.5"
    assert pools["wasm"].resource_group == f"MC_{place.group}_c_westeurope"
    assert pools["wasm"].subscription == place.azure.subscription
    assert (pools["system"].os_sku, pools["system"].mode, pools["system"].arch) == ("AzureLinux", "System", "amd64")
    assert "arm64" in pools["wasm"].node_image_version


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"dnsPrefix": ""}, "InvalidParameter", "Required parameter dnsPrefix is missing (null)."),
        ({"dnsPrefix": "a_b"}, "InvalidParameter", "dnsPrefix"),
        ({"agentPoolProfiles": []}, "InvalidParameter", "agentPoolProfiles is missing"),
        ({"kubernetesVersion": "1.27.9"}, "K8sVersionNotSupported", "is on version 1.27.9 which is not supported"),
        ({"kubernetesVersion": "1.33"}, "K8sVersionNotSupported", "only available for Long-Term Support (LTS)"),
        ({"kubernetesVersion": "1.35.99"}, "K8sVersionNotSupported", "1.35.99"),
        ({"disableLocalAccounts": True}, "InvalidParameter", "aadProfile"),
    ],
)
def test_a_bad_cluster_is_refused_and_nothing_is_made(
    place: Place, change: dict[str, Any], code: str, text: str
) -> None:
    answer = place.call("PUT", place.cluster(), cluster_body(**change))
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert text in answer.json()["message"]
    assert place.call("GET", place.cluster()).status_code == 404
    assert not place.call("GET", f"{place.path}/resources").json()["value"]


@pytest.mark.parametrize("name", ["-a", "a" * 64, "a_"])
def test_a_bad_cluster_name_is_refused(place: Place, name: str) -> None:
    answer = place.call("PUT", place.cluster(name), cluster_body())
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")


def test_a_cluster_needs_an_identity_a_known_tier_and_unique_pools(place: Place) -> None:
    body = cluster_body()
    del body["identity"]
    assert "servicePrincipalProfile" in place.call("PUT", place.cluster(), body).json()["message"]
    body = {**cluster_body(), "sku": {"name": "Base", "tier": "Golden"}}
    assert place.call("PUT", place.cluster(), body).json()["target"] == "sku.tier"
    body = {**cluster_body(), "sku": {"name": "Automagic", "tier": "Standard"}}
    assert place.call("PUT", place.cluster(), body).json()["target"] == "sku.name"
    body = {**cluster_body(), "sku": {"name": "Automatic", "tier": "Free"}}
    assert place.call("PUT", place.cluster(), body).json()["target"] == "sku.tier"
    body = cluster_body()
    body["properties"]["agentPoolProfiles"] *= 2
    assert "unique" in place.call("PUT", place.cluster(), body).json()["message"]


def test_a_cluster_needs_a_system_pool(place: Place) -> None:
    user = {"name": "user", "count": 1, "vmSize": "Standard_D2s_v5", "mode": "User"}
    answer = place.call("PUT", place.cluster(), cluster_body(agentPoolProfiles=[user]))
    assert answer.status_code == 400
    assert answer.json() == {
        "code": "MustDefineAtLeastOneSystemPool",
        "details": None,
        "message": "Must define at least one system pool.",
        "subcode": "",
    }


def test_long_term_support_opens_the_old_version(place: Place) -> None:
    body = cluster_body(kubernetesVersion="1.33", supportPlan="AKSLongTermSupport")
    assert place.call("PUT", place.cluster(), body).json()["target"] == "supportPlan", "it is of the tier Premium"
    premium = {"sku": {"name": "Base", "tier": "Premium"}}
    assert place.call("PUT", place.cluster(), {**cluster_body(), **premium}).json()["target"] == "supportPlan"
    place.azure.ended(place.call("PUT", place.cluster(), {**body, **premium}))
    shown = place.call("GET", place.cluster()).json()
    assert shown["properties"]["currentKubernetesVersion"] == "1.33.12"
    assert shown["properties"]["agentPoolProfiles"][0]["nodeImageVersion"].startswith("AKSUbuntu-2204")


def test_an_update_answers_200_changes_the_etags_and_keeps_other_pools(place: Place) -> None:
    before = place.make_cluster()
    pool = place.make_pool("user")
    answer = place.call("PUT", place.cluster(), {**cluster_body(), "tags": {"a": "b"}})
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (200, "Updating")
    assert place.azure.ended(answer)["status"] == "Succeeded"
    after = place.call("GET", place.cluster()).json()
    assert after["tags"] == {"a": "b"}
    assert after["eTag"] != before["eTag"]
    assert [one["name"] for one in after["properties"]["agentPoolProfiles"]] == ["system", "user"]
    assert place.call("GET", place.pool("user")).json()["properties"]["eTag"] != pool["properties"]["eTag"]


def test_a_pool_may_be_folded_into_the_clusters_put(place: Place) -> None:
    place.make_cluster()
    body = cluster_body()
    body["properties"]["agentPoolProfiles"].append({"name": "wasm", "count": 1, "vmSize": "Standard_D2ps_v5"})
    assert place.azure.ended(place.call("PUT", place.cluster(), body))["status"] == "Succeeded"
    assert place.call("GET", place.pool("wasm")).json()["properties"]["provisioningState"] == "Succeeded"
    assert [pool.name for pool in emulated(place).pools] == ["system", "wasm"]


@pytest.mark.parametrize("change", [{"dnsPrefix": "other"}, {"networkProfile": {"networkPlugin": "kubenet"}}])
def test_what_is_fixed_cannot_be_changed(place: Place, change: dict[str, Any]) -> None:
    place.make_cluster()
    answer = place.call("PUT", place.cluster(), cluster_body(**change))
    assert (answer.status_code, answer.json()["code"]) == (400, "PropertyChangeNotAllowed")
    moved = place.call("PUT", place.cluster(), {**cluster_body(), "location": "eastus"})
    assert (moved.status_code, moved.json()["error"]["code"]) == (409, "InvalidResourceLocation")


def test_an_upgrade_goes_to_an_offered_version_only(place: Place) -> None:
    place.make_cluster(kubernetesVersion="1.34.8")
    profile = place.call("GET", f"{place.cluster()}/upgradeProfiles/default").json()
    offered = [one["kubernetesVersion"] for one in profile["properties"]["controlPlaneProfile"]["upgrades"]]
    assert offered == ["1.35.5", "1.35.4"]
    answer = place.call("PUT", place.cluster(), cluster_body(kubernetesVersion="1.36.2"))
    assert answer.json()["message"].startswith("Upgrading Kubernetes version 1.34.8 to 1.36.2 is not allowed.")
    answer = place.call("PUT", place.cluster(), cluster_body(kubernetesVersion="1.35"))
    assert answer.json()["properties"]["provisioningState"] == "Upgrading"
    place.azure.ended(answer)
    assert place.call("GET", place.cluster()).json()["properties"]["currentKubernetesVersion"] == "1.35.5"
    pools = place.call("GET", f"{place.pool('system')}/upgradeProfiles/default").json()
    assert pools["properties"]["upgrades"] == [{"kubernetesVersion": "1.35.5"}]
    versions = place.call("GET", f"{place.cluster()}/availableAgentPoolVersions").json()
    known = [one["kubernetesVersion"] for one in versions["properties"]["agentPoolVersions"]]
    assert known[:2] == ["1.35.5", "1.35.4"]


def test_the_versions_of_a_location_are_listed(place: Place) -> None:
    path = f"/subscriptions/{place.azure.subscription}/providers/Microsoft.ContainerService/locations"
    values = place.call("GET", f"{path}/westeurope/kubernetesVersions").json()["values"]
    assert [one["version"] for one in values] == ["1.36", "1.35", "1.34", "1.33"]
    assert [one["version"] for one in values if one.get("isDefault")] == ["1.35"]
    assert values[3]["capabilities"]["supportPlan"] == ["AKSLongTermSupport"]
    assert place.call("GET", f"{path}/atlantis/kubernetesVersions").status_code == 400


def test_clusters_are_listed_by_group_and_subscription(place: Place) -> None:
    place.make_cluster("one")
    place.make_cluster("two")
    clusters = "providers/Microsoft.ContainerService/managedClusters"
    in_group = place.call("GET", f"{place.path}/{clusters}").json()["value"]
    assert [one["name"] for one in in_group] == ["one", "two"]
    everywhere = place.call("GET", f"/subscriptions/{place.azure.subscription}/{clusters}").json()["value"]
    assert {one["id"] for one in in_group} <= {one["id"] for one in everywhere}
    missing = place.call("GET", f"{place.path}x/{clusters}")
    assert missing.json()["error"]["code"] == "ResourceGroupNotFound"


def test_an_absent_cluster_is_resource_managers_404(place: Place) -> None:
    answer = place.call("GET", place.cluster("nope"))
    assert answer.status_code == 404
    assert answer.headers["x-ms-failure-cause"] == "gateway"
    assert answer.json()["error"] == {
        "code": "ResourceNotFound",
        "message": "The Resource 'Microsoft.ContainerService/managedClusters/nope' under resource group "
        f"'{place.group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    }


def test_a_delete_is_202_and_of_nothing_204(place: Place) -> None:
    place.make_cluster()
    answer = place.call("DELETE", place.cluster())
    assert (answer.status_code, answer.text) == (202, "")
    assert "/operationresults/" in answer.headers["location"]
    assert place.azure.ended(answer)["status"] == "Succeeded"
    assert place.call("GET", answer.headers["location"]).status_code == 204
    assert place.call("DELETE", place.cluster()).status_code == 204
    assert place.call("HEAD", f"{place.path.replace(place.group, f'MC_{place.group}_c_westeurope')}").status_code == 404
    assert fleet_key(place.azure.subscription, place.group, "c") not in place.azure.server.fleet.clusters


def test_tags_are_patched(place: Place) -> None:
    before = place.make_cluster()
    answer = place.call("PATCH", place.cluster(), {"tags": {"a": "b"}})
    assert answer.status_code == 200
    place.azure.ended(answer)
    after = place.call("GET", place.cluster()).json()
    assert (after["tags"], after["properties"]["provisioningState"]) == ({"a": "b"}, "Succeeded")
    assert after["eTag"] != before["eTag"]
    assert place.call("PATCH", place.cluster("nope"), {"tags": {}}).status_code == 404


def wait_for(place: Place, location: str) -> int:
    while (answer := place.call("GET", location)).status_code == 202:
        pass
    return int(answer.status_code)


def test_a_stopped_cluster_has_no_nodes_and_takes_no_change_until_it_starts(place: Place) -> None:
    place.make_cluster()
    answer = place.call("POST", f"{place.cluster()}/stop")
    assert (answer.status_code, "azure-asyncoperation" in answer.headers) == (202, False)
    assert wait_for(place, answer.headers["location"]) == 204
    assert place.call("GET", place.cluster()).json()["properties"]["powerState"] == {"code": "Stopped"}
    assert (emulated(place).running, emulated(place).pools) == (False, ())
    refused = place.call("PUT", place.cluster(), cluster_body())
    assert (refused.status_code, refused.json()["code"]) == (409, "OperationNotAllowed")
    assert "no operations except for Start" in refused.json()["message"]
    assert place.call("POST", f"{place.cluster()}/stop").status_code == 204
    started = place.call("POST", f"{place.cluster()}/start")
    assert wait_for(place, started.headers["location"]) == 204
    assert place.call("GET", place.cluster()).json()["properties"]["powerState"] == {"code": "Running"}
    assert emulated(place).running
    assert [pool.count for pool in emulated(place).pools] == [1]


def test_an_abort_ends_what_is_going_on(place: Place) -> None:
    with place.azure.fault("stuck", place.group, method="PUT"):
        going = place.call("PUT", place.cluster(), cluster_body())
    answer = place.call("POST", f"{place.cluster()}/abort")
    assert answer.status_code == 202
    assert answer.json()["properties"]["provisioningState"] == "Canceling"  # the abort's 202 carries the cluster
    assert place.azure.ended(answer)["status"] == "Succeeded"
    assert place.azure.ended(going)["status"] == "Canceled"
    assert place.call("GET", place.cluster()).json()["properties"]["provisioningState"] == "Canceled"
    assert place.call("POST", f"{place.cluster()}/abort").status_code == 204
    again = place.call("PUT", place.cluster(), cluster_body())
    assert place.azure.ended(again)["status"] == "Succeeded"
    assert place.call("GET", place.pool("system")).json()["properties"]["provisioningState"] == "Succeeded"


def credentials(place: Place, kind: str, query: str = "") -> dict[str, Any]:
    answer = place.call("POST", f"{place.cluster()}/listCluster{kind}Credential", params={"format": query or None})
    assert answer.status_code == 200, answer.text
    value = answer.json()["kubeconfigs"][0]["value"]
    loaded: dict[str, Any] = yaml.safe_load(base64.b64decode(value))
    return loaded


def test_an_entra_cluster_gives_its_users_kubelogin(place: Place) -> None:
    place.make_cluster(aadProfile={"managed": True})
    user = credentials(place, "User", "exec")["users"][0]["user"]["exec"]
    assert (user["command"], user["apiVersion"]) == ("kubelogin", "client.authentication.k8s.io/v1beta1")
    assert user["args"] == [
        *("get-token", "--environment", "AzurePublicCloud"),
        *("--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630"),
        *("--client-id", "80faf920-1908-4b52-b5ef-a8e7bedfc67a"),
        *("--tenant-id", place.azure.tenant, "--login", "devicecode"),
    ]
    assert credentials(place, "Admin")["current-context"] == "c-admin"


def test_no_static_credentials_without_local_accounts(place: Place) -> None:
    place.make_cluster(aadProfile={"managed": True}, disableLocalAccounts=True)
    answer = place.call("POST", f"{place.cluster()}/listClusterAdminCredential")
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        "Getting static credential isn't allowed because this cluster is set to disable local accounts."
    )
    assert credentials(place, "User")["users"][0]["user"]["exec"]


def test_a_subscription_that_is_not_registered_is_told_so(place: Place) -> None:
    provider = f"/subscriptions/{place.azure.subscription}/providers/Microsoft.ContainerService"
    place.call("POST", f"{provider}/unregister", version="2025-04-01")
    answer = place.call("PUT", place.cluster(), cluster_body())
    place.azure.register("Microsoft.ContainerService")
    assert answer.status_code == 409
    error = answer.json()["error"]
    assert error["code"] == "MissingSubscriptionRegistration"
    assert error["details"][0]["target"] == "Microsoft.ContainerService"
    assert error["message"] == (
        "The subscription is not registered to use namespace 'Microsoft.ContainerService'. "
        "See https://aka.ms/rps-not-found for how to register subscriptions."
    )


def test_an_automatic_cluster_is_made_as_one_and_others_are_not(place: Place) -> None:
    body = {**cluster_body(), "sku": {"name": "Automatic", "tier": "Standard"}}
    answer = place.call("PUT", place.cluster("auto"), body)
    assert (answer.status_code, answer.json()["sku"]["name"]) == (201, "Automatic")
    place.azure.ended(answer)
    place.make_cluster()
    automatic = fleet_key(place.azure.subscription, place.group, "auto")
    assert place.azure.server.fleet.automatic == {automatic}
