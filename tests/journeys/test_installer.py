"""Shims on nodes through the whole tool: installed, proved, healed, replaced by another version."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from aks_wasm.kube.client import KubeClient
from aks_wasm.kube.conditions import wait_for, wait_gone
from aks_wasm.shims.catalogue import select
from aks_wasm.steps.nodes_installed import wait_marked
from aks_wasm.waits import Patience, SystemClock
from tests.journeys.conftest import Tool, fetch, fields_of, states

NEW, OLD = select(("spin", "spin@v0.24.0"))
FAULT = "nodePools.0.labels={emulator.aks-wasm.dev/shim-fault: %s}"
PATIENCE = Patience(60, SystemClock())


@contextmanager
def cluster_of(tool: Tool) -> Iterator[KubeClient]:
    with closing(KubeClient.from_kubeconfig(tool("kubeconfig").stdout)) as client:
        yield client


def wasm_nodes(client: KubeClient, pool: str = "wasm") -> list[dict[str, Any]]:
    return client.list("Node", labels=f"kubernetes.azure.com/agentpool={pool}")


def names_of(nodes: list[dict[str, Any]]) -> list[str]:
    return [node["metadata"]["name"] for node in nodes]


def handlers(node: dict[str, Any]) -> set[str]:
    return set(json.loads(node["metadata"]["annotations"]["emulator.aks-wasm.dev/handlers"]))


def test_a_node_that_comes_back_bare_is_healed_without_a_command(tool: Tool) -> None:
    document = tool.up(*fields_of("nodePools.0.route=shim"))
    with cluster_of(tool) as client:
        (before,) = wasm_nodes(client)
        since = tool.mark()
        tool.emulator.control("POST", f"nodes/{before['metadata']['name']}/replace?cluster={tool.name}")
        (bare,) = wasm_nodes(client)
        assert bare["metadata"]["uid"] != before["metadata"]["uid"]
        wait_marked(client, [NEW.handler], names_of([bare]), PATIENCE)
        wait_for(client, {"kind": "Deployment", "metadata": {"name": "hello", "namespace": "default"}}, PATIENCE)
        assert tool.writes(since) == [], "nobody did anything"
    endpoint = next(w["endpoint"] for w in document["workloads"] if w["name"] == "hello")
    assert "Hello from WebAssembly" in fetch(endpoint)
    assert states(tool.up(*fields_of("nodePools.0.route=shim"))) == {"proof": "done"}


def test_nodes_that_come_from_zero_are_ready_without_a_command(tool: Tool) -> None:
    pool = fields_of("nodePools.0.route=shim", "nodePools.1={name: big, arch: amd64, min: 0, max: 3, route: shim}")
    tool.up(*pool)
    tool.document("nodepool", "scale", "big", "--count", "2", *pool)
    with cluster_of(tool) as client:
        nodes = names_of(wasm_nodes(client, "big"))
        assert len(nodes) == 2
        wait_marked(client, [NEW.handler], nodes, PATIENCE)
        assert all(NEW.handler in handlers(node) for node in wasm_nodes(client, "big"))


def test_a_node_on_which_the_installer_fails_is_named_with_the_reason(tool: Tool) -> None:
    document = tool.up(*fields_of("nodePools.0.route=shim", FAULT % "HashMismatch"), code=1)
    assert document["error"]["code"] == "HashMismatch"
    message = document["error"]["message"]
    assert re.search(r"on node `aks-wasm-\S+-vmss000000` \(HashMismatch\): ", message), message
    assert document["error"]["hint"]
    assert states(document).get("runtimes", "failed") == "failed"


def test_a_pool_without_a_binary_for_its_processors_is_an_error_of_its_nodes(tool: Tool) -> None:
    shim = {
        "name": "mine",
        "runtimeType": "io.containerd.wasmtime.v1",
        "platforms": [{"arch": "amd64", "location": "https://x.test/shim.tar.gz", "sha256": "a" * 64}],
    }
    fields = fields_of("nodePools.0.route=shim", f"shims.1={json.dumps(shim)}")
    document = tool.up(*fields, code=1)
    assert document["error"]["code"] == "Unsupported"
    assert "aks-wasm-mine-custom has no binary for linux/arm64" in document["error"]["message"]


def test_another_version_replaces_the_one_before_and_takes_its_workloads_along(tool: Tool) -> None:
    shim = "nodePools.0.route=shim"
    tool.up(*fields_of(shim, "shims.0=spin@v0.24.0"))
    with cluster_of(tool) as client:
        document = tool.up(*fields_of(shim))
        assert states(document)["old-runtimes"] == "done"
        assert [runtime["version"] for runtime in document["runtimes"]] == [NEW.version]
        (node,) = wasm_nodes(client)
        assert handlers(node) == {NEW.handler}
        assert [label for label in node["metadata"]["labels"] if label.startswith("handler.aks-wasm.dev/")] == [
            f"handler.aks-wasm.dev/{NEW.handler}"
        ]
        assert client.get("RuntimeClass", OLD.runtime_class) is None
        assert client.get("DaemonSet", f"shim-probe-{OLD.handler}", "aks-wasm-system") is None
    assert "Hello from WebAssembly" in fetch(next(w["endpoint"] for w in document["workloads"] if w["endpoint"]))
    assert tool.up(*fields_of(shim))["steps"] == []


def test_a_version_that_somebody_elses_pod_runs_through_stays_until_it_is_gone(tool: Tool) -> None:
    shim = "nodePools.0.route=shim"
    tool.up(*fields_of(shim, "shims.0=spin@v0.24.0"))
    with cluster_of(tool) as client:
        image = client.list("Deployment", namespace="default")[0]["spec"]["template"]["spec"]["containers"][0]["image"]
        theirs = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "theirs", "namespace": "default"},
            "spec": {
                "runtimeClassName": OLD.runtime_class,
                "containers": [{"name": "c", "image": image, "command": ["/"]}],
            },
        }
        client.apply(theirs)
        wait_for(client, theirs, PATIENCE)
        tool.up(*fields_of(shim))
        (node,) = wasm_nodes(client)
        assert handlers(node) == {OLD.handler, NEW.handler}
        assert tool.up(*fields_of(shim))["steps"] == [], "nothing to do while it is used"
        client.delete("Pod", "theirs", "default")
        assert states(tool.up(*fields_of(shim)))["old-runtimes"] == "done"
        (node,) = wasm_nodes(client)
        assert handlers(node) == {NEW.handler}


def test_what_was_changed_by_hand_on_the_installer_is_put_right(tool: Tool) -> None:
    shim = "nodePools.0.route=shim"
    tool.up(*fields_of(shim))
    with cluster_of(tool) as client:
        client.delete("Lease", "shim-installer-0", "aks-wasm-system")
        client.delete("RuntimeClass", NEW.runtime_class)
        client.delete("DaemonSet", f"shim-probe-{NEW.handler}", "aks-wasm-system")
        assert set(states(tool.up(*fields_of(shim)))) == {"runtimes", "proof"}
        assert client.get("Lease", "shim-installer-0", "aks-wasm-system") is not None
        assert client.get("RuntimeClass", NEW.runtime_class) is not None
    assert tool.up(*fields_of(shim))["steps"] == []


THINGS = [
    ("ServiceAccount", "shim-installer"),
    ("Role", "shim-installer"),
    ("RoleBinding", "shim-installer"),
    ("Lease", "shim-installer-0"),
    ("ConfigMap", "shim-installer"),
    ("ConfigMap", "shim-installer-probe"),
    ("DaemonSet", "shim-installer"),
    ("Namespace", "aks-wasm-system"),
]


def test_plan_sees_whatever_of_the_installer_somebody_has_deleted_and_up_brings_it_back(tool: Tool) -> None:
    shim = fields_of("nodePools.0.route=shim", "workloads=[]")
    tool.up(*shim)
    with cluster_of(tool) as client:
        for kind, name in THINGS:
            place = None if kind == "Namespace" else "aks-wasm-system"
            client.delete(kind, name, place)
            wait_gone(client, kind, name, place, PATIENCE)
            step = next(s for s in tool.document("plan", *shim)["steps"] if s["name"] == "runtimes")
            if kind != "Namespace":  # nothing of the rest is left then
                assert f"not as it should be: {kind} `{name}`" in step["summary"]
            tool.up(*shim)
            assert client.get(kind, name, place) is not None
            assert tool.up(*shim)["steps"] == [], kind
        (node,) = wasm_nodes(client)
        assert handlers(node) == {NEW.handler}


def test_rights_that_somebody_gave_the_installer_are_taken_back(tool: Tool) -> None:
    shim = fields_of("nodePools.0.route=shim", "workloads=[]")
    tool.up(*shim)
    with cluster_of(tool) as client:
        role = client.get("Role", "shim-installer", "aks-wasm-system") or {}
        rules = role["rules"]
        more = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}
        client.merge("Role", "shim-installer", {"rules": [*rules, more]}, "aks-wasm-system")
        assert "runtimes" in states(tool.document("plan", *shim))
        tool.up(*shim)
        assert (client.get("Role", "shim-installer", "aks-wasm-system") or {})["rules"] == rules


def test_a_probe_finds_its_namespace_where_the_provider_brings_the_shims(tool: Tool) -> None:
    tool.target = "local"
    tool.up("--set", "workloads=[]")
    with cluster_of(tool) as client:
        client.delete("Namespace", "aks-wasm-system")
        wait_gone(client, "Namespace", "aks-wasm-system", None, PATIENCE)
        assert "runtimes" in states(tool.document("plan", "--set", "workloads=[]"))
        assert tool.up("--set", "workloads=[]", "--set", "nodePools.0.count=2")["runtimes"][0]["proved"] == 2


def test_fewer_turns_to_restart_containerd_leave_no_lease(tool: Tool) -> None:
    shim = ("nodePools.0.route=shim", "workloads=[]")
    tool.up(*fields_of(*shim, "installer.maxUnavailable=2"))
    with cluster_of(tool) as client:
        leases = [lease["metadata"]["name"] for lease in client.list("Lease", namespace="aks-wasm-system")]
        assert leases == ["shim-installer-0", "shim-installer-1"]
        tool.up(*fields_of(*shim))
        leases = [lease["metadata"]["name"] for lease in client.list("Lease", namespace="aks-wasm-system")]
        assert leases == ["shim-installer-0"]
    assert tool.up(*fields_of(*shim))["steps"] == []
