"""Who keeps a shim on the nodes: whoever asks for its handler, by whatever RuntimeClass."""

from __future__ import annotations

from typing import Any

from aks_wasm.kube.client import KubeClient
from aks_wasm.kube.runtime_users import running, users_of
from aks_wasm.steps.move import moves


def runtime_class(client: KubeClient, name: str, handler: str) -> None:
    metadata = {"name": name}
    client.apply({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": metadata, "handler": handler})


def deployment(name: str, runtime: str) -> dict[str, Any]:
    pod = {"runtimeClassName": runtime, "containers": [{"name": "app", "image": "i:1"}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def test_a_handler_is_used_through_any_runtime_class_that_names_it(client: KubeClient) -> None:
    runtime_class(client, "used-v1", "used-v1")
    runtime_class(client, "theirs-v1", "used-v1")
    runtime_class(client, "other-v1", "other-v1")
    for name in ("used-v1", "theirs-v1", "other-v1"):
        client.apply(deployment(f"of-{name}", name))
    metadata = {"name": "bare-v1", "namespace": "default"}
    spec = {"runtimeClassName": "theirs-v1", "containers": [{"name": "app", "image": "i:1"}]}
    client.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    users = users_of(client, ["used-v1"])
    assert sorted(map(str, users)) == [
        "deployment/of-theirs-v1 through RuntimeClass theirs-v1",
        "deployment/of-used-v1",
        "pod/bare-v1 through RuntimeClass theirs-v1",
    ]
    assert {user.runtime_class for user in users} == {"used-v1"}
    assert [user.name for user in running(users)] == ["bare-v1"]
    assert [user.name for user in users if moves(user, "demo", everybody=True)] == ["of-used-v1"]
