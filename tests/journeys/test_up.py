from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aks_wasm.kube.client import KubeClient
from tests.journeys.conftest import Tool, fetch, states


def endpoint(document: dict[str, Any], name: str = "hello") -> str:
    return next(str(w["endpoint"]) for w in document["workloads"] if w["name"] == name)


def test_one_command_goes_from_nothing_to_wasm_that_answers(tool: Tool) -> None:
    document = tool.up()
    assert document["ok"] is True
    assert "Hello from WebAssembly" in fetch(endpoint(document) + "/some/path?a=b")
    assert all(w["ready"] for w in document["workloads"])
    assert [(r["nodePool"], r["nodes"], r["proved"]) for r in document["runtimes"]] == [("wasm", 1, 1)]
    assert [(p["name"], p["arch"], p["route"]) for p in document["nodePools"]] == [
        ("system", "amd64", "none"),
        ("wasm", "arm64", "shim"),
    ]
    client = KubeClient.from_kubeconfig(Path(document["kubeconfig"]).read_text())
    nodes = client.list("Node")
    client.close()
    assert {node["metadata"]["labels"]["kubernetes.io/arch"] for node in nodes} == {"amd64", "arm64"}
    assert tool("workload", "logs", "task").stdout == "Hello from a WebAssembly job\n"


def test_a_second_run_writes_nothing_and_reads_little(tool: Tool) -> None:
    tool.up()
    since = tool.mark()
    document = tool.up()
    assert document["steps"] == []
    assert tool.writes(since) == []
    assert len(tool.asked(since)) <= 14
    assert tool.document("plan")["changes"] is False


def test_plan_shows_what_up_does_and_writes_nothing(tool: Tool) -> None:
    since = tool.mark()
    plan = tool.document("plan")
    planned = [step["name"] for step in plan["steps"]]
    assert 300 < plan["typicalSeconds"] < 600
    assert tool.writes(since) == []
    assert tool("plan", "--detailed-exitcode").exit_code == 8
    done = [step["name"] for step in tool.up()["steps"]]
    assert planned == done
    assert tool("plan", "--detailed-exitcode").exit_code == 0


def test_dry_run_is_the_plan(tool: Tool) -> None:
    document = tool.document("up", "--dry-run")
    assert (document["kind"], document["changes"]) == ("PlanResult", True)


def test_auto_says_in_one_line_that_the_preview_was_refused(tool: Tool) -> None:
    result = tool("up", "--yes", "--progress", "plain")
    assert result.exit_code == 0, result.output
    told = [
        line for line in result.stderr.splitlines() if "(!)" in line and "InvalidWorkloadRuntimeSettingError" in line
    ]
    assert len(told) == 1
    assert "takes the shim route" in told[0]


def test_route_shim_asks_for_no_preview_and_folds_the_pool_into_the_cluster(tool: Tool) -> None:
    since = tool.mark()
    document = tool.up("--set", "nodePools.0.route=shim")
    assert "feature/WasmNodePoolPreview" not in states(document)
    assert not [w for w in tool.writes(since) if "/agentpools/" in w["path"].lower()]


def test_in_2022_the_preview_pool_is_granted_and_its_runtime_used(tool_2022: Tool) -> None:
    document = tool_2022.up()
    pools = {pool["name"]: pool["route"] for pool in document["nodePools"]}
    assert pools["wasm"] == "wasi-preview"
    classes = {runtime["runtimeClass"] for runtime in document["runtimes"]}
    assert "wasmtime-spin-v2" in classes
    assert all(runtime["proved"] == runtime["nodes"] == 1 for runtime in document["runtimes"])
    assert "Hello from WebAssembly" in fetch(endpoint(document))
    assert tool_2022.document("status")["runtimes"] == document["runtimes"]
    assert tool_2022.up()["steps"] == []


def test_nodes_of_both_architectures_run_the_same_image(tool: Tool) -> None:
    override = ["--set", "nodePools.0.route=shim", "--set", "nodePools.1={name: intel, arch: amd64, route: shim}"]
    document = tool.up(*override, "--set", "workloads.0.replicas=4")
    assert {(r["nodePool"], r["nodes"], r["proved"]) for r in document["runtimes"]} == {("wasm", 1, 1), ("intel", 1, 1)}
    assert "Hello from WebAssembly" in fetch(endpoint(document))


