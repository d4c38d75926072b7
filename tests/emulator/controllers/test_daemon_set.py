from __future__ import annotations

import re
from typing import Any

from aks_wasm.emulator.cluster import pod_security
from tests.emulator.controllers.cluster import Cluster, node, template, workload

PLURAL = "daemonsets.apps"


def daemon_set(pods: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    wanted = {"selector": {"matchLabels": {"app": "web"}}, "template": pods or template()}
    return workload("DaemonSet", "agent", {**wanted, **spec})


def status(cluster: Cluster) -> dict[str, Any]:
    return cluster.store.get(PLURAL, "agent", "default").get("status", {})


def is_rolled_out(cluster: Cluster, nodes: int) -> bool:
    """What `kubectl rollout status` waits for."""
    found = cluster.store.get(PLURAL, "agent", "default")
    row = found.get("status", {})
    return (
        row.get("observedGeneration", 0) >= found["metadata"]["generation"]
        and row.get("desiredNumberScheduled") == nodes
        and row.get("updatedNumberScheduled", 0) == nodes == row.get("numberAvailable", 0)
    )


def nodes_of(cluster: Cluster) -> list[str]:
    return sorted(one["spec"].get("nodeName", "") for one in cluster.pods())


async def test_each_node_gets_one_pod_and_so_does_one_that_comes_later(cluster: Cluster):
    cluster.store.create("nodes", node("node-2"))
    cluster.store.create(PLURAL, daemon_set())
    await cluster.until(lambda: is_rolled_out(cluster, 2))

    cluster.store.create("nodes", node("node-3"))

    await cluster.until(lambda: is_rolled_out(cluster, 3))
    assert nodes_of(cluster) == ["node-1", "node-2", "node-3"]


async def test_only_selected_and_tolerated_nodes_get_one(cluster: Cluster):
    taint = {"key": "aks-wasm.dev/wasm", "value": "true", "effect": "NoSchedule"}
    cluster.store.create("nodes", node("wasm-1", taints=[taint], pool="wasm"))
    cluster.store.create("nodes", node("wasm-2", taints=[{**taint, "key": "other"}], pool="wasm"))
    pods = template()
    pods["spec"] |= {"nodeSelector": {"pool": "wasm"}, "tolerations": [{"key": taint["key"], "operator": "Exists"}]}
    cluster.store.create(PLURAL, daemon_set(pods))

    await cluster.until(lambda: is_rolled_out(cluster, 1))

    assert nodes_of(cluster) == ["wasm-1"]


async def test_daemon_pods_stay_on_and_come_to_cordoned_nodes(cluster: Cluster):
    cluster.store.mutate("nodes", "node-1", None, lambda fresh: fresh["spec"].update(unschedulable=True))
    cluster.store.create(PLURAL, daemon_set())
    await cluster.until(lambda: is_rolled_out(cluster, 1))


async def test_a_pod_leaves_a_node_that_no_longer_matches(cluster: Cluster):
    pods = template()
    pods["spec"]["nodeSelector"] = {"shim": "wanted"}
    cluster.store.create(PLURAL, daemon_set(pods))
    cluster.store.create("nodes", node("node-2", shim="wanted"))
    await cluster.until(lambda: is_rolled_out(cluster, 1))

    cluster.store.mutate("nodes", "node-2", None, lambda fresh: fresh["metadata"]["labels"].pop("shim"))

    await cluster.until(lambda: not cluster.pods())
    await cluster.until(lambda: status(cluster)["desiredNumberScheduled"] == 0)


async def test_a_new_template_replaces_one_node_after_the_other(cluster: Cluster):
    for name in ("node-2", "node-3"):
        cluster.store.create("nodes", node(name))
    cluster.store.create(PLURAL, daemon_set())
    await cluster.until(lambda: is_rolled_out(cluster, 3))
    least = 3

    def look() -> bool:
        nonlocal least
        going = [one for one in cluster.pods() if "deletionTimestamp" in one["metadata"]]
        least = min(least, len(cluster.pods()) - len(going))
        return is_rolled_out(cluster, 3)

    def change(fresh: dict[str, Any]) -> None:
        fresh["spec"]["template"] = template(version="2")

    cluster.store.mutate(PLURAL, "agent", "default", change)
    await cluster.until(look)

    assert least == 2
    assert len(cluster.pods(version="2")) == 3
    revisions = cluster.store.list("controllerrevisions.apps", "default")
    assert sorted(one["revision"] for one in revisions) == [1, 2]


async def test_with_on_delete_old_pods_stay_until_somebody_deletes_them(cluster: Cluster):
    cluster.store.create(PLURAL, daemon_set(updateStrategy={"type": "OnDelete"}))
    await cluster.until(lambda: is_rolled_out(cluster, 1))

    def change(fresh: dict[str, Any]) -> None:
        fresh["spec"]["template"] = template(version="2")

    cluster.store.mutate(PLURAL, "agent", "default", change)
    await cluster.settled()
    [old] = cluster.pods()
    assert "version" not in old["metadata"]["labels"]

    cluster.store.delete("pods", old["metadata"]["name"], "default")
    await cluster.until(lambda: is_rolled_out(cluster, 1))
    assert cluster.pods(version="2")


async def test_a_failed_daemon_pod_is_replaced(cluster: Cluster):
    cluster.store.create(PLURAL, daemon_set())
    await cluster.until(lambda: is_rolled_out(cluster, 1))
    [first] = cluster.pods()

    cluster.set_status(first, phase="Failed")

    await cluster.until(lambda: cluster.told("FailedDaemonPod"))
    await cluster.until(lambda: [one for one in cluster.pods() if one["metadata"]["uid"] != first["metadata"]["uid"]])


async def test_pods_that_the_namespace_refuses_are_told_on_the_daemon_set_until_the_level_allows_them(cluster: Cluster):
    cluster.store.guards["PodSecurity"] = pod_security.guard("1.35.5")
    level(cluster, "baseline")
    pods = template()
    pods["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    cluster.store.create(PLURAL, daemon_set(pods))

    [told, *_] = await cluster.until(lambda: cluster.told("FailedCreate"))
    assert re.fullmatch(
        r'Error creating: pods "agent-[a-z0-9]{5}" is forbidden: violates PodSecurity "baseline:latest": '
        r'privileged \(container "main" must not set securityContext.privileged=true\)',
        told,
    )
    await cluster.until(lambda: status(cluster).get("desiredNumberScheduled") == 1)
    assert not cluster.pods()

    level(cluster, "privileged")
    cluster.store.mutate(PLURAL, "agent", "default", lambda fresh: fresh["metadata"].update(labels={"again": "yes"}))
    await cluster.until(lambda: is_rolled_out(cluster, 1))


def level(cluster: Cluster, name: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": name}
    cluster.store.mutate("namespaces", "default", None, lambda fresh: fresh["metadata"].update(labels=labels))
