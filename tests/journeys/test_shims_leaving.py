"""A shim that left the file leaves the cluster: its RuntimeClass, its probes, the nodes' files and marks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aks_wasm.kube.client import KubeClient
from aks_wasm.shims.catalogue import select
from aks_wasm.shims.labels import SYSTEM_NAMESPACE
from aks_wasm.shims.runtime_class import probe_class_name
from aks_wasm.steps.nodes_installed import wait_marked
from tests.journeys.conftest import Tool, fetch, fields_of, states
from tests.journeys.test_installer import PATIENCE, cluster_of, handlers, wasm_nodes

SPIN, WASMTIME = select(("spin", "wasmtime"))
ROUTE = "nodePools.0.route=shim"
BOTH = fields_of(ROUTE, "shims=[spin, wasmtime]")
ONE = fields_of(ROUTE, "shims=[spin]")
NONE = fields_of(ROUTE, "shims=[]", "workloads=[]")
MARKS = ("aks-wasm.dev/shims", f"handler.aks-wasm.dev/{SPIN.handler}", f"handler.aks-wasm.dev/{WASMTIME.handler}")


def made(client: KubeClient) -> set[str]:
    """Return what of the runtimes the cluster's API has."""
    ours = "app.kubernetes.io/managed-by=aks-wasm"
    return {
        f"{kind}/{found['metadata']['name']}"
        for kind in ("RuntimeClass", "DaemonSet")
        for found in client.list(kind, labels=ours)
    }


def marks(client: KubeClient) -> set[str]:
    (node,) = wasm_nodes(client)
    return {key for key in node["metadata"]["labels"] if key in MARKS}


