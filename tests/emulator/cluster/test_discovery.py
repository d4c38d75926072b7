"""What is served: discovery in both forms, OpenAPI, custom resources, the protobuf form of bodies."""

from __future__ import annotations

from pathlib import Path

from kubernetes import client as k8s
from kubernetes import dynamic

from aks_wasm.emulator.cluster.protobuf import decoded_message

from .conftest import Api, Cluster, config_map, deployment

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SHIMS = "/apis/runtime.example.com/v1/shims"


def definition(**version: object) -> dict:
    properties = {
        "spec": {
            "type": "object", "required": ["handler"],
            "properties": {"handler": {"type": "string"}, "replicas": {"type": "integer"}},
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }  # fmt: skip
    return {
        "metadata": {"name": "shims.runtime.example.com"},
        "spec": {
            "group": "runtime.example.com", "scope": "Cluster", "names": {"plural": "shims", "kind": "Shim"},
            "versions": [{
                "name": "v1", "served": True, "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}}, **version,
            }],
        },
    }  # fmt: skip


def test_both_forms_of_discovery_tell_the_same(api: Api) -> None:
    aggregated = api.request(
        "GET", "/apis", headers={"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
    )
    assert "as=APIGroupDiscoveryList" in aggregated.headers["Content-Type"]
    groups = {item["metadata"]["name"] for item in aggregated.json()["items"]}
    assert groups == {group["name"] for group in api.get("/apis")["groups"]}
    resources = {one["name"]: one for one in api.get("/apis/apps/v1")["resources"]}
    assert resources["deployments"]["shortNames"] == ["deploy"]
    assert resources["deployments/scale"]["kind"] == "Scale"
    assert api.get("/apis/nonsense")["code"] == 404


def test_the_dynamic_client_finds_its_way(client: k8s.ApiClient, tmp_path: Path) -> None:
    cache = str(tmp_path / "discovery.json")  # by default it would stay in the machine's own temporary folder
    found = dynamic.DynamicClient(client, cache_file=cache).resources.get(
        api_version="node.k8s.io/v1", kind="RuntimeClass"
    )
    found.create(body={"metadata": {"name": "spin"}, "handler": "spin"})
    assert found.get(name="spin").handler == "spin"


def test_openapi_names_merge_keys_and_validation(api: Api) -> None:
    place = api.get("/openapi/v3")["paths"]["apis/apps/v1"]["serverRelativeURL"]
    document = api.get(place)
    containers = document["components"]["schemas"]["io.k8s.api.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in {parameter["name"] for parameter in patch["parameters"]}
    assert "io.k8s.api.v1.PodSpec" in api.get("/openapi/v2")["definitions"]
    protobuf = {"Accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}
    assert api.request("GET", "/openapi/v2", headers=protobuf).status_code == 406


def test_a_custom_kind_is_served_until_its_definition_goes(api: Api, cluster: Cluster) -> None:
    assert api.get(SHIMS)["code"] == 404
    made = api.post(CRDS, definition())
    assert {one["type"]: one["status"] for one in made["status"]["conditions"]} == {
        "NamesAccepted": "True", "Established": "True",
    }  # fmt: skip
    shim = api.post(SHIMS, {"metadata": {"name": "spin"}, "spec": {"handler": "spin", "extra": 1}})
    assert shim["spec"] == {"handler": "spin"}
    assert "spec.handler: Required value" in api.post(SHIMS, {"metadata": {"name": "x"}, "spec": {}})["message"]
    unversioned = {"metadata": {"name": "spin"}, "spec": {"handler": "other"}}
    assert "must be specified for an update" in api.put(f"{SHIMS}/spin", unversioned)["message"]
    cluster.restart()
    assert api.get(f"{SHIMS}/spin")["spec"] == {"handler": "spin"}
    api.delete(f"{CRDS}/shims.runtime.example.com")
    assert api.get(SHIMS)["code"] == 404
    assert cluster.within(lambda store: store.list("shims.runtime.example.com")) == []


def test_a_custom_kind_has_its_own_columns_status_and_scale(api: Api) -> None:
    columns = [{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}]
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    api.post(CRDS, definition(additionalPrinterColumns=columns, subresources={"status": {}, "scale": scale}))
    api.post(SHIMS, {"metadata": {"name": "spin"}, "spec": {"handler": "spin", "replicas": 1}})
    conditions = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert "status" not in api.patch(f"{SHIMS}/spin", conditions)
    api.patch(f"{SHIMS}/spin/status", conditions)
    table = api.get(SHIMS, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    assert table["rows"][0]["cells"] == ["spin", "True"]
    assert api.patch(f"{SHIMS}/spin/scale", {"spec": {"replicas": 3}})["spec"] == {"replicas": 3}
    assert api.get(f"{SHIMS}/spin")["spec"]["replicas"] == 3


def test_a_definition_must_be_whole(api: Api) -> None:
    broken = definition()
    broken["metadata"]["name"] = "shims.example.com"
    assert 'must be spec.names.plural+"."+spec.group' in api.post(CRDS, broken)["message"]


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return bytes([number << 3, content])
    return bytes([number << 3 | 2, len(content)]) + content


def test_a_protobuf_body_is_read(api: Api) -> None:
    entry = field(1, b"a") + field(2, b"1")
    config = field(1, field(1, b"settings")) + field(2, entry)
    body = b"k8s\x00" + field(1, field(1, b"v1") + field(2, b"ConfigMap")) + field(2, config)
    media = "application/vnd.kubernetes.protobuf"
    made = api.request("POST", "/api/v1/namespaces/default/configmaps", body, media)
    assert made.json()["data"] == {"a": "1"}
    assert api.request("POST", "/api/v1/namespaces/default/configmaps", b"{}", media).status_code == 400
    cut = api.request("POST", "/api/v1/namespaces/default/configmaps", body[:-1], media)
    assert cut.status_code == 400


def test_protobuf_keeps_zero_where_it_means_something() -> None:
    port = field(1, b"web") + field(3, 80) + field(4, field(1, 0) + field(2, 80))
    spec = field(1, 0) + field(3, field(1, field(1, b"web")))
    body = b"k8s\x00" + field(1, field(1, b"apps/v1") + field(2, b"Deployment")) + field(2, field(2, spec))
    assert decoded_message(body)["spec"] == {"replicas": 0, "template": {"metadata": {"name": "web"}}}
    service = b"k8s\x00" + field(1, field(1, b"v1") + field(2, b"Service")) + field(2, field(2, field(1, port)))
    assert decoded_message(service)["spec"]["ports"] == [{"name": "web", "port": 80, "targetPort": 80}]


def test_health_can_be_asked_in_detail(api: Api) -> None:
    assert api.request("GET", "/readyz?verbose").text.endswith("readyz check passed\n")
    assert api.request("GET", "/livez").text == "ok"
    assert "/apis/apps/v1" in api.get("/")["paths"]


def test_the_python_client_applies_and_patches(client: k8s.ApiClient) -> None:
    apps = k8s.AppsV1Api(client)
    made = apps.create_namespaced_deployment("default", deployment(replicas=2))
    assert made.spec.strategy.rolling_update.max_surge == "25%"
    apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 5}})
    assert apps.read_namespaced_deployment("web", "default").spec.replicas == 5
    core = k8s.CoreV1Api(client)
    core.create_namespaced_config_map("default", config_map())
    assert core.patch_namespaced_config_map("settings", "default", {"data": {"b": "2"}}).data == {"a": "1", "b": "2"}
    versions = k8s.VersionApi(client).get_code()
    assert versions.git_version == "v1.35.5"
