"""`runtime ...` on clusters where runtime-class-manager puts the shims on the nodes, or is to, and is not at work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.journeys.conftest import Tool
from tests.journeys.given_cluster import Given, error_of, given_cluster
from tests.journeys.playing_manager import Manager, playing_manager
from tests.kube.shim_controller import definition

INSTALLER = ("--installer", "runtime-class-manager")
MANAGED = ("install", "--shim", "spin", *INSTALLER)
OLDER = ("install", "--shim", "spin@v0.24.0", *INSTALLER)
OLD = {"name": "old", "arch": "amd64", "os_sku": "Ubuntu2204"}
NEW = {"name": "new", "arch": "amd64", "os_sku": "Ubuntu2404"}
OURS = {"app.kubernetes.io/managed-by": "aks-wasm", "app.kubernetes.io/part-of": "aks-wasm"}
V24, V25 = "aks-wasm-spin-v0-24-0", "aks-wasm-spin-v0-25-1"


@contextmanager
def managed(tool: Tool, *pools: dict[str, Any], haste: float = 1.0) -> Iterator[tuple[Given, Manager]]:
    with (
        given_cluster(tool, *(pools or (OLD,))) as given,
        playing_manager(tool.emulator, tool.folder, given.kubeconfig.read_text()) as manager,
    ):
        given.haste = haste
        yield given, manager


def version_on(manager: Manager, given: Given) -> list[str]:
    """Return the version of Spin that each node runs."""
    return [str(manager.handlers(name).get("spin-v2", {}).get("version")) for name in given.names]


def proofs(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["version"], one["handler"], one["result"]) for one in document["nodes"]]


def test_without_it_the_command_that_installs_it_is_told(tool: Tool) -> None:
    with given_cluster(tool, OLD) as given:
        since = given.tool.mark()
        error = error_of(given, *MANAGED, code=7)
        assert error["code"] == "NoRuntimeClassManager"
        assert "helm upgrade --install rcm" in error["hint"]
        assert given.writes(since) == []


def test_an_older_definition_is_told_before_anything_is_made(tool: Tool) -> None:
    older = definition()
    fetch = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del fetch["fetchStrategy"]["properties"]["platforms"]
    with given_cluster(tool, OLD) as given:
        given.client.apply(older)
        since = given.tool.mark()
        error = error_of(given, *MANAGED, code=7)
        assert (error["code"], "`fetchStrategy.platforms`" in error["message"]) == ("RuntimeClassManagerUnfit", True)
        assert "helm show crds" in error["hint"]
        assert given.writes(since) == []


def test_where_containerd_would_drop_its_block_nothing_is_made(tool: Tool) -> None:
    with managed(tool, NEW) as (given, _manager):
        error = error_of(given, *MANAGED, code=7)
        assert (error["code"], "aks-new-" in error["message"]) == ("BlockDropped", True)
        assert "daemonset" in error["hint"]
        assert given.client.list("Shim") == []


def test_its_shim_is_applied_proved_listed_and_removed(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    with managed(tool) as (given, manager):
        given.use_registry(monkeypatch)
        assert proofs(given.document(*MANAGED)) == [("v0.25.1", "spin-v2", "ok")]
        assert given.document(*MANAGED)["steps"] == []
        assert proofs(given.document("verify")) == [("v0.25.1", "spin-v2", "ok")]

        (item,) = [i for i in given.document("list")["items"] if i["runtimeClass"] == V25]
        assert (item["madeBy"], item["installer"]) == ("aks-wasm", "runtime-class-manager")
        assert (item["shim"], item["version"], item["ready"], item["nodes"]) == ("spin", "v0.25.1", 1, 1)
        assert "aks-wasm, runtime-class-manager" in given.run("list").stdout

        document = given.document("remove", "--shim", "spin", "--yes")
        assert [one["name"] for one in document["removed"]] == ["spin"]
        assert given.client.list("Shim") == []
        assert version_on(manager, given) == ["None"]
        assert not any(given.marks().values())


def test_one_of_two_is_removed_and_the_other_goes_on(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    with managed(tool) as (given, _manager):
        given.use_registry(monkeypatch)
        given.document("install", "--shim", "spin", "--shim", "wasmtime", *INSTALLER)
        given.document("remove", "--shim", "spin", "--yes")
        assert [one["metadata"]["name"] for one in given.client.list("Shim")] == ["wasmtime-v1"]
        assert {one["handler"] for one in given.document("verify")["nodes"]} == {"wasmtime-v1"}


def test_a_runtime_that_somebody_elses_shim_made_is_listed_and_proved(tool: Tool) -> None:
    with managed(tool) as (given, manager):
        given.document(*MANAGED, "--name", "somebody")
        (item,) = [i for i in given.document("list")["items"] if i["runtimeClass"] == V25]
        assert (item["madeBy"], item["version"], item["ready"]) == ("runtime-class-manager", "v0.25.1", 1)
        error = error_of(given, "verify", code=2)
        assert (error["code"], "no registry is known" in error["message"]) == ("NoProbeImage", True)
        document = given.document("verify", "--probe-image", f"spin={manager.image}")
        assert proofs(document) == [("v0.25.1", "spin-v2", "ok")]
        assert error_of(given, "remove", "--shim", "spin", "--yes", code=2)["code"] == "NotInstalled"


def test_where_containerd_drops_the_block_all_the_same_verify_tells(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with managed(tool, haste=10) as (given, manager):
        given.use_registry(monkeypatch)
        manager.dropping = True
        document = given.document(*MANAGED, code=1)
        assert proofs(document) == [("v0.25.1", "spin-v2", "failed")]
        assert "spin-v2" in document["nodes"][0]["reason"]


def test_an_upgrade_replaces_in_place_and_moves_our_workloads(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    with managed(tool) as (given, manager):
        given.use_registry(monkeypatch)
        given.document(*OLDER)
        given.deploy("web", V24, image=manager.image, **OURS)
        planned = given.document("upgrade", "--dry-run")
        assert [step["name"] for step in planned["steps"]] == ["shim-resources", "workloads"]
        result = given.run("upgrade", "--progress", "plain")
        assert result.exit_code == 0, result.output
        assert "1 running pod ends, and workloads get new ones only when the new version is there" in result.stderr
        assert version_on(manager, given) == ["v0.25.1"]
        web = given.client.get("Deployment", "web", "default") or {}
        assert web["spec"]["template"]["spec"]["runtimeClassName"] == V25
        assert given.document("upgrade")["steps"] == []


def test_an_upgrade_that_does_not_get_onto_a_node_goes_back(tool: Tool) -> None:
    with managed(tool) as (given, manager):
        given.document(*OLDER)
        manager.controller.refused = "v0.25.1"
        result = given.run("upgrade", "--progress", "plain")
        assert result.exit_code == 1, result.output
        assert "could not install `spin-v2` on node" in result.stderr
        assert "has put spin v0.24.0 back on the nodes" in result.stderr
        assert version_on(manager, given) == ["v0.24.0"]
        assert given.client.get("RuntimeClass", V24) is not None


def test_an_upgrade_that_nobody_carries_out_ends_and_says_how_to_go_on(tool: Tool) -> None:
    with managed(tool) as (given, manager):
        given.document(*OLDER)
        manager.controller.asleep = True
        result = given.run("upgrade", "--progress", "plain", "--timeout", "2s")
        assert result.exit_code == 5, result.output
        assert "held by rcm.spinkube.dev/finalizer" in result.stderr
        assert "`aks-wasm runtime upgrade --shim spin@v0.24.0` tries again" in result.stderr
        manager.controller.asleep = False
        assert given.document("upgrade")["ok"] is True
        assert version_on(manager, given) == ["v0.25.1"]


def test_others_who_ask_for_the_version_that_would_go_are_not_stranded(tool: Tool) -> None:
    with managed(tool) as (given, manager):
        given.document(*OLDER)
        given.deploy("theirs", V24, image=manager.image)
        error = error_of(given, "upgrade", code=7)
        assert (error["code"], "deployment/theirs" in error["message"]) == ("RuntimeInUse", True)
        assert version_on(manager, given) == ["v0.24.0"]
        bare = {"runtimeClassName": V24, "containers": [{"name": "app", "image": manager.image, "command": ["/"]}]}
        metadata = {"name": "bare", "namespace": "default"}
        given.client.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": bare})
        assert "pod/bare" in error_of(given, "upgrade", code=7)["message"]
        given.document("upgrade", "--all-workloads")
        theirs = given.client.get("Deployment", "theirs", "default") or {}
        assert theirs["spec"]["template"]["spec"]["runtimeClassName"] == V25


def test_two_installers_do_not_bring_the_same(tool: Tool) -> None:
    with managed(tool) as (given, _manager):
        given.document(*MANAGED)
        error = error_of(given, "install", "--shim", "spin", code=7)
        assert error["code"] == "OtherInstaller"
        assert "runtime-class-manager has `spin` v0.25.1" in error["message"]
