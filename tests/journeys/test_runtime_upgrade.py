"""`runtime upgrade` on clusters given by a kubeconfig: beside, proved, moved, off; and back when something fails."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from aks_wasm.kube.conditions import wait_for
from aks_wasm.waits import Patience, SystemClock
from tests.journeys.conftest import Tool
from tests.journeys.given_cluster import FAULT, Given, elf, error_of, given_cluster

NEW, OLD = "aks-wasm-spin-v0-25-1", "aks-wasm-spin-v0-23-0"
OURS = {"app.kubernetes.io/managed-by": "aks-wasm", "app.kubernetes.io/part-of": "aks-wasm"}


@pytest.fixture
def given(tool: Tool) -> Iterator[Given]:
    """A cluster with a node of each architecture, on which an older version is installed."""
    with given_cluster(tool) as made:
        made.document("install", "--shim", "spin@v0.23.0")
        yield made


def test_upgrade_moves_our_workloads_and_takes_the_old_version_off(given: Given) -> None:
    given.deploy("web", OLD, **OURS)
    document = given.document("upgrade")
    assert [shim["version"] for shim in document["removed"]] == ["v0.23.0"]
    assert document["kept"] == []
    web = given.client.get("Deployment", "web", "default") or {}
    assert web["spec"]["template"]["spec"]["runtimeClassName"] == NEW
    assert web["status"]["availableReplicas"] == 1
    assert given.handlers() == [NEW, NEW]
    assert given.classes() == {NEW, f"aks-wasm-probe-{NEW}"}
    assert given.document("upgrade")["steps"] == []


def test_fewer_turns_leave_no_lease_behind(given: Given) -> None:
    def leases() -> list[str]:
        return [one["metadata"]["name"] for one in given.client.list("Lease", namespace="aks-wasm-system")]

    given.document("install", "--shim", "spin@v0.23.0", "--max-unavailable", "2")
    assert leases() == ["shim-installer-0", "shim-installer-1"]
    given.document("install", "--shim", "spin@v0.23.0", "--max-unavailable", "1")
    assert leases() == ["shim-installer-0"]


def test_what_others_run_keeps_its_version_and_is_named(given: Given) -> None:
    given.deploy("theirs", OLD)
    document = given.document("upgrade", "--shim", "spin")
    assert document["removed"] == []
    assert {"deployment", "pod"} == {user["kind"].lower() for user in document["kept"]}
    assert set(given.handlers()[0].split()) == {NEW, OLD}
    through = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "mine"}, "handler": OLD}
    given.client.apply(through)
    given.deploy("indirect", "mine")
    error = error_of(given, "remove", "--shim", "spin@v0.23.0", "--yes", code=7)
    assert error["code"] == "RuntimeInUse"
    assert re.search(r"`pod/indirect-\S+ through RuntimeClass mine` on `aks-\S+`", error["message"]), error["message"]
    given.client.delete("Deployment", "indirect", "default")
    moved = given.document("upgrade", "--shim", "spin", "--all-workloads")
    assert [shim["version"] for shim in moved["removed"]] == ["v0.23.0"]
    assert given.handlers() == [NEW, NEW]


def test_an_upgrade_that_fails_on_a_node_leaves_all_as_it_was(given: Given) -> None:
    given.deploy("web", OLD, **OURS)
    node = given.names[1]
    given.client.label("Node", node, {FAULT: "HandlerDropped"})
    error = error_of(given, "upgrade", code=1)
    assert (error["code"], node in error["message"]) == ("HandlerDropped", True)
    given.client.label("Node", node, {FAULT: None})
    web = given.client.get("Deployment", "web", "default") or {}
    assert web["spec"]["template"]["spec"]["runtimeClassName"] == OLD
    assert given.classes() == {OLD, f"aks-wasm-probe-{OLD}"}
    assert given.document("verify")["ok"] is True


def test_an_upgrade_that_a_workload_does_not_survive_goes_back(given: Given) -> None:
    given.deploy("alright", OLD, **OURS)
    given.deploy("broken", OLD, **OURS)
    running = {"kind": "Deployment", "metadata": {"name": "broken", "namespace": "default"}}
    wait_for(given.client, running, Patience(60, SystemClock()))  # else nothing of it would ever be available
    broken = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "absent.local/none:1"}]}}}}
    given.client.merge("Deployment", "broken", broken, "default")
    given.haste = 5  # more, and a busy machine outlives what is granted for real
    error = error_of(given, "upgrade", code=1)
    assert "deployment/broken does not get ready with `aks-wasm-spin-v0-25-1`" in error["message"]
    for name in ("alright", "broken"):
        live = given.client.get("Deployment", name, "default") or {}
        assert live["spec"]["template"]["spec"]["runtimeClassName"] == OLD
    assert given.classes() == {OLD, f"aks-wasm-probe-{OLD}"}


def test_a_dry_run_of_an_upgrade_tells_what_moves_and_writes_nothing(given: Given) -> None:
    since = given.tool.mark()
    document = given.document("upgrade", "--dry-run")
    assert [step["name"] for step in document["steps"]] == ["shims", "workloads", "runtime-classes", "shims"]
    assert given.writes(since) == []


def test_what_is_not_installed_is_not_upgraded(given: Given) -> None:
    error = error_of(given, "upgrade", "--shim", "wasmtime", code=2)
    assert (error["code"], "runtime install --shim wasmtime" in error["hint"]) == ("NotInstalled", True)


def test_a_build_of_ones_own_changes_only_when_it_is_named(given: Given) -> None:
    builds = [
        [f"wasmtime={elf(given.tool.folder, f'{n}{arch}/containerd-shim-wasmtime-v1', arch, n.encode())}" for n in "12"]
        for arch in ("amd64", "arm64")
    ]
    first, second = ([word for pair in builds for word in ("--shim", pair[number])] for number in (0, 1))
    (own,) = given.document("install", *first)["shims"][1:]
    assert [shim["name"] for shim in given.document("upgrade")["removed"]] == ["spin"]
    document = given.document("upgrade", *second)
    assert [shim["handler"] for shim in document["removed"]] == [own["handler"]]
    assert {one["result"] for one in document["nodes"]} == {"ok"}
    error = error_of(given, "upgrade", "--shim", "spin", "--shim", "spin@v0.23.0", code=2)
    assert "one version of each shim" in error["message"]
