from __future__ import annotations

from typing import Any

from tests.emulator.controllers.cluster import Cluster, node, pod, template, workload

NO_EXECUTE = {"key": "gone-soon", "value": "yes", "effect": "NoExecute"}


def set_ready(cluster: Cluster, status: str) -> None:
    def change(fresh: dict[str, Any]) -> None:
        fresh["status"]["conditions"][0]["status"] = status

    cluster.store.mutate("nodes", "node-1", None, change)


def running(cluster: Cluster, name: str) -> bool:
    found = cluster.store.get("pods", name, "default")
    return bool(found and found.get("status", {}).get("phase") == "Running")


async def test_pods_of_a_removed_node_are_deleted_and_replaced_elsewhere(cluster: Cluster):
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template()}
    cluster.store.create("replicasets.apps", workload("ReplicaSet", "web", spec))
    await cluster.until(lambda: [one for one in cluster.pods() if one["spec"].get("nodeName") == "node-1"])
    cluster.store.create("nodes", node("node-2"))

    cluster.store.delete("nodes", "node-1")

    await cluster.until(lambda: [one["spec"].get("nodeName") for one in cluster.pods()] == ["node-2"])


async def test_a_job_counts_the_pod_its_node_took_away(cluster: Cluster):
    pods = template()
    pods["spec"]["restartPolicy"] = "Never"
    cluster.store.create("jobs.batch", workload("Job", "sum", {"template": pods, "completions": 1, "parallelism": 1}))
    await cluster.until(lambda: [one for one in cluster.pods() if one["spec"].get("nodeName")])

    cluster.store.delete("nodes", "node-1")

    await cluster.until(lambda: cluster.store.get("jobs.batch", "sum", "default")["status"].get("failed") == 1)


async def test_a_no_execute_taint_drives_out_who_does_not_tolerate_it(cluster: Cluster):
    tolerates = {"tolerations": [{"key": "gone-soon", "operator": "Exists"}]}
    cluster.store.create("pods", pod("stays", tolerates))
    cluster.store.create("pods", pod("leaves"))
    await cluster.until(lambda: running(cluster, "stays") and running(cluster, "leaves"))

    cluster.store.mutate("nodes", "node-1", None, lambda fresh: fresh["spec"].update(taints=[NO_EXECUTE]))

    await cluster.until(lambda: cluster.store.get("pods", "leaves", "default") is None)
    assert cluster.told("TaintManagerEviction") == ["Marking for deletion Pod default/leaves"]
    await cluster.settled()
    assert running(cluster, "stays")


async def test_a_tolerated_taint_is_left_after_its_seconds(cluster: Cluster):
    limited = {"tolerations": [{"key": "gone-soon", "operator": "Exists", "tolerationSeconds": 300}]}
    cluster.store.create("pods", pod("leaves", limited))
    await cluster.until(lambda: running(cluster, "leaves"))

    cluster.store.mutate("nodes", "node-1", None, lambda fresh: fresh["spec"].update(taints=[NO_EXECUTE]))

    await cluster.until(lambda: cluster.store.get("pods", "leaves", "default") is None)


async def test_a_node_that_is_not_ready_is_tainted_until_it_is_again(cluster: Cluster):
    tolerates = {"tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]}
    cluster.store.create("pods", pod("stays", tolerates))
    await cluster.until(lambda: running(cluster, "stays"))

    set_ready(cluster, "False")
    await cluster.until(lambda: cluster.told("NodeNotReady"))
    taints = cluster.store.get("nodes", "node-1")["spec"]["taints"]
    assert {(row["key"], row["effect"]) for row in taints} == {
        ("node.kubernetes.io/not-ready", "NoSchedule"),
        ("node.kubernetes.io/not-ready", "NoExecute"),
    }

    set_ready(cluster, "True")
    await cluster.until(lambda: "taints" not in cluster.store.get("nodes", "node-1")["spec"])