def test_two_pools_and_an_autoscaler_at_zero(tool: Tool) -> None:
    document = tool.up(
        "--set", "nodePools.0.route=shim", "--set", "nodePools.1={name: big, arch: amd64, min: 0, max: 3, route: shim}"
    )
    pools = {pool["name"]: (pool["arch"], pool["min"], pool["max"]) for pool in document["nodePools"]}
    assert pools["big"] == ("amd64", 0, 3)
    assert document["ok"] is True
    assert (
        tool.up(
            "--set",
            "nodePools.0.route=shim",
            "--set",
            "nodePools.1={name: big, arch: amd64, min: 0, max: 3, route: shim}",
        )["steps"]
        == []
    )


def test_local_needs_no_azure_side(tool: Tool) -> None:
    tool.target = "local"
    document = tool.up()
    assert "Hello from WebAssembly" in fetch(endpoint(document))
    assert [s for s in states(document) if s.startswith(("group/", "feature/", "provider/"))] == []
    assert tool.up()["steps"] == []
    images = tool.emulator.home / "cache/images" / tool.name
    assert images.exists()
    assert tool.document("down", "--yes")["left"] == []
    assert not images.exists()
    assert tool.document("status")["cluster"]["state"] == "absent"


def test_what_was_changed_by_hand_is_put_right(tool: Tool) -> None:
    tool.up()
    client = KubeClient.from_kubeconfig(tool("kubeconfig").stdout)
    try:
        client.scale("Deployment", "hello", "default", 5)
        client.delete("Service", "hello", "default")
        client.delete("Job", client.list("Job", namespace="default")[0]["metadata"]["name"], "default")
    finally:
        client.close()
    status = tool.document("status")
    assert status["ok"] is False
    assert [w["message"] for w in status["workloads"] if w["name"] == "task"] == ["not in the cluster"]
    assert tool.document("plan")["changes"] is True
    document = tool.up()
    assert [w["replicas"] for w in document["workloads"] if w["name"] == "hello"] == ["2/2"]
    assert "Hello" in fetch(endpoint(document))


def test_a_replaced_node_is_provisioned_and_proved_again(tool: Tool) -> None:
    tool.up()
    tool.document("nodepool", "scale", "wasm", "--count", "3")
    document = tool.up("--set", "nodePools.0.count=3")
    assert [(r["nodes"], r["proved"]) for r in document["runtimes"]] == [(3, 3)]


def test_a_changed_module_is_a_new_image_and_a_workload_that_left_is_deleted(tool: Tool) -> None:
    module = '(module (func (export "_start")))'
    from wasmtime import wat2wasm

    (tool.folder / "a.wasm").write_bytes(wat2wasm(module))
    spec = tool.write(
        "spec.yaml",
        "apiVersion: aks-wasm/v1\nkind: Cluster\nmetadata: {name: x}\nshims: [wasmtime]\n"
        "nodePools: [{name: wasm, route: shim}]\n"
        "workloads: [{name: one, kind: job, shim: wasmtime, module: a.wasm}]\n",
    )
    tool.up("-f", spec)
    (tool.folder / "a.wasm").write_bytes(
        wat2wasm(module.replace("func", "func nop ").replace("func nop ", "func ")[:-1] + " (memory 1))")
    )
    document = tool.up("-f", spec)
    assert set(states(document)) == {"image/one", "workload/one"}
    assert len(document["workloads"]) == 1
    gone = tool.up("-f", spec, "--set", "workloads=[]")
    assert set(states(gone)) == {"workload/one"}
    assert gone["workloads"] == []


def test_secrets_come_from_the_environment_and_are_never_shown(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREETING", "s3cr3t-value")
    override = ["--set", "nodePools.0.route=shim", "--set", "workloads.1.env.TOKEN.fromEnvironment=GREETING"]
    result = tool("up", "--yes", "-v", "-o", "json", "--progress", "jsonl", *override)
    assert result.exit_code == 0, result.output
    assert "s3cr3t-value" not in result.output
    client = KubeClient.from_kubeconfig(tool("kubeconfig").stdout)
    try:
        assert client.get("Secret", "task-env", "default") is not None
    finally:
        client.close()


def test_adding_a_pool_leaves_the_size_of_the_others_alone(tool: Tool) -> None:
    tool.up("--set", "nodePools.0.route=shim", "--set", "nodePools.0.count=2")
    tool.document("nodepool", "scale", "wasm", "--count", "1")
    file = ["--set", "nodePools.0.count=2", "--timeout", "60s"]
    tool.document("nodepool", "add", "more", "--arch", "arm64", *file)
    pools = {pool["name"]: pool["count"] for pool in tool.document("nodepool", "list")["items"]}
    assert (pools["wasm"], pools["more"]) == (1, 1)
