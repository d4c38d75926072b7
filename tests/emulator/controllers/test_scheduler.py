from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.emulator.cluster.controllers.pod_requests import requests_of
from tests.emulator.controllers.cluster import Cluster, node, pod, template, workload

WASM = {"key": "aks-wasm.dev/wasm", "value": "true", "effect": "NoSchedule"}
TOLERATES = {"key": "aks-wasm.dev/wasm", "operator": "Equal", "value": "true", "effect": "NoSchedule"}


def asks(**requests: str) -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": "example.test/web:1", "resources": {"requests": requests}}]}


def node_of(cluster: Cluster, name: str) -> str | None:
    found = cluster.store.get("pods", name, "default")
    return found["spec"].get("nodeName") if found else None


async def bound(cluster: Cluster, wanted: dict[str, Any]) -> str:
    name = cluster.store.create("pods", wanted)["metadata"]["name"]
    return await cluster.until(lambda: node_of(cluster, name))


async def refused(cluster: Cluster, wanted: dict[str, Any]) -> str:
    name = cluster.store.create("pods", wanted)["metadata"]["name"]
    await cluster.until(lambda: _scheduled(cluster, name))
    row = _scheduled(cluster, name)
    assert (row["status"], row["reason"]) == ("False", "Unschedulable")
    assert row["message"] in cluster.told("FailedScheduling")
    return row["message"]


def _scheduled(cluster: Cluster, name: str) -> dict[str, Any] | None:
    status = cluster.store.get("pods", name, "default").get("status", {})
    return next((row for row in status.get("conditions", []) if row["type"] == "PodScheduled"), None)


async def test_a_pod_is_bound_and_told_so(cluster: Cluster):
    assert await bound(cluster, pod("one")) == "node-1"
    await cluster.until(lambda: cluster.told("Scheduled"))
    assert cluster.told("Scheduled") == ["Successfully assigned default/one to node-1"]
    assert _scheduled(cluster, "one")["status"] == "True"


async def test_every_node_tells_its_own_reason(cluster: Cluster):
    cluster.store.create("nodes", node("node-2"))
    cluster.store.create("nodes", node("wasm-1", taints=[WASM]))

    message = await refused(cluster, pod("one", {"nodeSelector": {"kubernetes.io/arch": "arm64"}}))

    assert message == (
        "0/3 nodes are available: 1 node(s) had untolerated taint {aks-wasm.dev/wasm: true},"
        " 2 node(s) didn't match Pod's node affinity/selector."
        " preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


async def test_a_tolerating_pod_with_the_selector_lands_on_the_wasm_node(cluster: Cluster):
    cluster.store.create("nodes", node("wasm-1", taints=[WASM], **{"kubernetes.io/arch": "arm64"}))
    spec = {"nodeSelector": {"kubernetes.io/arch": "arm64"}, "tolerations": [TOLERATES]}
    assert await bound(cluster, pod("one", spec)) == "wasm-1"


@pytest.mark.parametrize(
    ("operator", "values", "lands"),
    [
        ("In", ["a", "b"], "node-a"),
        ("NotIn", ["a"], "node-1"),
        ("DoesNotExist", [], "node-1"),
        ("Exists", [], "node-a"),
    ],
)
async def test_required_node_affinity_decides(cluster: Cluster, operator: str, values: list[str], lands: str):
    cluster.store.create("nodes", node("node-a", zone="a"))
    terms = [{"matchExpressions": [{"key": "zone", "operator": operator, "values": values}]}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    assert await bound(cluster, pod("one", {"affinity": affinity})) == lands


async def test_preferred_node_affinity_decides_between_nodes_that_fit(cluster: Cluster):
    cluster.store.create("nodes", node("node-z", disk="ssd"))
    preference = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    affinity = {
        "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": preference}]}
    }
    assert await bound(cluster, pod("one", {"affinity": affinity})) == "node-z"


