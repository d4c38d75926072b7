"""WASI node pools: refused today whatever the feature says, granted in 2022 after the whole ceremony."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.arm.azure import RESOURCES_VERSION, Azure, Place, cluster_body, pool_body

FEATURES = "2021-07-01"
RETIRED = (
    "The agent pool wasm has a deprecated workload runtime WasmWasi. WebAssembly System Interface (WASI) node pools "
    "(preview) are no longer supported on AKS. For more information on the retirement, see "
    "https://aka.ms/aks/wasi-retirement. If you'd like to run WebAssembly (WASM) workloads, you can deploy SpinKube to "
    "Azure Kubernetes Service."
)


def feature(azure: Azure, verb: str) -> Any:
    path = f"/subscriptions/{azure.subscription}/providers/Microsoft.Features/providers/Microsoft.ContainerService"
    method, suffix = ("GET", "") if verb == "show" else ("POST", f"/{verb}")
    return azure.call(method, f"{path}/features/WasmNodePoolPreview{suffix}", version=FEATURES)


def cluster_with_wasm_pool() -> dict[str, Any]:
    body = cluster_body()
    wasm = {**pool_body(workloadRuntime="WasmWasi")["properties"], "name": "wasm"}
    body["properties"]["agentPoolProfiles"].append(wasm)
    return body


@pytest.mark.parametrize("registered", [False, True])
def test_today_a_wasi_pool_is_refused_and_leaves_nothing_behind(place: Place, registered: bool) -> None:
    place.make_cluster()
    before = place.call("GET", place.cluster()).json()
    verb = "register" if registered else "unregister"
    feature(place.azure, verb)
    place.azure.register("Microsoft.ContainerService")
    answer = place.call("PUT", place.pool("wasm"), pool_body(workloadRuntime="WasmWasi"))
    feature(place.azure, "unregister")
    assert answer.status_code == 400
    assert answer.json() == {
        "code": "InvalidWorkloadRuntimeSettingError",
        "details": None,
        "message": RETIRED,
        "subcode": "",
    }
    assert "azure-asyncoperation" not in answer.headers
    assert place.call("GET", place.cluster()).json() == before
    assert place.call("GET", place.pool("wasm")).status_code == 404


def test_today_a_wasi_pool_in_the_clusters_own_put_is_refused_too(place: Place) -> None:
    answer = place.call("PUT", place.cluster(), cluster_with_wasm_pool())
    assert (answer.status_code, answer.json()["message"]) == (400, RETIRED)
    assert place.call("GET", place.cluster()).status_code == 404
    assert place.call("HEAD", f"{place.path.replace(place.group, f'MC_{place.group}_c_westeurope')}").status_code == 404


def test_today_registration_is_immediate_and_spelt_with_a_small_m(azure: Azure) -> None:
    feature(azure, "unregister")
    answer = feature(azure, "register")
    assert answer.json()["properties"] == {"state": "Registered"}
    assert answer.json()["name"] == "microsoft.ContainerService/WasmNodePoolPreview"
    feature(azure, "unregister")


def test_in_2022_the_feature_then_the_provider_must_be_registered(place_2022: Place) -> None:
    azure = place_2022.azure
    place_2022.make_cluster()

    def ask() -> Any:
        return place_2022.call("PUT", place_2022.pool("wasm"), pool_body(workloadRuntime="WasmWasi"))

    refused = ask()
    assert (refused.status_code, refused.json()["code"]) == (400, "PreviewFeatureNotRegistered")
    assert refused.json()["message"] == (
        "Preview feature Microsoft.ContainerService/WasmNodePoolPreview not registered."
    )
    first = feature(azure, "register").json()
    assert first["name"] == "Microsoft.ContainerService/WasmNodePoolPreview"
    assert feature(azure, "show").json()["properties"]["state"] == "Registered"
    assert ask().json()["code"] == "PreviewFeatureNotRegistered"  # the provider has not been registered since
    azure.register("Microsoft.ContainerService")
    answer = ask()
    assert answer.status_code == 201
    assert answer.json()["properties"]["workloadRuntime"] == "WasmWasi"
    assert azure.ended(answer)["status"] == "Succeeded"
    pools = next(iter(azure.server.fleet.clusters.values())).pools
    assert [(pool.name, pool.workload_runtime) for pool in pools] == [("system", "OCIContainer"), ("wasm", "WasmWasi")]
    for change in ({"mode": "System"}, {"osType": "Windows"}):
        body = pool_body(**{"workloadRuntime": "WasmWasi", **change})
        assert place_2022.call("PUT", place_2022.pool("other"), body).status_code == 400
    folded = place_2022.call("PUT", place_2022.cluster("d"), cluster_with_wasm_pool())
    assert folded.status_code == 201
    azure.ended(folded)
    feature(azure, "unregister")
    assert feature(azure, "show").json()["properties"]["state"] == "Unregistered"
    gone = place_2022.call("PUT", place_2022.pool("more"), pool_body(workloadRuntime="WasmWasi"))
    assert gone.json()["code"] == "PreviewFeatureNotRegistered"


def test_an_ordinary_pool_is_granted_in_every_age(place_2022: Place) -> None:
    place_2022.make_cluster()
    shown = place_2022.make_pool("plain", workloadRuntime="OCIContainer")
    assert shown["properties"]["workloadRuntime"] == "OCIContainer"


def test_features_of_a_namespace_are_listed_in_pages(azure: Azure) -> None:
    path = f"/subscriptions/{azure.subscription}/providers/Microsoft.Features"
    first = azure.call("GET", f"{path}/providers/microsoft.containerservice/features", version=FEATURES).json()
    assert "nextLink" in first
    rest = azure.call("GET", first["nextLink"]).json()
    names = [one["name"].rpartition("/")[2] for one in [*first["value"], *rest["value"]]]
    assert "WasmNodePoolPreview" in names
    everything = azure.call("GET", f"{path}/features", version=FEATURES).json()
    assert "nextLink" in everything


def test_subscription_feature_registrations_are_another_view(azure: Azure) -> None:
    path = f"/subscriptions/{azure.subscription}/providers/Microsoft.Features"
    of_provider = f"{path}/featureProviders/Microsoft.Network/subscriptionFeatureRegistrations"
    one = f"{of_provider}/AllowLBPreview"
    assert azure.call("PUT", one, {}, version=FEATURES).json()["properties"]["state"] == "Registered"
    shown = azure.call("GET", one, version=FEATURES).json()
    assert shown["type"] == "Microsoft.Features/featureProviders/subscriptionFeatureRegistrations"
    listed = azure.call("GET", of_provider, version=FEATURES).json()["value"]
    assert [registration["name"] for registration in listed] == ["AllowLBPreview"]
    everywhere = azure.call("GET", f"{path}/subscriptionFeatureRegistrations", version=FEATURES).json()["value"]
    assert "AllowLBPreview" in [registration["name"] for registration in everywhere]
    assert azure.call("DELETE", one, version=FEATURES).status_code == 200
    assert azure.call("DELETE", one, version=FEATURES).status_code == 204
    assert azure.call("GET", f"{of_provider}/Nonsense", version=FEATURES).status_code == 404


def test_a_provider_tells_its_types_and_state(azure: Azure) -> None:
    path = f"/subscriptions/{azure.subscription}/providers"
    shown = azure.call("GET", f"{path}/microsoft.containerservice", version=RESOURCES_VERSION).json()
    assert (shown["namespace"], shown["registrationState"]) == ("Microsoft.ContainerService", "Registered")
    kinds = {kind["resourceType"]: kind for kind in shown["resourceTypes"]}
    assert "West Europe" in kinds["managedClusters"]["locations"]
    assert "2026-08-01" in kinds["managedClusters"]["apiVersions"]
    other = azure.call("GET", f"{path}/Microsoft.KubernetesConfiguration", version=RESOURCES_VERSION).json()
    assert other["registrationState"] == "NotRegistered"
    missing = azure.call("GET", f"{path}/Microsoft.Nonsense", version=RESOURCES_VERSION)
    assert missing.json()["error"]["code"] == "InvalidResourceNamespace"
    assert "nextLink" in azure.call("GET", path, version=RESOURCES_VERSION).json()


def test_a_provider_in_use_stays_registered(place: Place) -> None:
    place.make_cluster()
    path = f"/subscriptions/{place.azure.subscription}/providers/Microsoft.ContainerService/unregister"
    assert place.call("POST", path, version=RESOURCES_VERSION).status_code == 409
