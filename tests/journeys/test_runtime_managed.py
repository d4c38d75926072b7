"""`runtime install --installer runtime-class-manager` on clusters where it is, or is not, at work."""

from __future__ import annotations

from aks_wasm.kube.conditions import wait_for, wait_gone
from aks_wasm.waits import Patience, SystemClock
from tests.journeys.conftest import Tool
from tests.journeys.given_cluster import Given, error_of, given_cluster
from tests.kube.shim_controller import definition

MANAGED = ("install", "--shim", "spin", "--installer", "runtime-class-manager")
OLD = {"name": "old", "arch": "amd64", "os_sku": "Ubuntu2204"}
PATIENCE = Patience(60, SystemClock())
NEW = {"name": "new", "arch": "amd64", "os_sku": "Ubuntu2404"}


def controller(given: Given) -> None:
    """Let something run under the controller's name: what it does is played by each test."""
    given.document("install", "--shim", "spin@v0.23.0", "--name", "other")
    given.client.apply(definition())
    given.deploy("rcm", "aks-wasm-spin-v0-23-0", **{"app.kubernetes.io/name": "runtime-class-manager"})
    manifest = {"kind": "Deployment", "metadata": {"name": "rcm", "namespace": "default"}}
    wait_for(given.client, manifest, PATIENCE)


def test_without_it_the_command_that_installs_it_is_told(tool: Tool) -> None:
    with given_cluster(tool, OLD) as given:
        since = given.tool.mark()
        error = error_of(given, *MANAGED, code=7)
        assert error["code"] == "NoRuntimeClassManager"
        assert "helm upgrade --install rcm" in error["hint"]
        assert given.writes(since) == []


def test_where_containerd_would_drop_its_block_nothing_is_made(tool: Tool) -> None:
    with given_cluster(tool, NEW) as given:
        controller(given)
        since = given.tool.mark()
        error = error_of(given, *MANAGED, code=7)
        assert (error["code"], "aks-new-" in error["message"]) == ("BlockDropped", True)
        assert "daemonset" in error["hint"]
        assert given.writes(since) == []


def test_its_shim_is_applied_waited_for_and_removed(tool: Tool) -> None:
    with given_cluster(tool, OLD) as given:
        controller(given)
        (node,) = given.names
        given.client.label("Node", node, {"spin-v2": "provisioned"})
        result = given.run(*MANAGED, "--progress", "plain")
        assert result.exit_code == 0, result.output
        assert "provisioned and not proved: no registry is known" in result.stderr
        shim = given.client.get("Shim", "spin-v2") or {}
        assert shim["spec"]["runtimeClass"] == {"name": "aks-wasm-spin-v0-25-1", "handler": "spin-v2"}
        assert given.document(*MANAGED)["steps"] == []
        given.client.delete("Deployment", "rcm", "default", propagation="Foreground")
        wait_gone(given.client, "Deployment", "rcm", "default", PATIENCE)
        given.document("remove", "--all", "--yes", "--name", "other")
        given.client.label("Node", node, {"spin-v2": None})  # as its uninstall Job does
        document = given.document("remove", "--all", "--yes")
        assert "shim-resources" in {step["name"] for step in document["steps"]}
        assert given.client.get("Shim", "spin-v2") is None
        assert given.is_clean()
