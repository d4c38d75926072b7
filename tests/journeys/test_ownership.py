"""Hands off what is not ours: `up` and `down` beside other people's groups, clusters, resources and locks."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.journeys.conftest import Tool, fields_of

BARE = fields_of("nodePools.0.route=shim", "workloads=[]", "shims=[]")
CLUSTER = "/resourcegroups/{group}/providers/Microsoft.ContainerService/managedClusters/{name}?api-version=2025-05-01"
LOCK = "/resourcegroups/{group}/providers/Microsoft.Authorization/locks/keep?api-version=2020-05-01"


def put_cluster(tool: Tool, group: str, name: str, **tags: str) -> None:
    """Let somebody else make a cluster."""
    pool = {"name": "nodes", "mode": "System", "count": 1, "vmSize": "Standard_D2s_v5"}
    properties = {"dnsPrefix": "theirs", "agentPoolProfiles": [pool]}
    body: dict[str, Any] = {
        "location": "westeurope",
        "identity": {"type": "SystemAssigned"},
        "tags": tags,
        "properties": properties,
    }
    tool.somebody_else("POST", "/providers/Microsoft.ContainerService/register?api-version=2025-04-01")
    assert tool.somebody_else("PUT", CLUSTER.format(group=group, name=name), body) == 201


def refused(tool: Tool, *arguments: str) -> dict[str, Any]:
    """Run what must be refused without a write; return the error."""
    since = tool.mark()
    document = tool.document(*arguments, "--yes", code=7)
    assert tool.every_write(since) == []
    error: dict[str, Any] = document["error"]
    assert error["hint"]
    return error


@pytest.mark.parametrize("verb", ["up", "down"])
def test_a_group_of_somebody_elses_is_left_alone(own_tool: Tool, verb: str) -> None:
    own_tool.group("PUT", location="westeurope", tags={"aks-wasm-owner": "rival"})
    error = refused(own_tool, verb, *BARE)
    assert f"the resource group `{own_tool.name}` belongs to `rival`" in error["message"]
    assert "azure.resourceGroup" in error["hint"]
    own_tool.group("DELETE")


def test_a_group_without_a_mark_is_only_used_when_the_file_names_it(own_tool: Tool) -> None:
    own_tool.group("PUT", location="westeurope")
    error = refused(own_tool, "up", *BARE)
    assert f"the resource group `{own_tool.name}` was not made by aks-wasm" in error["message"]
    assert "azure.resourceGroup" in error["hint"]
    assert own_tool.document("down", "--yes")["deleted"] == []
    named = fields_of(f"azure.resourceGroup={own_tool.name}")
    assert own_tool.up(*BARE, *named)["ok"] is True
    document = own_tool.document("down", "--yes", *named)
    assert document["deleted"] == [f"the cluster `{own_tool.name}`"]
    assert document["left"] == []
    assert own_tool.group() == 200  # the group was not made by us
    assert own_tool.document("status", *named)["cluster"]["state"] == "absent"
    own_tool.group("DELETE")


@pytest.mark.parametrize("verb", ["up", "down"])
def test_a_cluster_of_that_name_that_is_not_ours_is_left_alone(own_tool: Tool, verb: str) -> None:
    own_tool.group("PUT", location="westeurope", tags={"aks-wasm-owner": own_tool.name})
    put_cluster(own_tool, own_tool.name, own_tool.name)
    error = refused(own_tool, verb, *BARE)
    assert f"the cluster `{own_tool.name}` was not made by aks-wasm" in error["message"]
    assert "metadata.name" in error["hint"]
    own_tool.group("DELETE")


def test_what_others_put_into_our_group_keeps_it_from_being_deleted(own_tool: Tool) -> None:
    own_tool.up(*BARE)
    put_cluster(own_tool, own_tool.name, "theirs")
    error = refused(own_tool, "down")
    assert f"the resource group `{own_tool.name}` holds what we did not make" in error["message"]
    assert "Microsoft.ContainerService/managedClusters/theirs" in error["message"]
    assert "nothing was deleted" in error["hint"]
    assert own_tool.up(*BARE)["steps"] == []
    own_tool.somebody_else("DELETE", CLUSTER.format(group=own_tool.name, name="theirs"))
    assert own_tool.document("down", "--yes")["left"] == []


def test_a_lock_is_told_and_respected(own_tool: Tool) -> None:
    own_tool.up(*BARE)
    lock = LOCK.format(group=own_tool.name)
    own_tool.somebody_else("PUT", lock, {"properties": {"level": "CanNotDelete", "notes": "production"}})
    error = refused(own_tool, "down")
    assert error["code"] == "ScopeLocked"
    assert f"the resource group `{own_tool.name}` is locked: keep (CanNotDelete)" in error["message"]
    assert "az lock delete --ids /subscriptions/" in error["hint"]
    own_tool.somebody_else("DELETE", lock)
    assert own_tool.document("down", "--yes")["left"] == []


def test_nothing_there_is_nothing_to_do(own_tool: Tool) -> None:
    since = own_tool.mark()
    for arguments in (("down", "--yes"), ("down",)):  # nothing to delete needs no consent
        document = own_tool.document(*arguments)
        assert (document["ok"], document["deleted"], document["left"]) == (True, [], [])
    assert own_tool.every_write(since) == []


def test_without_consent_nothing_is_deleted(own_tool: Tool) -> None:
    own_tool.up(*BARE)
    since = own_tool.mark()
    result = own_tool("down")
    assert result.exit_code == 2
    assert f"the cluster `{own_tool.name}`" in result.stderr
    assert "`--yes` is needed when not on a terminal" in result.stderr
    assert own_tool.every_write(since) == []


def test_down_leaves_nothing_not_even_a_context(own_tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    config = own_tool.folder / "config"
    monkeypatch.setenv("KUBECONFIG", str(config))
    own_tool.up(*BARE)
    assert own_tool("kubeconfig", "--merge").exit_code == 0
    context = f"aks-wasm-{own_tool.name}"
    assert context in config.read_text()
    machines = f"MC_{own_tool.name}_{own_tool.name}_westeurope"
    assert (own_tool.group(), own_tool.group(name=machines)) == (200, 200)
    document = own_tool.document("down", "--yes")
    assert document["left"] == []
    assert document["cluster"]["state"] == "absent"
    assert (own_tool.group(), own_tool.group(name=machines)) == (404, 404)
    assert context not in str(yaml.safe_load(config.read_text()))
    assert not (own_tool.emulator.home / "kubeconfigs" / f"{own_tool.name}.yaml").exists()


def test_another_machine_deletes_by_the_marks_alone(own_tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    own_tool.up(*BARE)
    own_tool.sign_in(monkeypatch)
    own_tool.environment["AKS_WASM_HOME"] = str(own_tool.folder / "other-home")
    assert own_tool.document("status")["cluster"]["owner"] == own_tool.name
    assert own_tool.document("down", "--yes")["left"] == []
    assert own_tool.group() == 404


def test_a_half_made_cluster_is_deleted_as_well(own_tool: Tool) -> None:
    own_tool.fault("failed", code="InternalOperationError", message="oops")
    own_tool.up(*BARE, code=1)
    assert own_tool.document("down", "--yes")["left"] == []
    own_tool.fault("failed", path="/agentPools/wasm", after=1, code="InternalOperationError", message="oops")
    own_tool.up(*fields_of("workloads=[]", "shims=[]"), code=1)
    assert own_tool.document("down", "--yes")["left"] == []
    assert own_tool.group() == 404
