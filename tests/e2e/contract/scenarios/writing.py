"""Creating and replacing: what the server adds, and what it refuses."""

from __future__ import annotations

from tests.e2e.contract.scenarios.objects import (
    config_map,
    daemon_set,
    deployment,
    job,
    pod,
    runtime_class,
    secret,
    service,
)
from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript


@scenario
def defaults_of_a_deployment(api: Transcript, space: Space) -> None:
    api.post(f"{space.apps}/deployments", deployment())
    api.post(f"{space.apps}/daemonsets", daemon_set())


@scenario
def defaults_of_a_pod(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/pods", pod())
    probe = {"httpGet": {"path": "/", "port": 80}}
    container = {"name": "main", "image": "hello", "ports": [{"containerPort": 80}], "readinessProbe": probe}
    container["resources"] = {"limits": {"memory": "64Mi", "cpu": "0.5"}}
    container["env"] = [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
    volumes = [{"name": "v", "configMap": {"name": "c"}}, {"name": "w", "emptyDir": {}}]
    api.post(f"{space.core}/pods", pod("two", containers=[container], volumes=volumes))


@scenario
def defaults_of_a_job(api: Transcript, space: Space) -> None:
    api.post(f"{space.batch}/jobs", job())
    schedule = {"schedule": "*/5 * * * *", "jobTemplate": {"spec": job()["spec"]}}
    cron = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "often"}, "spec": schedule}
    api.post(f"{space.batch}/cronjobs", cron)


@scenario
def defaults_of_services(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/services", service())
    api.post(f"{space.core}/services", service("outside", type="LoadBalancer"))
    api.post(f"{space.core}/services", service("ports", type="NodePort"))
    api.post(f"{space.core}/services", service("bare", clusterIP="None"))
    api.post(f"{space.core}/services", service("away", type="ExternalName", externalName="example.org"))


@scenario
def a_name_can_be_generated(api: Transcript, space: Space) -> None:
    made = api.quietly("POST", f"{space.core}/configmaps", {**config_map(), "metadata": {"generateName": "some-"}})
    assert len(made["metadata"]["name"]) == len("some-") + 5
    api.post(f"{space.core}/configmaps", {**config_map(), "metadata": {}})


@scenario
def what_is_there_already(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/configmaps", config_map())
    api.post(f"{space.core}/configmaps", config_map())
    api.post(f"{space.apps}/deployments", deployment())
    api.post(f"{space.apps}/deployments", deployment())


@scenario
def an_old_version_is_a_conflict(api: Transcript, space: Space) -> None:
    made = api.post(f"{space.core}/configmaps", config_map())
    api.put(f"{space.core}/configmaps/settings", config_map(a="2"))
    api.put(f"{space.core}/configmaps/settings", {**made, "data": {"a": "3"}})
    api.put(f"{space.core}/configmaps/other", config_map("other"))
    api.put(f"{space.core}/configmaps/settings", config_map("other"))


@scenario
def a_replacement_raises_the_generation(api: Transcript, space: Space) -> None:
    made = api.post(f"{space.apps}/deployments", deployment())
    api.put(f"{space.apps}/deployments/web", {**made, "spec": {**made["spec"], "replicas": 3}})
    api.put(f"{space.apps}/deployments/web", deployment(replicas=3))
    api.put(f"{space.apps}/deployments/web", {**deployment(replicas=3), "status": {"replicas": 5}})


@scenario
def secrets_hold_what_they_are_told(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/secrets", secret(a="plain"))
    api.post(f"{space.core}/secrets", {**secret("coded"), "data": {"a": "eA=="}})
    api.post(f"{space.core}/secrets", {**secret("wrong"), "data": {"a": "not base64!"}})
    api.put(f"{space.core}/secrets/hidden", {**secret(a="plain"), "type": "kubernetes.io/tls"})


@scenario
def what_is_immutable_stays(api: Transcript, space: Space) -> None:
    made = api.post(f"{space.core}/configmaps", {**config_map(), "immutable": True})
    api.put(f"{space.core}/configmaps/settings", {**made, "data": {"a": "2"}})
    api.post(f"{space.batch}/jobs", job())
    api.patch(f"{space.batch}/jobs/task", {"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}})
    api.post("/apis/node.k8s.io/v1/runtimeclasses", runtime_class("fixed", handler="spin"))
    api.patch("/apis/node.k8s.io/v1/runtimeclasses/fixed", {"handler": "slight"})
    api.post(f"{space.core}/services", service())
    api.patch(f"{space.core}/services/web", {"spec": {"clusterIP": "10.0.44.44", "clusterIPs": ["10.0.44.44"]}})


@scenario
def runtime_classes_steer_pods(api: Transcript, space: Space) -> None:
    steering = {
        "nodeSelector": {"wasm": "yes"},
        "tolerations": [{"key": "wasm", "operator": "Exists", "effect": "NoSchedule"}],
    }
    overhead = {"podFixed": {"cpu": "10m"}}
    api.post(
        "/apis/node.k8s.io/v1/runtimeclasses",
        runtime_class("steering", handler="spin", scheduling=steering, overhead=overhead),
    )
    api.post(f"{space.core}/pods", pod(runtimeClassName="steering"))
    api.post(f"{space.core}/pods", pod("two", runtimeClassName="steering", nodeSelector={"wasm": "no"}))
    api.post(f"{space.core}/pods", pod("three", runtimeClassName="nowhere"))
    api.post("/apis/node.k8s.io/v1/runtimeclasses", runtime_class("empty"))
    api.post("/apis/node.k8s.io/v1/runtimeclasses", runtime_class("wrong", handler="Not_A_Label"))


@scenario
def unknown_fields(api: Transcript, space: Space) -> None:
    odd = {**deployment(), "unknown": 1}
    odd["spec"]["template"]["spec"]["contaners"] = []
    for validation in ("Strict", "Warn", "Ignore", "Other"):
        api.post(f"{space.apps}/deployments?fieldValidation={validation}&dryRun=All", odd)
    twice = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1","a":"2"}}'
    api.post(f"{space.core}/configmaps?fieldValidation=Strict", twice)


@scenario
def objects_go_where_they_belong(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/configmaps", {**config_map(), "metadata": {"name": "a", "namespace": "elsewhere"}})
    api.post("/api/v1/namespaces/missing/configmaps", config_map())
    api.post(f"{space.core}/configmaps", {**config_map(), "kind": "Secret"})
    api.post(f"{space.core}/configmaps", {**config_map(), "apiVersion": "apps/v1"})
    api.post(f"{space.core}/configmaps", {"metadata": {"name": "bare"}, "data": {"a": "1"}})
    api.post("/api/v1/configmaps", config_map())
