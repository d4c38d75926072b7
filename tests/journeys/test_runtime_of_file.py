"""`runtime ...` on the cluster of the file: its pools carry the marks through Resource Manager, and `up` agrees."""

from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.kube.client import KubeClient
from tests.journeys.conftest import Tool, fetch, fields_of
from tests.journeys.test_ownership import CLUSTER

SHIM = fields_of("nodePools.0.route=shim", "workloads=[]")
BARE = [*SHIM, *fields_of("shims=[]")]
NEW, OLD = "aks-wasm-spin-v0-25-1", "aks-wasm-spin-v0-23-0"


def runtime(tool: Tool, *arguments: str, code: int = 0) -> dict[str, Any]:
    return tool.document("runtime", *arguments, code=code)


def results(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["handler"], one["result"]) for one in document["nodes"]}


def pool_labels(tool: Tool) -> dict[str, str]:
    """Return what Resource Manager says of the Wasm pool's nodes: `nodepool list` shows no labels, nodes do."""
    client = KubeClient.from_kubeconfig(tool("kubeconfig").stdout)
    nodes = client.list("Node", labels="kubernetes.azure.com/agentpool=wasm")
    client.close()
    return {key: value for key, value in nodes[0]["metadata"]["labels"].items() if "aks-wasm.dev/" in key}


@pytest.mark.parametrize("target", ["emulator", "local"])
def test_a_shim_is_added_to_a_running_cluster_and_up_leaves_it(tool: Tool, target: str) -> None:
    tool.target = target
    tool.up(*BARE)
    document = runtime(tool, "install", "--shim", "spin", *BARE)
    assert results(document) == {(NEW, "ok")}
    assert "node-pool/wasm" in {step["name"] for step in document["steps"]}
    assert pool_labels(tool)["aks-wasm.dev/shims"] == "installed"
    assert runtime(tool, "install", "--shim", "spin", *BARE)["steps"] == []
    tool.up(*BARE)
    assert results(runtime(tool, "verify", *BARE)) == {(NEW, "ok")}


def test_what_up_has_installed_needs_nothing_more(tool: Tool) -> None:
    tool.up(*SHIM)
    document = runtime(tool, "install", *SHIM)
    assert (document["steps"], results(document)) == ([], {(NEW, "ok")})
    assert tool.up(*SHIM)["steps"] == []
    items = runtime(tool, "list", *SHIM)["items"]
    assert [(i["runtimeClass"], i["ready"], i["nodes"]) for i in items if i["madeBy"] == "aks-wasm"] == [(NEW, 1, 1)]


def test_an_upgrade_moves_the_files_workloads_which_go_on_answering(tool: Tool) -> None:
    route = fields_of("nodePools.0.route=shim", "shims.0=spin@v0.23.0")
    before = tool.up(*route)
    endpoint = next(w["endpoint"] for w in before["workloads"] if w["endpoint"])
    result = tool("runtime", "upgrade", "--shim", "spin@v0.25.1", "--progress", "plain", *route)
    assert result.exit_code == 0, result.output
    assert "deployment/hello" in result.stderr
    assert "Hello from WebAssembly" in fetch(endpoint)
    classes = {i["runtimeClass"]: i["usedBy"] for i in runtime(tool, "list", *route)["items"]}
    assert "deployment/hello" in classes[NEW]


def test_a_pool_without_nodes_gets_its_runtimes_with_its_first_node(tool: Tool) -> None:
    pool = fields_of("nodePools.0={name: wasm, arch: arm64, min: 0, max: 2, route: shim}", "workloads=[]", "shims=[]")
    tool.up(*pool)
    document = runtime(tool, "install", "--shim", "spin", *pool)
    assert (document["ok"], document["nodes"]) == (True, [])
    tool.document("nodepool", "scale", "wasm", "--min", "1", "--max", "2", *pool)
    document = runtime(tool, "install", "--shim", "spin", *pool)
    assert results(document) == {(NEW, "ok")}
    assert "node-pool/wasm" not in {step["name"] for step in document["steps"]}, "the pool was marked before"


def test_removal_takes_the_marks_off_the_pool(tool: Tool) -> None:
    tool.up(*SHIM)
    runtime(tool, "remove", "--all", "--yes", *SHIM)
    assert {key for key in pool_labels(tool) if key != "aks-wasm.dev/pool-route"} == set()
    assert [i for i in runtime(tool, "list", *SHIM)["items"] if i["madeBy"] == "aks-wasm"] == []
    assert {step["name"] for step in tool.up(*SHIM)["steps"]} >= {"node-pool/wasm", "runtimes", "proof"}
    assert results(runtime(tool, "verify", *SHIM)) == {(NEW, "ok")}


def test_the_runtimes_of_preview_pools_are_verified_by_the_services_own_names(tool_2022: Tool) -> None:
    tool_2022.up()
    document = runtime(tool_2022, "verify")
    assert results(document) == {("spin-v0-15-1", "ok")}
    (item,) = [i for i in runtime(tool_2022, "list")["items"] if i["runtimeClass"] == "wasmtime-spin-v2"]
    assert (item["shim"], item["version"], item["ready"], item["nodes"]) == ("spin", "v0.15.1", 1, 1)


def test_runtimes_that_no_installer_speaks_for_are_tried_all_the_same(tool: Tool) -> None:
    """As where the provider has brought the shims, or somebody has deleted the installer."""
    tool.up(*SHIM)
    client = KubeClient.from_kubeconfig(tool("kubeconfig").stdout)
    for kind in ("DaemonSet", "ConfigMap"):
        client.delete(kind, "shim-installer", "aks-wasm-system")
    client.close()
    assert results(runtime(tool, "verify", *SHIM)) == {(NEW, "ok")}
    (item,) = [i for i in runtime(tool, "list", *SHIM)["items"] if i["runtimeClass"] == NEW]
    assert (item["version"], item["ready"], item["nodes"]) == ("v0.25.1", 1, 1)


def test_aks_automatic_is_refused_before_anything_is_made(own_tool: Tool) -> None:
    own_tool.group("PUT", location="westeurope", tags={"aks-wasm-owner": own_tool.name})
    own_tool.somebody_else("POST", "/providers/Microsoft.ContainerService/register?api-version=2025-04-01")
    pool = {"name": "wasm", "mode": "System", "count": 3, "vmSize": "Standard_D4s_v5"}
    body: dict[str, Any] = {
        "location": "westeurope",
        "identity": {"type": "SystemAssigned"},
        "sku": {"name": "Automatic", "tier": "Standard"},
        "tags": {"aks-wasm-owner": own_tool.name},
        "properties": {"dnsPrefix": "auto", "agentPoolProfiles": [pool]},
    }
    assert own_tool.somebody_else("PUT", CLUSTER.format(group=own_tool.name, name=own_tool.name), body) == 201
    since = own_tool.mark()
    document = runtime(own_tool, "install", "--shim", "spin", *BARE, code=7)
    assert document["error"]["code"] == "PrivilegedPodsDenied"
    assert "Base SKU" in document["error"]["hint"]
    assert own_tool.every_write(since) == []
    own_tool.group("DELETE")


def test_there_must_be_a_cluster(tool: Tool) -> None:
    for verb in (("install", "--shim", "spin"), ("list",), ("verify",), ("remove", "--all", "--yes"), ("upgrade",)):
        assert runtime(tool, *verb, code=2)["error"]["code"] == "NoCluster"
