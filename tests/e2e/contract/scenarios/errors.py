"""What users get wrong, and how they are told: codes, reasons, texts, causes."""

from __future__ import annotations

from typing import Any

from tests.e2e.contract.scenarios.objects import config_map, daemon_set, deployment, job, pod, service
from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript


@scenario
def nothing_is_there(api: Transcript, space: Space) -> None:
    api.get(f"{space.core}/configmaps/none")
    api.get(f"{space.apps}/deployments/none")
    api.get(f"{space.core}/unknowns")
    api.get("/apis/none.example/v1/things")
    api.get("/apis/apps/v9/deployments")
    api.get("/nothing/here")
    api.delete(f"{space.core}/pods/none")
    api.get("/api/v1/namespaces/none")
    api.get("/api/v1/nodes/none")


@scenario
def methods_that_are_none(api: Transcript, space: Space) -> None:
    api.put(f"{space.core}/configmaps", config_map())
    api.post(f"{space.core}/configmaps/settings", config_map())
    api.ask("DELETE", "/api/v1/namespaces")
    api.ask("OPTIONS", f"{space.core}/configmaps")


@scenario
def bodies_that_are_none(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/configmaps", "{")
    api.post(f"{space.core}/configmaps", "")
    api.post(f"{space.core}/configmaps", "[]")
    api.post(f"{space.core}/configmaps", "null")
    api.post(f"{space.core}/configmaps", '"text"')
    api.ask("POST", f"{space.core}/configmaps", config_map(), media="text/plain")
    api.get(f"{space.core}/configmaps", accept="text/html")


@scenario
def names_and_labels(api: Transcript, space: Space) -> None:
    for name in ("Upper", "under_score", "-dash", "a" * 254, "a..b", ""):
        api.post(f"{space.core}/configmaps", config_map(name))
    for labels in ({"bad key": "x"}, {"a": "bad value"}, {"a" * 64: "x"}, {"a/b/c": "x"}, {"": "x"}):
        api.post(f"{space.core}/configmaps", config_map("labelled", labels=labels))
    api.post(f"{space.core}/services", service("1st"))
    api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a.b"}})
    api.post(f"{space.core}/configmaps", {**config_map("keys"), "data": {"a b": "x"}})
    api.post(f"{space.core}/configmaps", {**config_map("finals"), "metadata": {"name": "f", "finalizers": ["x"]}})


PODS: tuple[dict[str, Any], ...] = (
    {"containers": []},
    {"containers": [{"name": "main"}]},
    {"containers": [{"image": "x"}]},
    {"containers": [{"name": "Main", "image": "x"}]},
    {"containers": [{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]},
    {"restartPolicy": "Sometimes"},
    {"containers": [{"name": "a", "image": "x", "imagePullPolicy": "Perhaps"}]},
    {"containers": [{"name": "a", "image": "x", "ports": [{"containerPort": 70000}]}]},
    {"containers": [{"name": "a", "image": "x", "env": [{"name": "", "value": "1"}]}]},
    {"containers": [{"name": "a", "image": "x", "volumeMounts": [{"name": "none", "mountPath": "/v"}]}]},
    {"containers": [{"name": "a", "image": "x", "resources": {"limits": {"cpu": "lots"}}}]},
    {"containers": [{"name": "a", "image": "x", "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}]},
    {"containers": [{"name": "a", "image": "x", "livenessProbe": {}}]},
    {"containers": [{"name": "a", "image": "x", "livenessProbe": {"tcpSocket": {"port": 0}}}]},
    {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
    {"nodeSelector": {"bad key": "x"}},
    {"terminationGracePeriodSeconds": -1},
    {"volumes": [{"name": "v"}]},
    {"runtimeClassName": "Not_A_Name"},
    {"unknown": 1},
    {"containers": "text"},
    {"containers": [{"name": "a", "image": "x", "args": [1]}]},
    {"hostNetwork": "yes"},
)


@scenario
def pods_that_cannot_be(api: Transcript, space: Space) -> None:
    for spec in PODS:
        api.post(f"{space.core}/pods?fieldValidation=Strict&dryRun=All", pod(**spec))


@scenario
def workloads_that_cannot_be(api: Transcript, space: Space) -> None:
    deployments = f"{space.apps}/deployments?dryRun=All"
    api.post(deployments, deployment(replicas=-1))
    api.post(deployments, deployment(selector={"matchLabels": {"app": "other"}}))
    api.post(deployments, deployment(selector=None))
    api.post(deployments, deployment(selector={}))
    api.post(deployments, deployment(strategy={"type": "Slowly"}))
    api.post(deployments, deployment(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "x"}}))
    api.post(deployments, {**deployment(), "spec": {}})
    api.post(f"{space.batch}/jobs?dryRun=All", job(backoffLimit=-1))
    always = job()
    always["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    api.post(f"{space.batch}/jobs?dryRun=All", always)
    api.post(f"{space.batch}/jobs?dryRun=All", job(parallelism=-1, completions=-2))
    once = daemon_set()
    once["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    api.post(f"{space.apps}/daemonsets?dryRun=All", once)


@scenario
def services_that_cannot_be(api: Transcript, space: Space) -> None:
    services = f"{space.core}/services?dryRun=All"
    api.post(services, service(ports=[]))
    api.post(services, service(ports=[{"port": 0}]))
    api.post(services, service(ports=[{"port": 80}, {"port": 81}]))
    api.post(services, service(ports=[{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]))
    api.post(services, service(type="Other"))
    api.post(services, service(type="NodePort", ports=[{"port": 80, "nodePort": 80}]))
    api.post(services, service(ports=[{"port": 80, "nodePort": 30080}]))
    api.post(services, service(clusterIP="1.2.3.4"))
    api.post(services, service(clusterIP="text"))
    api.post(services, service(ports=[{"port": 80, "protocol": "ICMP"}]))
    api.post(services, service(type="ExternalName"))


@scenario
def queries_that_are_none(api: Transcript, space: Space) -> None:
    maps = f"{space.core}/configmaps"
    api.get(f"{maps}?labelSelector=a=b=c")
    api.get(f"{maps}?labelSelector=a%20in%20b")
    api.get(f"{maps}?fieldSelector=data.a=1")
    api.get(f"{maps}?fieldSelector=metadata.name")
    api.get(f"{maps}?limit=many")
    api.get(f"{maps}?continue=nonsense")
    api.get(f"{maps}?resourceVersion=x")
    api.post(f"{maps}?dryRun=Some", config_map())
    api.get(f"{space.core}/pods?fieldSelector=spec.image=x")
