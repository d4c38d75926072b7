from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster import bootstrap
from aks_wasm.emulator.cluster.controllers import Controllers
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.state import Documents
from tests.emulator.controllers.cluster import Cluster, node, pod, running, template, workload


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {"finalizers": ["kubernetes"]}}


async def test_a_new_cluster_holds_what_aks_adds_to_it(cluster: Cluster):
    def names(plural: str, within: str | None = None) -> set[str]:
        return {obj["metadata"]["name"] for obj in cluster.store.list(plural, within)}

    await cluster.until(lambda: names("runtimeclasses.node.k8s.io") == {"runc", "kata-vm-isolation"})
    assert cluster.store.get("runtimeclasses.node.k8s.io", "kata-vm-isolation")["handler"] == "kata"
    default = cluster.store.get("storageclasses.storage.k8s.io", "default")
    assert default["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    await cluster.until(lambda: names("serviceaccounts", "kube-system") == {"default"})


async def test_every_namespace_has_its_service_account_and_gets_it_back(cluster: Cluster):
    cluster.store.create("namespaces", namespace("shop"))
    await cluster.until(lambda: cluster.store.get("serviceaccounts", "default", "shop"))
    assert cluster.store.get("namespaces", "shop")["status"]["phase"] == "Active"

    cluster.store.delete("serviceaccounts", "default", "shop")

    await cluster.until(lambda: cluster.store.get("serviceaccounts", "default", "shop"))


async def test_every_namespace_has_the_root_certificate(tmp_path: Path):
    documents = Documents(tmp_path / "state.db")
    store = Store(documents, "clusters/test")
    bootstrap.fill(store)
    task = asyncio.create_task(Controllers(store, Pace(0), root_ca="PEM").run())
    cluster = Cluster(store)
    bundle = await cluster.until(lambda: store.get("configmaps", "kube-root-ca.crt", "default"))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    documents.close()
    assert bundle["data"] == {"ca.crt": "PEM"}


async def test_a_deleted_namespace_is_emptied_before_it_goes(cluster: Cluster):
    cluster.store.create("namespaces", namespace("shop"))
    await cluster.until(lambda: cluster.store.get("serviceaccounts", "default", "shop"))
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template()}
    wanted = workload("Deployment", "web", spec)
    wanted["metadata"]["namespace"] = "shop"
    cluster.store.create("deployments.apps", wanted)
    await cluster.until(lambda: [one for one in cluster.pods("shop") if one.get("status", {}).get("podIP")])
    cluster.kubelet.stops = False

    cluster.store.delete("namespaces", "shop")

    def remaining() -> dict[str, Any] | None:
        rows = cluster.store.get("namespaces", "shop")["status"].get("conditions", [])
        return next((row for row in rows if row["type"] == "NamespaceContentRemaining"), None)

    row = await cluster.until(remaining)
    assert row["message"] == "Some resources are remaining: pods has 1 resource instances"
    assert cluster.store.get("namespaces", "shop")["status"]["phase"] == "Terminating"

    for one in cluster.pods("shop"):
        cluster.store.finish_delete("pods", one["metadata"]["name"], "shop")
    await cluster.until(lambda: cluster.store.get("namespaces", "shop") is None)
    await cluster.settled()
    assert [plural for plural in cluster.store.plurals() if cluster.store.list(plural, "shop")] == []


async def test_the_controllers_go_on_from_the_store_after_a_restart(tmp_path: Path):
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template()}
    async with running(tmp_path) as cluster:
        cluster.store.create("deployments.apps", workload("Deployment", "web", spec))
        await cluster.until(lambda: len(cluster.pods()) == 2)
        names = {one["metadata"]["name"] for one in cluster.pods()}
    async with running(tmp_path) as cluster:
        cluster.store.create("nodes", node())
        await cluster.until(
            lambda: cluster.store.get("deployments.apps", "web", "default")["status"].get("availableReplicas") == 2
        )
        assert {one["metadata"]["name"] for one in cluster.pods()} == names
        assert len(cluster.store.list("namespaces")) == 4


async def test_one_object_a_controller_can_not_cope_with_does_not_stop_the_others(tmp_path: Path):
    async with running(tmp_path) as cluster:
        broken = workload("DaemonSet", "broken", {"selector": {}, "template": {"spec": {}}})
        cluster.store.insert("daemonsets.apps", {**broken, "spec": {}})
        cluster.store.create("nodes", node())
        cluster.store.create("pods", pod("one"))
        await cluster.until(lambda: cluster.store.get("pods", "one", "default").get("status", {}).get("podIP"))
