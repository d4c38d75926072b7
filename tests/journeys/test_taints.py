"""Taints of Wasm pools that the file does not name: what runs there tolerates them all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from azure.core.rest import HttpRequest

from aks_wasm.kube.client import KubeClient
from aks_wasm.providers.azure.clients import Clients
from aks_wasm.providers.azure.connection import connection_from
from aks_wasm.settings import Settings
from aks_wasm.spec.models import AzureSpec
from aks_wasm.waits import Patience, Seen, SystemClock, wait_until
from tests.journeys.conftest import Tool, fields_of, states

ROUTE = "nodePools.0.route=shim"
FILES_OWN = "aks-wasm.dev/wasm=true:NoSchedule"
TAINT = {"key": "team", "value": "wasm", "effect": "NoSchedule"}
POOL = (
    "/subscriptions/{subscription}/resourcegroups/{name}/providers/Microsoft.ContainerService"
    "/managedClusters/{name}/agentPools/wasm?api-version=2025-05-01"
)


@contextmanager
def connected(tool: Tool) -> Iterator[KubeClient]:
    with closing(KubeClient.from_kubeconfig(tool("kubeconfig").stdout)) as client:
        yield client


def taint_by_az(tool: Tool, *taints: str) -> None:
    """Do what `az aks nodepool update --node-taints` does: read the pool, put it back with other taints."""
    connection = connection_from(AzureSpec(), Settings(home=tool.folder), tool.emulator.environment)
    path = POOL.format(subscription=connection.subscription, name=tool.name)
    with closing(Clients(connection)) as clients:
        url = f"{connection.endpoint}{path}"
        pool = clients.arm.send_request(HttpRequest("GET", url)).json()
        pool["properties"]["nodeTaints"] = [FILES_OWN, *taints]
        answer = clients.arm.send_request(HttpRequest("PUT", url, json={"properties": pool["properties"]}))
        assert answer.status_code in (200, 201), answer.text()

        def look() -> Seen[None]:
            state = clients.arm.send_request(HttpRequest("GET", url)).json()["properties"]["provisioningState"]
            return Seen(state, done=state == "Succeeded")

        wait_until(look, what="the pool", patience=Patience(60, SystemClock()))


def keys(tolerations: list[dict[str, Any]]) -> set[str]:
    return {toleration["key"] for toleration in tolerations}


def tolerated(client: KubeClient) -> dict[str, set[str]]:
    """Return what our RuntimeClasses and DaemonSets tolerate."""
    ours = "app.kubernetes.io/managed-by=aks-wasm"
    classes = {one["metadata"]["name"]: one["scheduling"] for one in client.list("RuntimeClass", labels=ours)}
    sets = {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in client.list("DaemonSet", labels=ours)}
    return {name: keys(found["tolerations"]) for name, found in (classes | sets).items()}


def test_a_taint_that_left_the_file_is_tolerated_as_long_as_the_pool_carries_it(tool: Tool) -> None:
    tool.up(*fields_of(ROUTE, "nodePools.0.taints=[team=wasm:NoSchedule]"))
    document = tool.up(*fields_of(ROUTE, "workloads.0.replicas=4"))
    assert [w["replicas"] for w in document["workloads"] if w["name"] == "hello"] == ["4/4"], "new pods go there"
    with connected(tool) as client:
        found = tolerated(client)
        assert len(found) == 4, "RuntimeClass, that of its probes, installer, probe"
        assert all("team" in tolerated for tolerated in found.values()), found
    since = tool.mark()
    assert tool.up(*fields_of(ROUTE, "workloads.0.replicas=4"))["steps"] == []
    assert tool.writes(since) == []


def test_a_taint_that_somebody_puts_on_the_pool_is_a_change_that_plan_shows(tool: Tool) -> None:
    tool.up(*fields_of(ROUTE))
    taint_by_az(tool, "team=wasm:NoSchedule")
    assert "runtimes" in states(tool.document("plan", *fields_of(ROUTE)))
    tool.up(*fields_of(ROUTE))
    with connected(tool) as client:
        assert all("team" in tolerated for tolerated in tolerated(client).values())
    assert tool.up(*fields_of(ROUTE))["steps"] == []
    taint_by_az(tool)
    tool.up(*fields_of(ROUTE))
    with connected(tool) as client:
        assert not any("team" in tolerated for tolerated in tolerated(client).values()), "nor longer than it is there"
    assert tool.up(*fields_of(ROUTE))["steps"] == []


@pytest.mark.parametrize("target", ["emulator", "local"])
def test_a_taint_of_a_node_alone_counts_unless_it_comes_and_goes_with_its_state(tool: Tool, target: str) -> None:
    tool.target = target
    tool.up(*fields_of(ROUTE))
    with connected(tool) as client:
        (node,) = client.list("Node", labels="kubernetes.azure.com/agentpool=wasm")
        passing = [
            {"key": "ToBeDeletedByClusterAutoscaler", "value": "1795392000", "effect": "NoSchedule"},
            {"key": "remediator.kubernetes.azure.com/unschedulable", "effect": "NoSchedule"},
            {"key": "node.cloudprovider.kubernetes.io/shutdown", "effect": "NoSchedule"},
        ]
        client.merge("Node", node["metadata"]["name"], {"spec": {"taints": passing}})
        assert tool.up(*fields_of(ROUTE))["steps"] == [], "nothing to do about a node on its way out"
        client.merge("Node", node["metadata"]["name"], {"spec": {"taints": [TAINT]}})
        tool.up(*fields_of(ROUTE, "workloads.0.replicas=3"))
        assert all("team" in tolerated for tolerated in tolerated(client).values())
    assert tool.up(*fields_of(ROUTE, "workloads.0.replicas=3"))["steps"] == []


def test_shims_installed_by_hand_keep_what_pods_need_on_a_tainted_pool(tool: Tool) -> None:
    tool.up(*fields_of(ROUTE))
    taint_by_az(tool, "team=wasm:NoSchedule")
    assert tool.document("runtime", "install", *fields_of(ROUTE))["ok"] is True
    assert tool.up(*fields_of(ROUTE))["steps"] == [], "`up` and `runtime install` agree"


def test_the_pods_of_preview_pools_tolerate_what_somebody_put_there(tool_2022: Tool) -> None:
    tool_2022.up()
    taint_by_az(tool_2022, "team=wasm:NoSchedule")
    document = tool_2022.up("--set", "workloads.0.replicas=4")
    assert [w["replicas"] for w in document["workloads"] if w["name"] == "hello"] == ["4/4"]
    assert tool_2022.up("--set", "workloads.0.replicas=4")["steps"] == []


def test_a_spot_pool_needs_nothing_in_the_file(tool: Tool) -> None:
    spot = fields_of(ROUTE, "nodePools.0.spot=true")
    assert all(w["ready"] for w in tool.up(*spot)["workloads"])
    assert tool.up(*spot)["steps"] == []


def test_a_node_that_somebody_has_cordoned_is_proved_and_left_cordoned(tool: Tool) -> None:
    tool.up(*fields_of(ROUTE))
    with connected(tool) as client:
        (node,) = client.list("Node", labels="kubernetes.azure.com/agentpool=wasm")
        name = node["metadata"]["name"]
        client.merge("Node", name, {"spec": {"unschedulable": True}})
        client.annotate("Node", name, {"aks-wasm.dev/proof": None})
        assert states(tool.up("--timeout", "60s", *fields_of(ROUTE)))["proof"] == "done"
        assert (client.get("Node", name) or {})["spec"]["unschedulable"] is True
    assert tool.up(*fields_of(ROUTE))["steps"] == []