async def test_a_node_that_prefers_no_pods_is_taken_last(cluster: Cluster):
    taint = {"key": "spare", "value": "", "effect": "PreferNoSchedule"}
    cluster.store.create("nodes", node("node-0", taints=[taint]))
    assert await bound(cluster, pod("one")) == "node-1"


async def test_a_cordoned_node_takes_no_pod_until_it_is_uncordoned(cluster: Cluster):
    cluster.store.mutate("nodes", "node-1", None, lambda fresh: fresh["spec"].update(unschedulable=True))
    message = await refused(cluster, pod("one"))
    assert message.startswith("0/1 nodes are available: 1 node(s) were unschedulable.")
    taints = await cluster.until(lambda: cluster.store.get("nodes", "node-1")["spec"].get("taints"))
    assert [taint["key"] for taint in taints] == ["node.kubernetes.io/unschedulable"]

    cluster.store.mutate("nodes", "node-1", None, lambda fresh: fresh["spec"].pop("unschedulable"))

    assert await cluster.until(lambda: node_of(cluster, "one")) == "node-1"
    await cluster.until(lambda: "taints" not in cluster.store.get("nodes", "node-1")["spec"])


async def test_requests_beyond_the_node_are_refused_with_what_is_short(cluster: Cluster):
    message = await refused(cluster, pod("one", asks(cpu="5", memory="9Gi")))
    assert message == (
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."
        " preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )


async def test_a_pod_waits_for_room_and_gets_it_when_another_goes(cluster: Cluster):
    await bound(cluster, pod("first", asks(cpu="3")))
    message = await refused(cluster, pod("second", asks(cpu="2")))
    assert message == (
        "0/1 nodes are available: 1 Insufficient cpu."
        " preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )

    cluster.store.delete("pods", "first", "default")

    assert await cluster.until(lambda: node_of(cluster, "second")) == "node-1"


async def test_a_finished_pod_frees_its_room(cluster: Cluster):
    await bound(cluster, pod("first", asks(cpu="3"), does="succeed"))
    assert await bound(cluster, pod("second", asks(cpu="3"))) == "node-1"


async def test_a_node_takes_no_more_pods_than_its_maximum(cluster: Cluster):
    def change(fresh: dict[str, Any]) -> None:
        fresh["status"]["allocatable"]["pods"] = "1"

    cluster.store.mutate("nodes", "node-1", None, change)
    await bound(cluster, pod("first"))
    assert "1 Too many pods" in await refused(cluster, pod("second"))


async def test_a_host_port_is_taken_once_a_node(cluster: Cluster):
    container = {"name": "main", "image": "example.test/web:1", "ports": [{"containerPort": 80, "hostPort": 80}]}
    await bound(cluster, pod("first", {"containers": [container]}))
    message = await refused(cluster, pod("second", {"containers": [container]}))
    assert "1 node(s) didn't have free ports for the requested pod ports" in message


async def test_pods_of_one_deployment_are_spread_over_nodes(cluster: Cluster):
    cluster.store.create("nodes", node("node-2"))
    spec = {"replicas": 4, "selector": {"matchLabels": {"app": "web"}}, "template": template()}
    cluster.store.create("deployments.apps", workload("Deployment", "web", spec))

    pods = await cluster.until(lambda: _all_bound(cluster, 4))

    assert sorted(one["spec"]["nodeName"] for one in pods) == ["node-1", "node-1", "node-2", "node-2"]


def _all_bound(cluster: Cluster, count: int) -> list[dict[str, Any]] | None:
    found = [one for one in cluster.pods() if one["spec"].get("nodeName")]
    return found if len(found) == count else None


async def test_without_nodes_the_pod_is_told_so_and_bound_when_one_comes(cluster: Cluster):
    cluster.store.delete("nodes", "node-1")
    assert await refused(cluster, pod("one")) == "no nodes available to schedule pods"

    cluster.store.create("nodes", node("node-9"))

    assert await cluster.until(lambda: node_of(cluster, "one")) == "node-9"


async def test_the_most_important_pod_goes_first(cluster: Cluster):
    cluster.store.delete("nodes", "node-1")
    for name, priority in (("low", 0), ("high", 1000)):
        wanted = pod(name, {**asks(cpu="3"), "priority": priority})
        await refused(cluster, wanted)

    cluster.store.create("nodes", node("node-9"))

    await cluster.until(lambda: node_of(cluster, "high"))
    assert node_of(cluster, "low") is None


async def test_pods_of_another_scheduler_and_gated_pods_are_left_alone(cluster: Cluster):
    cluster.store.create("pods", pod("other", {"schedulerName": "mine"}))
    cluster.store.create("pods", pod("gated", {"schedulingGates": [{"name": "wait"}]}))

    await cluster.until(lambda: (_scheduled(cluster, "gated") or {}).get("reason") == "SchedulingGated")

    assert node_of(cluster, "gated") is None
    assert _scheduled(cluster, "other") is None


def test_a_pod_asks_for_its_containers_together_or_its_largest_init_container():
    def container(cpu: str, **more: str) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    spec = {"containers": [container("1"), container("500m")], "initContainers": [container("2")]}
    assert requests_of({"spec": spec})["cpu"] == 2000
    spec["initContainers"] = [container("1", restartPolicy="Always"), container("250m")]
    assert requests_of({"spec": spec})["cpu"] == 2500
    assert requests_of({"spec": {**spec, "overhead": {"cpu": "10m"}}})["cpu"] == 2510


def beside(kind: str, key: str = "kubernetes.io/hostname") -> dict[str, Any]:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": "web"}}}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


async def test_pods_that_avoid_each_other_take_one_node_each(cluster: Cluster):
    cluster.store.create("nodes", node("node-2"))
    nodes = {await bound(cluster, pod(name, beside("podAntiAffinity"), app="web")) for name in ("one", "two")}
    assert nodes == {"node-1", "node-2"}

    message = await refused(cluster, pod("three", beside("podAntiAffinity"), app="web"))

    assert message.startswith("0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.")
    assert "2 node(s) didn't satisfy existing pods anti-affinity rules" in await refused(cluster, pod("x", app="web"))


async def test_a_pod_joins_the_one_it_wants_to_be_beside(cluster: Cluster):
    assert "didn't match pod affinity rules" in await refused(cluster, pod("first", beside("podAffinity")))
    cluster.store.create("nodes", node("node-0"))
    await bound(cluster, pod("web", {"nodeSelector": {"kubernetes.io/hostname": "node-1"}}, app="web"))
    assert await cluster.until(lambda: node_of(cluster, "first")) == "node-1"


async def test_the_first_of_pods_that_want_to_be_together_may_start(cluster: Cluster):
    assert await bound(cluster, pod("one", beside("podAffinity"), app="web")) == "node-1"


async def test_the_skew_over_zones_stays_within_bounds(cluster: Cluster):
    cluster.store.delete("nodes", "node-1")
    for name, zone in (("a-1", "a"), ("a-2", "a"), ("b-1", "b")):
        cluster.store.create("nodes", node(name, zone=zone))
    selector = {"matchLabels": {"app": "web"}}
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}
    spec = {"topologySpreadConstraints": [constraint]}
    nodes = [await bound(cluster, pod(name, spec, app="web")) for name in ("one", "two", "three", "four")]
    assert sorted(name[0] for name in nodes) == ["a", "a", "b", "b"]

    cluster.store.mutate("nodes", "b-1", None, lambda fresh: fresh["spec"].update(unschedulable=True))
    await bound(cluster, pod("five", spec, app="web"))
    message = await refused(cluster, pod("six", spec, app="web"))
    assert "2 node(s) didn't match pod topology spread constraints" in message


async def test_a_daemon_pod_without_room_tells_the_other_nodes_apart(cluster: Cluster):
    cluster.store.create("nodes", node("node-2"))
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}

    message = await refused(cluster, pod("one", {**asks(cpu="9"), "affinity": affinity}))

    reasons = "1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    assert message.startswith(f"0/2 nodes are available: {reasons}")
