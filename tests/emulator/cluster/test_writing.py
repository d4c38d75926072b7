"""create, update and delete: defaults, what is refused and in which words, options."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from kubernetes import client as k8s

from .conftest import Api, Cluster, config_map, deployment, pod

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"


def changed(obj: dict, path: str, value: Any) -> dict:
    """A copy of the object with something else at `spec.containers.0.name`; None takes it out."""
    obj = copy.deepcopy(obj)
    below: Any = obj
    *way, last = path.split(".")
    for step in way:
        below = below[int(step)] if isinstance(below, list) else below.setdefault(step, {})
    if value is None:
        del below[last]
    else:
        below[int(last) if isinstance(below, list) else last] = value
    return obj


def service(name: str = "web", **spec: Any) -> dict:
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec},
    }  # fmt: skip


def job(**spec: Any) -> dict:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "hello:1"}]}}
    return {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": {"template": template, **spec}
    }  # fmt: skip


def test_errors_are_the_statuses_clients_know(api: Api) -> None:
    api.post(MAPS, config_map())
    assert api.get(f"{MAPS}/missing") == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": 'configmaps "missing" not found', "reason": "NotFound",
        "details": {"name": "missing", "kind": "configmaps"}, "code": 404,
    }  # fmt: skip
    twice = api.post(MAPS, config_map())
    assert (twice["reason"], twice["message"]) == ("AlreadyExists", 'configmaps "settings" already exists')
    stale = api.put(f"{MAPS}/settings", changed(config_map(), "metadata.resourceVersion", "1"))
    assert stale["message"].startswith('Operation cannot be fulfilled on configmaps "settings": the object has been')
    assert stale["reason"] == "Conflict"
    assert api.post("/api/v1/namespaces/nowhere/pods", pod())["message"] == 'namespaces "nowhere" not found'
    assert api.get("/apis/apps/v1/nonsense")["message"] == "the server could not find the requested resource"
    assert api.request("PUT", MAPS, {}).status_code == 405
    assert api.request("POST", MAPS, b"\xff", "text/plain").status_code == 415
    assert api.request("POST", MAPS, b"{", "application/json").status_code == 400
    assert api.post(MAPS, config_map(a="x" * 4_000_000))["message"] == "Request entity too large: limit is 3145728"


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("metadata.name", "Bad_Name", 'metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain'),
        ("metadata.name", "", "metadata.name: Required value: name or generateName is required"),
        ("metadata.labels", {"a": "no no"}, 'metadata.labels: Invalid value: "no no": a valid label must be'),
        ("metadata.labels", {"a b": ""}, 'metadata.labels: Invalid value: "a b": name part must consist of'),
        ("spec.containers", [], "spec.containers: Required value"),
        ("spec.containers.0.name", "", "spec.containers[0].name: Required value"),
        ("spec.containers.0.image", "", "spec.containers[0].image: Required value"),
        ("spec.containers.0.imagePullPolicy", "Sometimes",
         'Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"'),
        ("spec.containers.0.ports", [{"containerPort": 70000}], "must be between 1 and 65535, inclusive"),
        ("spec.containers.0.volumeMounts", [{"name": "v", "mountPath": "/v"}],
         'spec.containers[0].volumeMounts[0].name: Not found: "v"'),
        ("spec.containers.0.resources", {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}},
         'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'),
        ("spec.containers.0.livenessProbe", {"periodSeconds": 1}, "livenessProbe: Required value: must specify"),
        ("spec.restartPolicy", "Perhaps", 'spec.restartPolicy: Unsupported value: "Perhaps"'),
        ("spec.priorityClassName", "urgent", "no PriorityClass with name urgent was found"),
        ("spec.serviceAccountName", "bot", 'looking up service account default/bot: serviceaccount "bot" not found'),
        ("spec.containers.0.resources", {"limits": {"cpu": "much"}}, "quantities must match the regular expression"),
    ],
)  # fmt: skip
def test_a_pod_that_cannot_be_is_refused(api: Api, path: str, value: Any, told: str) -> None:
    answer = api.post(PODS, changed(pod(), path, value))
    assert answer["kind"] == "Status", answer
    assert told in answer["message"]
    assert api.get(PODS)["items"] == []


@pytest.mark.parametrize(
    ("where", "obj", "told"),
    [
        (DEPLOYMENTS, changed(deployment(), "spec.selector", None), "spec.selector: Required value"),
        (DEPLOYMENTS, deployment(replicas=-1), "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        (DEPLOYMENTS, deployment(strategy={"type": "Magic"}),
         'spec.strategy.type: Unsupported value: "Magic": supported values: "Recreate", "RollingUpdate"'),
        (DEPLOYMENTS, changed(deployment(), "spec.template.spec.restartPolicy", "Never"),
         'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'),
        (JOBS, changed(job(), "spec.template.spec.restartPolicy", None),
         'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'),
        (SERVICES, service(ports=[]), "spec.ports: Required value"),
        (SERVICES, service(ports=[{"port": 1}, {"port": 2}]), "spec.ports[0].name: Required value"),
        (SERVICES, service(type="NodePort", ports=[{"port": 1, "nodePort": 80}]),
         "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range"),
        (SERVICES, service(clusterIP="10.0.0.1"), "failed to allocate IP 10.0.0.1: provided IP is already allocated"),
        (SERVICES, service(name="1web"), "a DNS-1035 label must consist of"),
        (MAPS, config_map(**{"a b": "1"}), "data[a b]: Invalid value: \"a b\": a valid config key must consist of"),
        (CLASSES, {"metadata": {"name": "spin"}, "handler": "Spin"}, 'handler: Invalid value: "Spin": a lowercase RFC'),
        ("/api/v1/namespaces", {"metadata": {"name": "a.b"}}, "a lowercase RFC 1123 label must consist of"),
        ("/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}, "data": {"a": "?"}}, "illegal base64 data"),
    ],
)  # fmt: skip
def test_what_users_get_wrong_is_told_field_by_field(api: Api, where: str, obj: dict, told: str) -> None:
    answer = api.post(where, obj)
    assert answer["kind"] == "Status", answer
    assert told in answer["message"]


def test_causes_name_each_field(api: Api) -> None:
    answer = api.post(DEPLOYMENTS, deployment(replicas=-1, minReadySeconds=-2))
    assert (answer["code"], answer["reason"]) == (422, "Invalid")
    assert answer["message"].startswith('Deployment.apps "web" is invalid: [spec.replicas: ')
    assert answer["details"]["causes"][1] == {
        "reason": "FieldValueInvalid",
        "message": "Invalid value: -2: must be greater than or equal to 0",
        "field": "spec.minReadySeconds",
    }


@pytest.mark.parametrize(
    ("where", "made", "path", "value", "told"),
    [
        (CLASSES, {"metadata": {"name": "spin"}, "handler": "spin"}, "handler", "other",
         'RuntimeClass.node.k8s.io "spin" is invalid: handler: Invalid value: "other": field is immutable'),
        (DEPLOYMENTS, deployment(), "spec.selector.matchLabels", {"app": "b"}, "field is immutable"),
        (JOBS, job(), "spec.template.spec.containers.0.image", "other:1", "field is immutable"),
        (SERVICES, service(), "spec.clusterIP", "10.0.9.9", "may not change once set"),
        (MAPS, changed(config_map(), "immutable", value=True), "data.a", "2",
         "data: Forbidden: field is immutable when `immutable` is set"),
        (PODS, pod(), "spec.nodeSelector", {"a": "b"}, "pod updates may not change fields other than"),
    ],
)  # fmt: skip
def test_what_is_immutable_stays(api: Api, where: str, made: dict, path: str, value: Any, told: str) -> None:
    stored = api.post(where, made)
    answer = api.put(f"{where}/{stored['metadata']['name']}", changed(stored, path, value))
    assert answer.get("code") == 422, answer
    assert told in answer["message"]


@pytest.mark.parametrize(("validation", "code"), [("Strict", 400), ("Warn", 201), ("Ignore", 201), ("", 201)])
def test_unknown_fields_are_dropped_warned_of_or_refused(api: Api, validation: str, code: int) -> None:
    answer = api.request(
        "POST", DEPLOYMENTS, deployment(replica=3), params={"fieldValidation": validation, "fieldManager": "t"}
    )
    assert answer.status_code == code
    assert ("Warning" in answer.headers) == (validation in {"Warn", ""})
    if code == 400:
        told = 'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field'
        assert answer.json()["message"] == f'{told} "spec.replica"'
    else:
        assert "replica" not in answer.json()["spec"]


def test_dry_run_does_everything_but_write(api: Api) -> None:
    made = api.request("POST", MAPS, config_map(), params={"dryRun": "All"}).json()
    assert made["metadata"]["uid"]
    assert api.get(f"{MAPS}/settings")["code"] == 404
    api.post(MAPS, config_map())
    api.request("DELETE", f"{MAPS}/settings", params={"dryRun": "All"})
    api.request(
        "PATCH", f"{MAPS}/settings", {"data": {"a": "9"}}, "application/merge-patch+json", params={"dryRun": "All"}
    )
    assert api.get(f"{MAPS}/settings")["data"] == {"a": "1"}
    assert api.request("POST", MAPS, config_map("b"), params={"dryRun": "Some"}).status_code == 422


def test_a_generated_name_has_five_letters_more(api: Api) -> None:
    made = api.post(MAPS, {"metadata": {"generateName": "run-"}})
    assert made["metadata"]["name"].startswith("run-")
    assert len(made["metadata"]["name"]) == len("run-") + 5


def test_a_status_is_written_by_its_own_path_only(api: Api) -> None:
    made = api.post(DEPLOYMENTS, changed(deployment(), "status", {"replicas": 9}))
    assert made["status"] == {}
    path = f"{DEPLOYMENTS}/web"
    assert api.patch(path, {"status": {"replicas": 9}})["status"] == {}
    after = api.patch(f"{path}/status", {"status": {"replicas": 2}, "spec": {"replicas": 7}})
    assert after["status"] == {"replicas": 2}
    assert after["spec"]["replicas"] == 1
    assert after["metadata"]["generation"] == 1


def test_scale_is_a_small_window_on_a_deployment(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment(replicas=2))
    path = f"{DEPLOYMENTS}/web/scale"
    scale = api.get(path)
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 2}, "app=web")
    assert api.put(path, changed(scale, "spec.replicas", 4))["spec"] == {"replicas": 4}
    assert api.put(path, scale)["reason"] == "Conflict"
    assert api.patch(path, {"spec": {"replicas": -1}})["code"] == 422
    assert api.get(f"{DEPLOYMENTS}/web")["spec"]["replicas"] == 4


def test_a_runtime_class_steers_its_pods(api: Api) -> None:
    toleration = {"key": "wasm", "operator": "Exists", "effect": "NoSchedule"}
    scheduling = {"nodeSelector": {"arch": "wasm"}, "tolerations": [toleration]}
    api.post(CLASSES, {
        "metadata": {"name": "spin"}, "handler": "spin", "scheduling": scheduling,
        "overhead": {"podFixed": {"memory": "10Mi"}},
    })  # fmt: skip
    spec = api.post(PODS, pod(runtimeClassName="spin", nodeSelector={"zone": "1"}))["spec"]
    assert spec["nodeSelector"] == {"zone": "1", "arch": "wasm"}
    assert toleration in spec["tolerations"]
    assert spec["overhead"] == {"memory": "10Mi"}
    clash = api.post(PODS, pod("two", runtimeClassName="spin", nodeSelector={"arch": "x"}))
    assert "conflict: runtimeClass.scheduling.nodeSelector[arch] = wasm" in clash["message"]
    unknown = api.post(PODS, pod("three", runtimeClassName="slight"))
    assert unknown["message"] == 'pods "three" is forbidden: pod rejected: RuntimeClass "slight" not found'
    assert unknown["code"] == 403


def test_a_pod_gets_what_every_pod_gets(client: k8s.ApiClient) -> None:
    made = k8s.CoreV1Api(client).create_namespaced_pod("default", pod())
    assert made.spec.restart_policy == "Always"
    assert made.spec.dns_policy == "ClusterFirst"
    assert made.spec.termination_grace_period_seconds == 30
    assert made.spec.containers[0].image_pull_policy == "Always"
    assert made.spec.service_account_name == "default"
    assert {one.key for one in made.spec.tolerations} == {
        "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
    }  # fmt: skip
    assert (made.status.phase, made.status.qos_class) == ("Pending", "BestEffort")


def test_a_service_gets_addresses_and_keeps_them(api: Api) -> None:
    made = api.post(SERVICES, service(type="LoadBalancer"))
    spec = made["spec"]
    assert spec["clusterIP"].startswith("10.0.")
    assert spec["ports"][0]["targetPort"] == 80
    port = spec["ports"][0]["nodePort"]
    assert 30000 <= port <= 32767
    assert made["status"] == {"loadBalancer": {}}
    after = api.put(f"{SERVICES}/web", service(type="LoadBalancer"))["spec"]
    assert (after["clusterIP"], after["ports"][0]["nodePort"]) == (spec["clusterIP"], port)
    plain = api.patch(f"{SERVICES}/web", {"spec": {"type": "ClusterIP"}})["spec"]
    assert "nodePort" not in plain["ports"][0]
    assert plain["clusterIP"] == spec["clusterIP"]


def test_a_job_gets_its_selector_and_its_pods_their_labels(api: Api) -> None:
    made = api.post(JOBS, job())
    uid = made["metadata"]["uid"]
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert made["spec"]["template"]["metadata"]["labels"]["job-name"] == "once"
    assert (made["spec"]["backoffLimit"], made["spec"]["completions"]) == (6, 1)


def test_string_data_becomes_data(api: Api) -> None:
    made = api.post("/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}, "stringData": {"a": "hi"}})
    assert made["data"] == {"a": "aGk="}
    assert made["type"] == "Opaque"


def test_delete_says_what_has_become_of_the_object(api: Api, cluster: Cluster) -> None:
    uid = api.post(MAPS, config_map())["metadata"]["uid"]
    assert api.delete(f"{MAPS}/settings", {"preconditions": {"uid": "other"}})["code"] == 409
    gone = api.delete(f"{MAPS}/settings")
    assert gone["status"] == "Success"
    assert gone["details"] == {"name": "settings", "kind": "configmaps", "uid": uid}
    api.post(PODS, pod(nodeName="node"))
    leaving = api.delete(f"{PODS}/one", {"gracePeriodSeconds": 7})
    assert leaving["metadata"]["deletionGracePeriodSeconds"] == 7
    cluster.within(lambda store: store.finish_delete("pods", "one", "default"))
    assert api.get(f"{PODS}/one")["code"] == 404


def test_a_job_leaves_its_pods_unless_told_else(api: Api, cluster: Cluster) -> None:
    api.post(JOBS, job())
    answer = api.request("DELETE", f"{JOBS}/once")
    assert "child pods are preserved by default" in answer.headers["Warning"]
    assert answer.json()["metadata"]["finalizers"] == ["orphan"]


def test_a_collection_is_deleted_by_selector(api: Api) -> None:
    for name in ("a", "b"):
        api.post(MAPS, changed(config_map(name), "metadata.labels", {"name": name}))
    gone = api.request("DELETE", MAPS, params={"labelSelector": "name=a"}).json()
    assert [item["metadata"]["name"] for item in gone["items"]] == ["a"]
    assert [item["metadata"]["name"] for item in api.get(MAPS)["items"]] == ["b"]


def test_a_namespace_goes_when_it_is_finalized(api: Api) -> None:
    made = api.post("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "shop"}
    assert api.delete("/api/v1/namespaces/shop")["status"]["phase"] == "Terminating"
    refused = api.post("/api/v1/namespaces/shop/configmaps", config_map())
    assert "because it is being terminated" in refused["message"]
    assert refused["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    api.put("/api/v1/namespaces/shop/finalize", changed(made, "spec.finalizers", []))
    assert api.get("/api/v1/namespaces/shop")["code"] == 404
    assert api.delete("/api/v1/namespaces/default")["message"].endswith("this namespace may not be deleted")


def test_an_eviction_asks_the_disruption_budget(api: Api) -> None:
    api.post(PODS, changed(pod(), "metadata.labels", {"app": "web"}))
    budget = {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}
    api.post("/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget)
    refused = api.post(f"{PODS}/one/eviction", {"metadata": {"name": "one"}})
    assert refused["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    assert refused["code"] == 429
    api.delete("/apis/policy/v1/namespaces/default/poddisruptionbudgets/b")
    assert api.post(f"{PODS}/one/eviction", {"metadata": {"name": "one"}})["status"] == "Success"


def test_a_binding_puts_a_pod_on_a_node_once(api: Api) -> None:
    api.post(PODS, pod())
    target = {"target": {"kind": "Node", "name": "n1"}}
    assert api.post(f"{PODS}/one/binding", target)["status"] == "Success"
    assert api.get(f"{PODS}/one")["spec"]["nodeName"] == "n1"
    assert api.post(f"{PODS}/one/binding", target)["reason"] == "Conflict"


def test_the_container_of_a_log_must_be_named_when_there_are_two(api: Api) -> None:
    api.post(PODS, pod(containers=[{"name": "a", "image": "x"}, {"name": "b", "image": "x"}], nodeName="n"))
    told = api.get(f"{PODS}/one/log")
    assert told["message"] == "a container name must be specified for pod one, choose one of: [a b]"
    assert api.get(f"{PODS}/one/log?container=c")["message"] == "container c is not valid for pod one"


def test_events_are_seen_in_both_groups(api: Api, cluster: Cluster) -> None:
    api.post(PODS, pod())
    cluster.within(lambda store: store.record_event(store.get("pods", "one", "default"), "Pulled", "done"))
    core = api.get("/api/v1/namespaces/default/events")["items"][0]
    newer = api.get("/apis/events.k8s.io/v1/namespaces/default/events")["items"][0]
    assert (newer["note"], newer["regarding"]["name"]) == (core["message"], core["involvedObject"]["name"])
    assert api.get("/api/v1/events", params={"fieldSelector": "involvedObject.name=one,reason=Pulled"})["items"]


@pytest.mark.parametrize(
    ("path", "obj", "told"),
    [
        (MAPS, {**config_map(), "metadata": {"name": "f", "finalizers": ["bare"]}}, "nor is it fully qualified"),
        (SERVICES, service(ports=[{"port": 80, "nodePort": 30080}]), "may not be used when `type` is 'ClusterIP'"),
        (
            DEPLOYMENTS,
            deployment(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "some"}}),
            "must be a numeric string followed by an ending '%'",
        ),
        (
            CLASSES,
            {"metadata": {"name": "c"}, "handler": "h", "scheduling": {"nodeSelector": {"a b": ""}}},
            "name part",
        ),
        (
            MAPS,
            {**config_map("two", part="x"), "binaryData": {"part": "AAAA"}},
            "duplicate of key present in binaryData",
        ),
    ],
)
def test_what_was_let_through_once_is_refused(api: Api, path: str, obj: dict[str, Any], told: str) -> None:
    refused = api.post(path, obj)
    assert refused["code"] == 422
    assert told in refused["message"]


def test_what_is_being_deleted_gets_no_new_finalizer(api: Api) -> None:
    api.post(MAPS, {**config_map(), "metadata": {"name": "held", "finalizers": ["example.com/one"]}})
    api.delete(f"{MAPS}/held")
    more = {"metadata": {"finalizers": ["example.com/one", "example.com/two"]}}
    assert 'found new finalizers []string{"example.com/two"}' in api.patch(f"{MAPS}/held", more)["message"]
    assert api.patch(f"{MAPS}/held", {"metadata": {"finalizers": None}})["metadata"]["name"] == "held"


def test_another_uid_or_type_in_a_patch_makes_it_invalid(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    assert api.patch(f"{DEPLOYMENTS}/web", {"metadata": {"uid": "other"}})["code"] == 422
    assert api.patch(f"{DEPLOYMENTS}/web", {"spec": {"replicas": "two"}})["code"] == 422
