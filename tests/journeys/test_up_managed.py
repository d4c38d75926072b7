"""`up` of a file whose installer is runtime-class-manager, on clusters where it is, or is not, at work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aks_wasm.kube.client import KubeClient
from tests.journeys.conftest import Tool, fetch, fields_of, states
from tests.journeys.playing_manager import Manager, playing_manager
from tests.kube.shim_controller import definition

OLD = fields_of("cluster.kubernetesVersion=1.34")  # nodes of Ubuntu 22.04
MANAGED = fields_of("installer.kind=runtime-class-manager", "nodePools.0.route=shim")
FILE = [*OLD, *MANAGED]
NEWER, OLDER = "aks-wasm-spin-v0-25-1", "aks-wasm-spin-v0-24-0"


@contextmanager
def manager_on(tool: Tool) -> Iterator[Manager]:
    with playing_manager(tool.emulator, tool.folder, tool("kubeconfig").stdout) as manager:
        yield manager


def error_of(tool: Tool, *arguments: str, code: int, verb: str = "up") -> dict[str, Any]:
    error: dict[str, Any] = tool.document(verb, *(("--yes",) if verb == "up" else ()), *arguments, code=code)["error"]
    assert error["hint"]
    return error


def wasm_node(manager: Manager) -> str:
    (node,) = manager.client.list("Node", labels="kubernetes.azure.com/agentpool=wasm")
    return str(node["metadata"]["name"])


def test_up_tells_how_to_install_it_and_then_goes_on_to_what_answers(tool: Tool) -> None:
    error = error_of(tool, *FILE, code=7)
    assert (error["code"], "helm upgrade --install rcm" in error["hint"]) == ("NoRuntimeClassManager", True)
    with manager_on(tool) as manager:
        document = tool.up(*FILE)
        assert {"runtimes", "proof", "workload/hello"} <= states(document).keys()
        assert "node-pool/wasm" not in states(document), "the first run made the pool as it must be"
        endpoint = next(w["endpoint"] for w in document["workloads"] if w["endpoint"])
        assert "Hello from WebAssembly" in fetch(endpoint)
        (runtime,) = document["runtimes"]
        assert (runtime["runtimeClass"], runtime["handler"]) == (NEWER, "spin-v2")
        assert (runtime["nodes"], runtime["proved"]) == (1, 1)
        live = manager.client.get("RuntimeClass", NEWER) or {}
        assert live["metadata"]["ownerReferences"][0]["kind"] == "Shim"

        since = tool.mark()
        assert tool.up(*FILE)["steps"] == []
        assert tool.document("plan", *FILE)["changes"] is False
        assert tool.document("status", *FILE)["ok"] is True
        assert tool.writes(since) == []

        manager.client.label("Node", wasm_node(manager), {"spin-v2": None})  # as on a node that comes anew
        assert "runtimes" in {step["name"] for step in tool.document("plan", *FILE)["steps"]}
    assert tool("down", "--yes").exit_code == 0


def test_another_version_takes_the_place_of_the_first_and_workloads_follow(tool: Tool) -> None:
    error_of(tool, *FILE, code=7)
    with manager_on(tool) as manager:
        tool.up(*FILE, *fields_of("shims.0=spin@v0.24.0"))
        result = tool("up", "--yes", "--progress", "plain", *FILE)
        assert result.exit_code == 0, result.output
        assert "workloads get new ones only when the new version is there" in result.stderr
        assert manager.handlers(wasm_node(manager)) == {"spin-v2": {"shim": "spin", "version": "v0.25.1"}}
        assert manager.client.get("RuntimeClass", OLDER) is None
        hello = manager.client.get("Deployment", "hello", "default") or {}
        assert hello["spec"]["template"]["spec"]["runtimeClassName"] == NEWER
        assert tool.up(*FILE)["steps"] == []


def test_pods_tolerate_what_its_runtime_class_does_not(tool: Tool) -> None:
    tainted = fields_of("nodePools.0.taints=[only=wasm:NoSchedule]")
    error_of(tool, *FILE, *tainted, code=7)
    with manager_on(tool) as manager:
        document = tool.up(*FILE, *tainted)
        assert all(workload["ready"] for workload in document["workloads"])
        assert tool.up(*FILE, *tainted)["steps"] == []
        live = manager.client.get("RuntimeClass", NEWER) or {}
        assert "tolerations" not in live["scheduling"]


def test_nothing_is_made_where_containerd_would_drop_its_block(tool: Tool) -> None:
    since = tool.mark()
    error = error_of(tool, *MANAGED, *fields_of("cluster.kubernetesVersion=1.35"), code=7)
    assert (error["code"], "`wasm`" in error["message"]) == ("BlockDropped", True)
    assert "installer.kind: daemonset" in error["hint"]
    assert tool.writes(since) == []


def test_an_older_definition_is_told_before_anything_is_written(tool: Tool) -> None:
    error_of(tool, *FILE, code=7)
    older = definition()
    fetch = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del fetch["fetchStrategy"]["properties"]["platforms"]
    client = KubeClient.from_kubeconfig(tool("kubeconfig").stdout)
    client.apply(older)
    client.close()
    since = tool.mark()
    for verb in ("up", "plan"):
        assert error_of(tool, *FILE, code=7, verb=verb)["code"] == "RuntimeClassManagerUnfit"
    assert tool.writes(since) == []


def test_where_a_failed_run_leaves_no_cluster_it_is_not_asked(tool: Tool) -> None:
    tool.target = "local"
    error = error_of(tool, *MANAGED, code=2)
    assert "installer.kind" in error["message"]
    assert json.loads(tool("status", *MANAGED, "-o", "json").stdout)["cluster"]["state"] == "absent"


def test_two_installers_do_not_meet(tool: Tool) -> None:
    tool.up(*OLD, *fields_of("nodePools.0.route=shim"))
    since = tool.mark()
    assert error_of(tool, *FILE, code=7)["code"] == "OtherInstaller"
    assert error_of(tool, *FILE, code=7, verb="plan")["code"] == "OtherInstaller"
    assert tool.writes(since) == []


def test_a_node_on_which_it_fails_is_named_and_the_next_run_mends_it(tool: Tool) -> None:
    error_of(tool, *FILE, code=7)
    with manager_on(tool) as manager:
        node = wasm_node(manager)
        manager.controller.failing.add(node)
        error = error_of(tool, *FILE, code=1)
        assert (error["code"], node in error["message"]) == ("ShimJobFailed", True)
        manager.controller.failing.clear()
        assert tool.up(*FILE)["ok"] is True


def test_one_that_never_reports_is_waited_for_by_name(tool: Tool) -> None:
    error_of(tool, *FILE, code=7)
    with manager_on(tool) as manager:
        manager.controller.asleep = True
        error = error_of(tool, *FILE, "--timeout", "3s", code=5)
        assert "Shim `spin-v2`" in error["message"]
        assert "0 of 1 nodes provisioned" in error["message"]
