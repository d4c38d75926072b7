"""What goes wrong on Azure and on the nodes while `up` runs: told with code and way out, and mended by `up` again."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from aks_wasm.kube.client import KubeClient
from tests.emulator.node.rehearsal import exits_with, wat
from tests.journeys.conftest import Tool, fields_of, states

BARE = fields_of("nodePools.0.route=shim", "workloads=[]", "shims=[]")
"""One request for the cluster and its pool, nothing inside."""
APART = fields_of("workloads=[]", "shims=[]")
"""The pool has a request of its own: the second one, since the preview pool is asked for first and refused."""
POOL = "/agentPools/wasm"


def talk(tool: Tool, *arguments: str) -> tuple[dict[str, Any], str]:
    """Run `up`, which must fail; return its document and what it said."""
    result = tool("up", "--yes", "-o", "json", *arguments)
    document: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code != 0
    assert document["ok"] is False
    assert document["error"]["hint"]
    return document, result.stderr


def test_a_cluster_that_fails_is_told_with_what_exists_and_up_again_finishes(own_tool: Tool) -> None:
    message = "Unable to establish outbound connection from agents."
    own_tool.fault("failed", code="VMExtensionError_OutboundConnFail", message=message)
    document, said = talk(own_tool, *BARE)
    error = document["error"]
    assert error["code"] == "VMExtensionError_OutboundConnFail"
    assert "Unable to establish outbound connection from agents" in error["message"]
    assert "aks-required-ports" in error["hint"]
    assert document["cluster"]["state"] == "Failed"
    assert f"resource group `{own_tool.name}`" in said
    assert f"cluster `{own_tool.name}` (Failed)" in said
    assert re.search(r"^go on: +aks-wasm up --yes -o json --set", said, re.MULTILINE)
    assert re.search(rf"^clean up: +aks-wasm down .*--set metadata.name={own_tool.name}", said, re.MULTILINE)
    assert states(own_tool.up(*BARE))[f"cluster/{own_tool.name}"] == "done"
    assert own_tool.up(*BARE)["steps"] == []


def test_a_pool_that_fails_is_told_and_up_again_finishes(own_tool: Tool) -> None:
    message = "Allocation failed. We do not have sufficient capacity for the requested VM size in this zone."
    own_tool.fault("failed", path=POOL, after=1, code="ZonalAllocationFailed", message=message)
    document, said = talk(own_tool, *APART)
    assert document["error"]["code"] == "ZonalAllocationFailed"
    assert "cannot create the node pool `wasm`: Allocation failed" in document["error"]["message"]
    assert "node pool `wasm` (Failed)" in said
    assert states(own_tool.up(*APART)) == {"node-pool/wasm": "done"}
    assert own_tool.up(*APART)["steps"] == []


def test_capacity_that_is_missing_on_the_way_has_its_exit_code(own_tool: Tool) -> None:
    own_tool.fault("quota", path=POOL, after=1)
    error = own_tool.up(*APART, code=4)["error"]
    assert error["code"] == "ErrCode_InsufficientVCPUQuota"
    assert "vcpu quota" in error["message"]


@pytest.mark.parametrize("outcome", ["failed-then-succeeds", "succeeded-with-error"])
@pytest.mark.parametrize("path", ["", POOL])
def test_an_operation_that_misreports_its_end_counts_by_how_it_ended(own_tool: Tool, outcome: str, path: str) -> None:
    own_tool.fault(outcome, path=path, after=1 if path else 0)
    assert own_tool.up(*APART)["ok"] is True
    assert own_tool.up(*APART)["steps"] == []


def test_an_operation_that_never_ends_times_out_and_down_ends_it(own_tool: Tool) -> None:
    own_tool.fault("stuck")
    result = own_tool("up", "--yes", "--timeout", "1s", "-o", "json", *BARE)
    assert result.exit_code == 5
    error = json.loads(result.stdout)["error"]
    assert re.match(rf"cluster `{own_tool.name}` was not ready after \d s \(last seen: \w+\)", error["message"])
    assert "run the same command again" in error["hint"]
    assert "clean up:  aks-wasm down" in result.stderr
    assert own_tool.document("down", "--yes")["left"] == []


def test_another_operation_is_waited_out(own_tool: Tool) -> None:
    own_tool.fault("conflict")
    result = own_tool("up", "--yes", "--progress", "plain", *BARE)
    assert result.exit_code == 0
    assert "waiting for another operation: Operation is not allowed: Another operation (Updating)" in result.stderr


def test_another_operation_that_outlasts_the_wait_has_its_own_exit_code(own_tool: Tool) -> None:
    own_tool.fault("conflict", times=None)
    error = own_tool.up("--timeout", "1s", *BARE, code=6)["error"]
    assert "another operation outlasted the wait (Operation is not allowed: Another operation" in error["message"]
    assert "--timeout" in error["hint"]


def test_throttling_in_each_dialect_is_waited_out(own_tool: Tool) -> None:
    for dialect in ("throttled", "too-many-requests", "subscription-throttled"):
        own_tool.fault(dialect, seconds=0)
        own_tool.fault(dialect, "GET", seconds=0)
    assert own_tool.up(*BARE)["ok"] is True
    assert own_tool.emulator.control("GET", "faults")["faults"] == []  # all of them struck


@pytest.mark.parametrize("fault", ["token-expired", "cut", "throttled"])
def test_a_poll_that_goes_wrong_is_repeated(own_tool: Tool, fault: str) -> None:
    where = {"method": "GET", "path": "/operations/"}
    own_tool.emulator.control("POST", "faults", {"fault": fault, "match": where, "seconds": 0})
    assert own_tool.up(*BARE)["ok"] is True
    assert own_tool.emulator.control("GET", "faults")["faults"] == []  # it struck


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("path", ["", POOL])
def test_a_connection_that_is_cut_makes_nothing_twice(own_tool: Tool, moment: str, path: str) -> None:
    own_tool.fault("cut", path=path, moment=moment, after=1 if path else 0)
    assert own_tool.up(*APART)["ok"] is True
    assert own_tool.up(*APART)["steps"] == []


def test_a_proxys_page_is_told_as_such(own_tool: Tool) -> None:
    where = {"method": "GET", "path": f"resourcegroups/{own_tool.name}$"}
    own_tool.emulator.control("POST", "faults", {"fault": "html", "match": where})
    since = own_tool.mark()
    error = own_tool.up(*BARE, code=1)["error"]
    assert error["code"] == "NotResourceManager"
    assert "HTTPS_PROXY" in error["hint"]
    assert own_tool.every_write(since) == []


def test_a_proxys_page_in_place_of_a_write_stops_the_run_and_up_again_finishes(own_tool: Tool) -> None:
    own_tool.fault("html")
    error = talk(own_tool, *BARE)[0]["error"]
    assert "proxy" in error["hint"]
    assert own_tool.up(*BARE)["ok"] is True


def test_what_up_does_not_change_on_a_cluster_is_said(own_tool: Tool) -> None:
    own_tool.up(*BARE)
    other = fields_of("cluster.kubernetesVersion=1.34", "azure.location=westus2", "cluster.systemPool={count: 3}")
    result = own_tool("up", "--yes", *BARE, *other)
    assert result.exit_code == 0
    assert "`cluster.kubernetesVersion` is `1.34` in the file and `1.35.5` on the cluster" in result.stderr
    assert "`azure.location` is `westus2` in the file and `westeurope` on the cluster" in result.stderr
    assert "`cluster.systemPool.count` is `3` in the file and `1` on the cluster" in result.stderr
    assert warnings(own_tool("up", "--yes", *BARE, *fields_of("cluster.kubernetesVersion=1.35")).stderr) == []


# Workloads.


def with_workload(**workload: Any) -> list[str]:
    """Return the arguments for one workload on wasmtime."""
    shown = {"name": "web", "shim": "wasmtime", **workload}
    return fields_of(
        "nodePools.0.route=shim", "shims=[wasmtime]", f"workloads={yaml.safe_dump([shown], default_flow_style=True)}"
    )


def prints_and(text: str, then: str) -> bytes:
    """A command that writes a line to stderr and then does something."""
    return wat(
        f"""(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (data (i32.const 64) "{text}\\n")
      (func (export "_start")
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const {len(text) + 1}))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
        {then}))"""
    )


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("(call $exit (i32.const 7))", "exit code 7"),
        ("unreachable", "exit code"),
    ],
)
def test_a_job_that_ends_badly_is_told_in_the_pods_words(own_tool: Tool, then: str, words: str) -> None:
    (own_tool.folder / "a.wasm").write_bytes(prints_and("no such table: users", then))
    arguments = with_workload(module="a.wasm", kind="job")
    document, said = talk(own_tool, *arguments)
    error = document["error"]
    assert words in error["message"]
    assert re.search(r"\(pod `web-\S+`\)", error["message"])
    assert "no such table: users" in error["details"]
    assert "`aks-wasm workload logs web" in error["hint"]
    assert "go on:" in said
    (own_tool.folder / "a.wasm").write_bytes(exits_with(0))
    assert states(own_tool.up(*arguments)) == {"image/web": "done", "workload/web": "done"}


def test_a_job_that_failed_is_tried_again(own_tool: Tool) -> None:
    (own_tool.folder / "a.wasm").write_bytes(prints_and("no such table: users", "unreachable"))
    arguments = with_workload(module="a.wasm", kind="job")
    pods = []
    for _ in range(2):
        message = own_tool.up(*arguments, code=1)["error"]["message"]
        pods += re.findall(r"pod `(web-\S+)`", message)
    assert len(set(pods)) == 2


def test_a_service_that_crashes_is_told_in_the_pods_words(own_tool: Tool) -> None:
    (own_tool.folder / "a.wasm").write_bytes(prints_and("no such table: users", "(call $exit (i32.const 3))"))
    own_tool.up(*with_workload(module="a.wasm", kind="job"), code=1)
    client = KubeClient.from_kubeconfig(own_tool("kubeconfig").stdout)
    image = client.list("Job", namespace="default")[0]["spec"]["template"]["spec"]["containers"][0]["image"]
    client.close()
    error = talk(own_tool, *with_workload(image=image, expose="cluster"))[0]["error"]
    assert error["code"] == "CrashLoop"
    assert re.search(r"it ends again and again \(\d+ restarts; it ended with exit code 3\)", error["message"])
    assert "no such table: users" in error["details"]
    assert "`aks-wasm workload logs web --previous`" in error["hint"]


def test_an_unknown_image_is_told(own_tool: Tool) -> None:
    image = own_tool.emulator.environment["AKS_WASM_REGISTRY"] + "/nobody/made:this"
    error = talk(own_tool, *with_workload(image=image))[0]["error"]
    assert error["code"] == "ImageUnknown"
    assert f"the image `{image}` cannot be pulled" in error["message"]
    assert "AcrPull" in error["hint"]


# The preview feature.


def features(tool: Tool, fault: str, method: str, path: str = "", **more: Any) -> None:
    where = {"method": method, "path": f"features/WasmNodePoolPreview{path}$"}
    tool.emulator.control("POST", "faults", {"fault": fault, "match": where, **more})


def gone(tool: Tool) -> None:
    """Let Azure know no such feature any more."""
    message = "The feature 'WasmNodePoolPreview' could not be found."
    features(tool, "error", "GET", times=None, status=404, code="FeatureNotFound", message=message, wrapped=True)


def warnings(text: str) -> list[str]:
    return [line for line in text.splitlines() if "(!)" in line]


def test_a_feature_that_is_gone_costs_one_warning(own_tool: Tool) -> None:
    gone(own_tool)
    result = own_tool("up", "--yes", "--progress", "plain", *APART)
    assert result.exit_code == 0, result.output
    (warning,) = warnings(result.stderr)
    assert "Azure has no feature `Microsoft.ContainerService/WasmNodePoolPreview`; Wasm pools take the shim" in warning
    assert own_tool.up(*APART)["steps"] == []


def test_a_feature_that_is_gone_ends_the_preview_route(own_tool: Tool) -> None:
    gone(own_tool)
    error = talk(own_tool, *APART, *fields_of("nodePools.0.route=wasi-preview"))[0]["error"]
    assert "Azure has no feature" in error["message"]
    assert "shim" in error["hint"]


def test_the_preview_route_is_refused_today_with_the_way_on(own_tool: Tool) -> None:
    document, _ = talk(own_tool, *APART, *fields_of("nodePools.0.route=wasi-preview"))
    assert document["error"]["code"] == "InvalidWorkloadRuntimeSettingError"
    assert "no longer supported on AKS" in document["error"]["message"]
    assert "`route: shim`" in document["error"]["hint"]
    assert own_tool.up(*APART)["ok"] is True


def pending(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the registration wait for an approval that never comes, and us wait for it half a second."""
    tool("feature", "unregister")
    features(tool, "stuck", "POST", "/register")
    monkeypatch.setattr("aks_wasm.steps.prerequisite.FEATURE_PATIENCE", 0.5)


def test_a_feature_that_stays_pending_costs_one_warning(own_tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    pending(own_tool, monkeypatch)
    result = own_tool("up", "--yes", "--progress", "plain", *APART)
    assert result.exit_code == 0, result.output
    (warning,) = warnings(result.stderr)
    assert "last seen: Pending" in warning
    assert "the shim route" in warning


def test_a_feature_that_stays_pending_ends_the_preview_route(own_tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    pending(own_tool, monkeypatch)
    error = own_tool.up(*APART, *fields_of("nodePools.0.route=wasi-preview"), code=5)["error"]
    assert "last seen: Pending" in error["message"]
    assert "route `shim` needs no preview" in error["hint"]


def test_in_2022_without_the_feature_the_shim_route_is_taken(tool_2022: Tool) -> None:
    tool_2022("feature", "unregister")
    gone(tool_2022)
    try:
        result = tool_2022("up", "--yes", "--progress", "plain", *APART)
    finally:
        tool_2022.emulator.control("DELETE", "faults")
    assert result.exit_code == 0, result.output
    assert len(warnings(result.stderr)) == 1
    pools = {pool["name"]: pool["route"] for pool in tool_2022.document("status", *APART)["nodePools"]}
    assert pools["wasm"] == "shim"
