"""What others made in the cluster stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aks_wasm.kube.client import KubeClient
from tests.journeys.conftest import Tool


@contextmanager
def client_of(tool: Tool) -> Iterator[KubeClient]:
    client = KubeClient.from_kubeconfig(tool("kubeconfig").stdout)
    try:
        yield client
    finally:
        client.close()


def secret(name: str, labels: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"a": "Yg=="}}


def test_objects_that_only_share_the_part_of_label_are_left_alone(tool: Tool) -> None:
    """Helm charts carry `app.kubernetes.io/part-of` as well."""
    tool.up("--set", "workloads=[]")
    with client_of(tool) as client:
        client.apply(secret("chart", {"app.kubernetes.io/part-of": tool.name, "app.kubernetes.io/name": "chart"}))
        assert tool.up("--set", "workloads=[]")["steps"] == []
        assert client.get("Secret", "chart", "default") is not None


def test_an_object_of_the_same_name_is_not_taken_over(tool: Tool) -> None:
    tool.up("--set", "workloads=[]")
    with client_of(tool) as client:
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "hello", "namespace": "default"},
            "spec": {"ports": [{"port": 1234}]},
        }
        client.apply(service)
        error = tool.up(code=7)["error"]
        assert (error["code"], "`hello`" in error["message"]) == ("NotOurs", True)
        left = client.get("Service", "hello", "default")
        assert left is not None
        assert left["spec"]["ports"][0]["port"] == 1234
        assert client.get("Deployment", "hello", "default") is None
