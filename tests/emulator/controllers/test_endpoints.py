from __future__ import annotations

from typing import Any

from tests.emulator.controllers.cluster import Cluster, pod

SLICES = "endpointslices.discovery.k8s.io"


def service(**spec: Any) -> dict[str, Any]:
    wanted = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {**wanted, **spec},
    }


def backend(name: str, port: int = 8080, does: str = "run") -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "example.test/web:1",
        "ports": [{"name": "http", "containerPort": port}],
    }
    return pod(name, {"containers": [container]}, app="web", does=does)


def slices(cluster: Cluster) -> list[dict[str, Any]]:
    found = cluster.store.list(SLICES, "default")
    return [one for one in found if one["metadata"]["labels"]["kubernetes.io/service-name"] == "web"]


def ready(cluster: Cluster) -> list[str]:
    rows = [row for one in slices(cluster) for row in one["endpoints"]]
    return sorted(row["targetRef"]["name"] for row in rows if row["conditions"]["ready"])


async def test_ready_pods_are_behind_the_service_under_the_port_its_name_means(cluster: Cluster):
    cluster.store.create("services", service())
    for name in ("one", "two"):
        cluster.store.create("pods", backend(name))

    await cluster.until(lambda: ready(cluster) == ["one", "two"])

    [only] = slices(cluster)
    assert [(port["port"], port["protocol"]) for port in only["ports"]] == [(8080, "TCP")]
    assert only["addressType"] == "IPv4"
    assert only["endpoints"][0]["nodeName"] == "node-1"
    endpoints = cluster.store.get("endpoints", "web", "default")
    assert [row["targetRef"]["name"] for row in endpoints["subsets"][0]["addresses"]] == ["one", "two"]
    assert endpoints["subsets"][0]["ports"][0]["port"] == 8080


async def test_a_pod_that_is_not_ready_is_listed_as_such(cluster: Cluster):
    cluster.store.create("services", service(ports=[{"port": 80, "targetPort": 9000}]))
    cluster.store.create("pods", backend("one", does="start"))

    await cluster.until(lambda: [row for one in slices(cluster) for row in one["endpoints"]])

    assert ready(cluster) == []
    assert slices(cluster)[0]["ports"][0]["port"] == 9000
    assert "notReadyAddresses" in cluster.store.get("endpoints", "web", "default")["subsets"][0]


async def test_pods_that_call_the_port_differently_are_in_slices_of_their_own(cluster: Cluster):
    cluster.store.create("services", service())
    cluster.store.create("pods", backend("one", 8080))
    cluster.store.create("pods", backend("two", 9090))

    await cluster.until(lambda: ready(cluster) == ["one", "two"])

    assert sorted(one["ports"][0]["port"] for one in slices(cluster)) == [8080, 9090]


async def test_a_pod_that_loses_the_label_leaves_and_the_last_one_leaves_an_empty_slice(cluster: Cluster):
    cluster.store.create("services", service())
    cluster.store.create("pods", backend("one"))
    await cluster.until(lambda: ready(cluster) == ["one"])

    cluster.store.mutate("pods", "one", "default", lambda fresh: fresh["metadata"].update(labels={}))

    await cluster.until(lambda: ready(cluster) == [])
    assert [one["endpoints"] for one in slices(cluster)] == [[]]
    assert "subsets" not in cluster.store.get("endpoints", "web", "default")


async def test_a_service_takes_its_endpoints_with_it(cluster: Cluster):
    cluster.store.create("services", service())
    cluster.store.create("pods", backend("one"))
    await cluster.until(lambda: ready(cluster) == ["one"])

    cluster.store.delete("services", "web", "default")

    await cluster.until(lambda: not slices(cluster))
    await cluster.until(lambda: cluster.store.get("endpoints", "web", "default") is None)


async def test_a_service_without_selector_keeps_the_endpoints_its_user_wrote(cluster: Cluster):
    cluster.store.create("services", service(selector=None))
    own = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "web", "namespace": "default"}}
    cluster.store.create("endpoints", {**own, "subsets": [{"addresses": [{"ip": "10.0.0.9"}]}]})
    await cluster.settled()

    assert cluster.store.get("endpoints", "web", "default")["subsets"]
    assert not slices(cluster)
