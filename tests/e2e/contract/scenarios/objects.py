"""Objects as users write them."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]


def config_map(name: str = "settings", labels: Body | None = None, **data: str) -> Body:
    metadata: Body = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"a": "1"}}


def pod(name: str = "one", labels: Body | None = None, **spec: Any) -> Body:
    metadata: Body = {"name": name, **({"labels": labels} if labels else {})}
    containers = [{"name": "main", "image": "registry.example/hello:1"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers, **spec}}


def template(app: str, **spec: Any) -> Body:
    containers = [{"name": "main", "image": "registry.example/hello:1"}]
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": containers, **spec}}


def deployment(name: str = "web", **spec: Any) -> Body:
    whole = {"selector": {"matchLabels": {"app": name}}, "template": template(name), **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": whole}


def daemon_set(name: str = "agent") -> Body:
    whole = {"selector": {"matchLabels": {"app": name}}, "template": template(name)}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name}, "spec": whole}


def job(name: str = "task", **spec: Any) -> Body:
    whole = {"template": {"spec": template(name)["spec"] | {"restartPolicy": "Never"}}, **spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": whole}


def service(name: str = "web", **spec: Any) -> Body:
    whole = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": whole}


def secret(name: str = "hidden", **data: str) -> Body:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def runtime_class(name: str, **more: Any) -> Body:
    return {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, **more}


def node(name: str, labels: Body | None = None) -> Body:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels or {}}}
