from __future__ import annotations

from typing import Any

from aks_wasm.emulator.cluster.controllers.replica_set import first_to_go
from tests.emulator.controllers.cluster import Cluster, pod, template, workload

PLURAL = "replicasets.apps"


def replica_set(replicas: int, **spec: Any) -> dict[str, Any]:
    wanted = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template()}
    return workload("ReplicaSet", "web", {**wanted, **spec})


def ready(cluster: Cluster) -> int:
    return cluster.store.get(PLURAL, "web", "default").get("status", {}).get("readyReplicas", 0)


async def test_a_deleted_pod_is_replaced(cluster: Cluster):
    cluster.store.create(PLURAL, replica_set(2))
    await cluster.until(lambda: ready(cluster) == 2)
    gone = cluster.pods()[0]["metadata"]["name"]

    cluster.store.delete("pods", gone, "default")

    await cluster.until(lambda: cluster.store.get("pods", gone, "default") is None)
    await cluster.until(lambda: len(cluster.pods()) == 2 and ready(cluster) == 2)


async def test_a_matching_orphan_is_adopted_instead_of_making_a_pod(cluster: Cluster):
    cluster.store.create("pods", pod("orphan", app="web"))
    cluster.store.create(PLURAL, replica_set(1))

    await cluster.until(lambda: ready(cluster) == 1)

    [only] = cluster.pods()
    assert only["metadata"]["name"] == "orphan"
    assert only["metadata"]["ownerReferences"][0]["name"] == "web"


async def test_a_pod_that_loses_the_label_is_let_go_and_replaced(cluster: Cluster):
    cluster.store.create(PLURAL, replica_set(1))
    await cluster.until(lambda: ready(cluster) == 1)
    name = cluster.pods()[0]["metadata"]["name"]

    cluster.store.mutate("pods", name, "default", lambda fresh: fresh["metadata"].update(labels={"app": "other"}))

    await cluster.until(lambda: len(cluster.pods()) == 2 and ready(cluster) == 1)
    assert not cluster.store.get("pods", name, "default")["metadata"].get("ownerReferences")


def test_scaling_down_takes_waiting_pods_first_and_cheap_ones_before_dear_ones():
    def made(name: str, cost: str = "0", **status: Any) -> dict[str, Any]:
        one = pod(name, {"nodeName": "node-1"})
        one["metadata"]["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": cost}
        return {**one, "status": {"phase": "Running", **status}}

    is_ready = [{"type": "Ready", "status": "True"}]
    waiting = {**pod("unbound"), "status": {"phase": "Pending"}}
    pods = [
        made("dear", "10", conditions=is_ready),
        made("cheap", "-10", conditions=is_ready),
        made("unready"),
        made("starting", phase="Pending"),
        waiting,
    ]
    order = [one["metadata"]["name"] for one in first_to_go(pods)]
    assert order == ["unbound", "starting", "unready", "cheap", "dear"]


async def test_pods_that_admission_refuses_are_told_of_and_made_once_they_may_be(cluster: Cluster):
    pods = template()
    pods["spec"]["runtimeClassName"] = "wasmtime-spin-v2"
    cluster.store.create(PLURAL, replica_set(1, template=pods))

    [message] = await cluster.until(lambda: cluster.told("FailedCreate")[:1])
    why = 'pods "web-" is forbidden: pod rejected: RuntimeClass "wasmtime-spin-v2" not found'
    assert message == f"Error creating: {why}"
    await cluster.until(lambda: cluster.condition(PLURAL, "web", "ReplicaFailure"))

    described = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "wasmtime-spin-v2"}}
    cluster.store.create("runtimeclasses.node.k8s.io", {**described, "handler": "spin"})

    await cluster.until(lambda: ready(cluster) == 1)
    assert cluster.condition(PLURAL, "web", "ReplicaFailure") is None