def pod(name: str, image: str, runtime_class: str) -> dict[str, Any]:
    container = {"name": "c", "image": image, "command": ["/"], "imagePullPolicy": "Never"}
    spec = {"runtimeClassName": runtime_class, "containers": [container], "terminationGracePeriodSeconds": 0}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def deployment(name: str, runtime_class: str, replicas: int) -> dict[str, Any]:
    template = pod(name, "probe.test/none:1", runtime_class)
    labels = {"app": name}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
    }
    return {**template, "apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}


def test_a_shim_that_left_the_file_is_named_by_plan_and_taken_off_by_up(tool: Tool) -> None:
    tool.up(*BOTH)
    with cluster_of(tool) as client:
        before = made(client)
        assert handlers(wasm_nodes(client)[0]) == {SPIN.handler, WASMTIME.handler}
        since = tool.mark()
        (step,) = tool.document("plan", *ONE)["steps"]
        assert step["summary"] == f"remove `{WASMTIME.handler}` (no longer in the file)"
        assert tool.writes(since) == []
        document = tool.up(*ONE)
        assert states(document) == {"old-runtimes": "done"}
        assert before - made(client) == {
            f"RuntimeClass/{WASMTIME.handler}",
            f"RuntimeClass/{probe_class_name(WASMTIME.handler)}",
            f"DaemonSet/shim-probe-{WASMTIME.handler}",
        }
        (node,) = wasm_nodes(client)
        assert handlers(node) == {SPIN.handler}
        assert f"handler.aks-wasm.dev/{WASMTIME.handler}" not in node["metadata"]["labels"]
        assert list(json.loads(node["metadata"]["annotations"]["aks-wasm.dev/proof"])) == [SPIN.runtime_class]
    assert "Hello from WebAssembly" in fetch(next(w["endpoint"] for w in document["workloads"] if w["endpoint"]))
    assert tool.up(*ONE)["steps"] == []
    assert tool.up(*BOTH)["ok"] is True, "and it can come back"
    with cluster_of(tool) as client:
        assert made(client) == before


def test_the_last_shim_takes_the_installer_and_its_marks_along(tool: Tool) -> None:
    tool.up(*ONE)
    document = tool.up(*NONE)
    assert set(states(document)) == {"workload/hello", "workload/task", "old-runtimes"}
    with cluster_of(tool) as client:
        assert made(client) == set()
        assert client.get("Namespace", SYSTEM_NAMESPACE) is None
        assert (marks(client), handlers(wasm_nodes(client)[0])) == (set(), set())
    assert tool.up(*NONE)["steps"] == []
    assert all(w["ready"] for w in tool.up(*ONE)["workloads"])


def test_a_shim_that_somebody_else_uses_is_not_taken_away(tool: Tool) -> None:
    tool.up(*BOTH)
    with cluster_of(tool) as client:
        theirs = deployment("theirs", WASMTIME.runtime_class, replicas=0)
        client.apply(theirs)
        for command in ("plan", "up"):
            since = tool.mark()
            document = tool.document(command, *(["--yes"] if command == "up" else []), *ONE, code=7)
            assert document["error"]["code"] == "RuntimeInUse"
            assert f"`{WASMTIME.handler}` left the file" in document["error"]["message"]
            assert "`deployment/theirs`" in document["error"]["message"]
            assert document["error"]["hint"]
            assert tool.writes(since) == []
        client.delete("Deployment", "theirs", "default")
        assert states(tool.up(*ONE)) == {"old-runtimes": "done"}


def test_what_was_installed_by_hand_stays_until_the_file_has_asked_for_it(tool: Tool) -> None:
    tool.up(*NONE)
    tool.document("runtime", "install", "--shim", "spin", "--shim", "wasmtime", *NONE)
    assert tool.up(*NONE)["steps"] == []
    assert "runtimes" in states(tool.up(*ONE)), "the file takes it over"
    tool.up(*NONE)
    with cluster_of(tool) as client:
        assert handlers(wasm_nodes(client)[0]) == {WASMTIME.handler}
        assert f"RuntimeClass/{SPIN.handler}" not in made(client)
        assert marks(client) == {MARKS[0], MARKS[2]}


def test_the_files_own_workloads_move_or_go_first(tool: Tool) -> None:
    job = "workloads=[{name: late, kind: service, shim: %s, image: %s, replicas: 1, expose: none}]"
    tool.up(*BOTH)
    with cluster_of(tool) as client:
        image = client.list("Deployment", namespace="default")[0]["spec"]["template"]["spec"]["containers"][0]["image"]
        tool.up(*BOTH, *fields_of(job % ("spin", image)))
        document = tool.up(*fields_of(ROUTE, "shims=[wasmtime]", "workloads=[]"))
        assert states(document) == {"workload/late": "done", "old-runtimes": "done"}
        assert handlers(wasm_nodes(client)[0]) == {WASMTIME.handler}


@pytest.mark.parametrize("gone", ["RuntimeClass", "DaemonSet"])
def test_a_removal_that_was_cut_off_is_gone_on_with(tool: Tool, gone: str) -> None:
    tool.up(*BOTH)
    with cluster_of(tool) as client:
        client.delete("RuntimeClass", WASMTIME.runtime_class)
        if gone == "DaemonSet":
            client.delete("DaemonSet", f"shim-probe-{WASMTIME.handler}", SYSTEM_NAMESPACE)
        assert states(tool.up(*ONE)) == {"old-runtimes": "done"}
        assert handlers(wasm_nodes(client)[0]) == {SPIN.handler}
    assert tool.up(*ONE)["steps"] == []


def test_pools_without_nodes_no_longer_say_that_their_nodes_will_be_ready_for_it(tool: Tool) -> None:
    pool = ["nodePools.0={name: wasm, arch: arm64, min: 0, max: 2, route: shim}", "workloads=[]"]
    tool.up(*fields_of(*pool, "shims=[spin, wasmtime]"))
    tool.up(*fields_of(*pool, "shims=[spin]"))
    assert tool.up(*fields_of(*pool, "shims=[spin]"))["steps"] == []
    tool.document("nodepool", "scale", "wasm", "--min", "1", "--max", "2", *fields_of(*pool))
    with cluster_of(tool) as client:
        wait_marked(client, [SPIN.handler], [wasm_nodes(client)[0]["metadata"]["name"]], PATIENCE)
        assert marks(client) == {MARKS[0], MARKS[1]}


def test_where_the_provider_brings_shims_their_runtime_classes_and_marks_go(tool: Tool) -> None:
    tool.target = "local"
    tool.up(*BOTH)
    with cluster_of(tool) as client:
        assert states(tool.up(*ONE)) == {"old-runtimes": "done"}
        assert f"RuntimeClass/{WASMTIME.handler}" not in made(client)
        assert MARKS[2] not in marks(client)
    assert tool.up(*ONE)["steps"] == []


def test_adding_a_pool_takes_no_shim_away(tool: Tool) -> None:
    tool.up(*BOTH)
    tool.document("nodepool", "add", "more", "--arch", "arm64", *ONE)
    with cluster_of(tool) as client:
        assert f"RuntimeClass/{WASMTIME.handler}" in made(client)
