"""What is refused or filled in on the way to the store: Pod Security by namespace, RuntimeClasses."""

from __future__ import annotations

from typing import Any

from tests.e2e.contract.scenarios.objects import Body, config_map, daemon_set, deployment, job, pod, runtime_class
from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript

LEVEL = "pod-security.kubernetes.io"
HOST_ROOT = {"name": "host", "hostPath": {"path": "/"}}


def container(name: str = "main", **security: Any) -> Body:
    return {"name": name, "image": "registry.example/hello:1", **({"securityContext": security} if security else {})}


PRIVILEGED: dict[str, Any] = {"containers": [container(privileged=True)], "volumes": [HOST_ROOT], "hostPID": True}
MODEST: dict[str, Any] = {
    "containers": [container(allowPrivilegeEscalation=False, capabilities={"drop": ["ALL"]})],
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
}
BEYOND_BASELINE: tuple[dict[str, Any], ...] = (
    PRIVILEGED,
    {"hostNetwork": True, "hostIPC": True},
    {"containers": [{**container(), "ports": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81}]}]},
    {"containers": [container(capabilities={"add": ["SYS_ADMIN", "NET_RAW", "CHOWN"]})]},
    {"containers": [container("a", privileged=True), container("b", privileged=True)]},
    {"volumes": [HOST_ROOT, {"name": "logs", "hostPath": {"path": "/var/log"}}]},
    {"initContainers": [container("first", privileged=True)]},
    {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}},
    {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    {"containers": [container(seccompProfile={"type": "Unconfined"})]},
    {"containers": [container(seLinuxOptions={"type": "spc_t", "user": "u"})]},
    {"securityContext": {"seLinuxOptions": {"role": "r"}}},
    {"containers": [container(procMount="Unmasked")], "hostUsers": False},
    {"containers": [container(appArmorProfile={"type": "Unconfined"})]},
    {"containers": [{**container(), "livenessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}}]},
    {"securityContext": {"windowsOptions": {"hostProcess": True}}, "hostNetwork": True},
)
BEYOND_RESTRICTED: tuple[dict[str, Any], ...] = (
    {},
    PRIVILEGED,
    {**MODEST, "volumes": [HOST_ROOT, {"name": "nfs", "nfs": {"server": "a", "path": "/"}}]},
    {**MODEST, "securityContext": {**MODEST["securityContext"], "runAsUser": 0}},
    {**MODEST, "containers": [container(allowPrivilegeEscalation=True, capabilities={"drop": ["ALL"], "add": ["X"]})]},
    {**MODEST, "containers": [container(runAsNonRoot=False, allowPrivilegeEscalation=False)]},
)


def guarded(api: Transcript, space: Space, **levels: str) -> None:
    labels = {f"{LEVEL}/{mode.replace('_', '-')}": level for mode, level in levels.items()}
    api.patch(f"/api/v1/namespaces/{space.name}", {"metadata": {"labels": labels}})
    api.settle(0.25)  # the plugin looks at a watched copy of the namespace


@scenario
def baseline_refuses_what_reaches_the_host(api: Transcript, space: Space) -> None:
    guarded(api, space, enforce="baseline")
    for spec in BEYOND_BASELINE:
        api.post(f"{space.core}/pods?dryRun=All", pod(**spec))
    api.post(f"{space.core}/pods?dryRun=All", pod())
    annotated = pod()
    annotated["metadata"]["annotations"] = {"container.apparmor.security.beta.kubernetes.io/main": "unconfined"}
    api.post(f"{space.core}/pods?dryRun=All", annotated)


@scenario
def restricted_refuses_what_is_not_modest(api: Transcript, space: Space) -> None:
    guarded(api, space, enforce="restricted")
    for spec in BEYOND_RESTRICTED:
        api.post(f"{space.core}/pods?dryRun=All", pod(**spec))
    api.post(f"{space.core}/pods", pod(**MODEST))


@scenario
def privileged_allows_all(api: Transcript, space: Space) -> None:
    guarded(api, space, enforce="privileged")
    api.post(f"{space.core}/pods?dryRun=All", pod(**PRIVILEGED))


@scenario
def policies_have_versions(api: Transcript, space: Space) -> None:
    guarded(api, space, enforce="baseline", enforce_version="v1.24")
    sysctl = {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}}
    probe = {"containers": [{**container(), "livenessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}}]}
    for spec in (sysctl, probe, PRIVILEGED):
        api.post(f"{space.core}/pods?dryRun=All", pod(**spec))


@scenario
def a_warning_is_no_refusal(api: Transcript, space: Space) -> None:
    guarded(api, space, warn="baseline", audit="restricted")
    api.post(f"{space.core}/pods?dryRun=All", pod(**PRIVILEGED))
    api.post(f"{space.core}/pods?dryRun=All", pod())


@scenario
def workloads_are_warned_of_and_their_pods_refused(api: Transcript, space: Space) -> None:
    guarded(api, space, enforce="baseline")
    whole = daemon_set()
    whole["spec"]["template"]["spec"].update(PRIVILEGED)
    api.post(f"{space.apps}/daemonsets", whole)
    web = deployment()
    web["spec"]["template"]["spec"].update(PRIVILEGED)
    api.post(f"{space.apps}/deployments", web)
    api.patch(f"{space.apps}/deployments/web", {"spec": {"replicas": 2}})
    task = job()
    task["spec"]["template"]["spec"].update(PRIVILEGED)
    api.post(f"{space.batch}/jobs?dryRun=All", task)
    api.patch(f"{space.apps}/deployments/web/scale", {"spec": {"replicas": 3}})


@scenario
def a_stricter_level_warns_of_pods_that_are_there(api: Transcript, space: Space) -> None:
    for name in ("one", "two", "three"):
        api.post(f"{space.core}/pods", pod(name, **(PRIVILEGED if name != "three" else {"hostNetwork": True})))
    api.settle(0.25)  # and at a watched copy of its pods
    guarded(api, space, enforce="baseline")
    guarded(api, space, enforce="privileged")
    api.patch(f"{space.core}/pods/one", {"metadata": {"labels": {"a": "b"}}})
    guarded(api, space, enforce="restricted")
    api.patch(f"{space.core}/pods/one", {"metadata": {"labels": {"a": "c"}}})
    api.patch(f"{space.core}/pods/one", {"spec": {"containers": [{"name": "main", "image": "other:2"}]}}, "strategic")


@scenario
def levels_that_are_none(api: Transcript, space: Space) -> None:
    where = f"/api/v1/namespaces/{space.name}"
    api.patch(where, {"metadata": {"labels": {f"{LEVEL}/enforce": "loose"}}})
    api.patch(where, {"metadata": {"labels": {f"{LEVEL}/warn": "x", f"{LEVEL}/enforce-version": "1.24"}}})
    named = {"name": f"{space.name}-b", "labels": {f"{LEVEL}/audit-version": "newest"}}
    api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": named})


@scenario
def a_runtime_class_adds_to_its_pods(api: Transcript, space: Space) -> None:
    spot = {
        "key": "kubernetes.azure.com/scalesetpriority",
        "operator": "Equal",
        "value": "spot",
        "effect": "NoSchedule",
    }
    scheduling = {"nodeSelector": {"handler.example/wasm": "ready"}, "tolerations": [spot]}
    api.post("/apis/node.k8s.io/v1/runtimeclasses", runtime_class("adds", handler="wasm", scheduling=scheduling))
    pods = f"{space.core}/pods"
    api.post(pods, pod("bare", runtimeClassName="adds"))
    api.post(pods, pod("placed", runtimeClassName="adds", nodeSelector={"disk": "fast"}))
    api.post(pods, pod("same", runtimeClassName="adds", nodeSelector=scheduling["nodeSelector"]))
    api.post(pods, pod("other", runtimeClassName="adds", nodeSelector={"handler.example/wasm": "no"}))
    api.post(pods, pod("tolerant", runtimeClassName="adds", tolerations=[spot]))
    api.post(pods, pod("wider", runtimeClassName="adds", tolerations=[{"operator": "Exists"}]))
    api.post(pods, pod("unknown", runtimeClassName="none"))


@scenario
def a_runtime_class_has_an_overhead(api: Transcript, space: Space) -> None:
    overhead = {"podFixed": {"memory": "64Mi"}}
    api.post("/apis/node.k8s.io/v1/runtimeclasses", runtime_class("heavy", handler="heavy", overhead=overhead))
    api.post(f"{space.core}/pods", pod("weighed", runtimeClassName="heavy"))
    api.post(f"{space.core}/pods", pod("other", runtimeClassName="heavy", overhead={"memory": "1Mi"}))
    api.post(f"{space.core}/pods", pod("alone", overhead={"memory": "1Mi"}))


@scenario
def runtime_classes_that_cannot_be(api: Transcript, space: Space) -> None:
    classes = "/apis/node.k8s.io/v1/runtimeclasses"
    api.post(classes, runtime_class("bad", handler="Not_A_Label"))
    api.post(classes, runtime_class("bad"))
    api.post(classes, runtime_class("bad", handler="a", scheduling={"nodeSelector": {"bad key": "x"}}))
    api.post(classes, runtime_class("bad", handler="a", scheduling={"tolerations": [{"operator": "Perhaps"}]}))
    api.post(classes, runtime_class("fixed", handler="a"))
    api.patch(f"{classes}/fixed", {"handler": "b"})
    api.post(f"{space.core}/configmaps", config_map())
