"""Tables: the columns kubectl prints."""

from __future__ import annotations

from tests.e2e.contract.scenarios.objects import (
    config_map,
    daemon_set,
    deployment,
    job,
    node,
    pod,
    runtime_class,
    secret,
    service,
)
from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript

EMPTY = (
    "/api/v1/endpoints", "/api/v1/events", "/api/v1/serviceaccounts", "/api/v1/persistentvolumes",
    "/api/v1/persistentvolumeclaims", "/apis/apps/v1/statefulsets", "/apis/apps/v1/replicasets",
    "/apis/batch/v1/cronjobs", "/apis/networking.k8s.io/v1/ingresses", "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings", "/apis/discovery.k8s.io/v1/endpointslices",
    "/apis/storage.k8s.io/v1/storageclasses", "/apis/policy/v1/poddisruptionbudgets",
    "/apis/autoscaling/v2/horizontalpodautoscalers", "/apis/coordination.k8s.io/v1/leases",
)  # fmt: skip


@scenario
def columns_of_workloads(api: Transcript, space: Space) -> None:
    api.quietly("POST", f"{space.apps}/deployments", deployment(replicas=2))
    api.quietly("POST", f"{space.apps}/daemonsets", daemon_set())
    api.quietly("POST", f"{space.batch}/jobs", job(completions=3))
    api.table(f"{space.apps}/deployments")
    api.table(f"{space.apps}/daemonsets")
    api.table(f"{space.batch}/jobs")


@scenario
def columns_of_pods(api: Transcript, space: Space) -> None:
    api.quietly("POST", f"{space.core}/pods", pod())
    api.table(f"{space.core}/pods")
    api.table(f"{space.core}/pods/one")
    statuses = [{"name": "main", "ready": False, "restartCount": 3, "image": "", "imageID": ""}]
    statuses[0]["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    status = {"status": {"phase": "Running", "containerStatuses": statuses, "podIP": "10.244.0.7"}}
    api.quietly("PATCH", f"{space.core}/pods/one/status", status, media="application/strategic-merge-patch+json")
    api.table(f"{space.core}/pods/one")


@scenario
def columns_of_the_rest(api: Transcript, space: Space) -> None:
    api.quietly("POST", f"{space.core}/configmaps", config_map(a="1", b="2"))
    api.quietly("POST", f"{space.core}/secrets", secret(a="1"))
    api.quietly("POST", f"{space.core}/services", service())
    api.quietly("POST", f"{space.core}/services", service("outside", type="LoadBalancer"))
    api.quietly("POST", "/apis/node.k8s.io/v1/runtimeclasses", runtime_class("listed", handler="spin"))
    api.quietly("POST", "/api/v1/nodes", node("listed", {"node-role.kubernetes.io/worker": ""}))
    for path in ("configmaps/settings", "secrets/hidden", "services"):
        api.table(f"{space.core}/{path}")
    api.table("/apis/node.k8s.io/v1/runtimeclasses/listed")
    api.table("/api/v1/nodes/listed")
    api.table(f"/api/v1/namespaces/{space.name}")
    api.quietly("DELETE", "/api/v1/nodes/listed")


@scenario
def columns_of_what_is_not_there(api: Transcript, space: Space) -> None:
    for path in EMPTY:
        table = api.quietly("GET", f"{path}?labelSelector=none%3Dnone", accept=TABLE_ONLY)
        columns = [(one["name"], one["type"], one["priority"]) for one in table.get("columnDefinitions", [])]
        api.lines.append({"request": f"COLUMNS {path}", "status": 200, "body": [list(one) for one in columns]})


TABLE_ONLY = "application/json;as=Table;v=v1;g=meta.k8s.io"
