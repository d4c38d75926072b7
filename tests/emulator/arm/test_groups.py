"""Resource groups: names, locations, deletion with everything in it, locks and tags."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.arm.azure import RESOURCES_VERSION, Azure, Place, cluster_body
from tests.emulator.arm.conftest import running

LOCKS = "2020-05-01"


def code(answer: Any) -> str:
    return str(answer.json()["error"]["code"])


def test_a_group_is_made_shown_and_found_by_head(place: Place) -> None:
    shown = place.call("GET", place.path).json()
    assert shown == {
        "id": place.path,
        "name": place.group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": "westeurope",
        "tags": {},
        "properties": {"provisioningState": "Succeeded"},
    }
    assert place.call("HEAD", place.path).status_code == 204
    missing = place.call("HEAD", f"{place.path}x")
    assert (missing.status_code, missing.text) == (404, "")
    answer = place.call("GET", f"{place.path}x")
    assert (answer.status_code, code(answer)) == (404, "ResourceGroupNotFound")
    assert answer.json()["error"]["message"] == f"Resource group '{place.group}x' could not be found."
    assert answer.headers["x-ms-failure-cause"] == "gateway"


def test_a_second_put_answers_200_and_replaces_the_tags(place: Place) -> None:
    body = {"location": "West Europe", "tags": {"a": "1"}}
    answer = place.call("PUT", place.path, body)
    assert (answer.status_code, answer.json()["tags"]) == (200, {"a": "1"})
    answer = place.call("PUT", place.path, {"location": "westeurope"})
    assert answer.json()["tags"] == {}


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("a@b", {"location": "westeurope"}, "InvalidResourceGroup"),
        ("a.", {"location": "westeurope"}, "InvalidResourceGroup"),
        ("x" * 91, {"location": "westeurope"}, "InvalidResourceGroup"),
        ("ok", {"location": "atlantis"}, "LocationNotAvailableForResourceGroup"),
        ("ok", {}, "LocationRequired"),
    ],
)
def test_bad_names_and_locations_are_refused(azure: Azure, name: str, body: dict[str, str], expected: str) -> None:
    answer = azure.call("PUT", f"/subscriptions/{azure.subscription}/resourcegroups/{name}", body)
    assert (answer.status_code, code(answer)) == (400, expected)


def test_a_delete_is_202_with_a_location_to_poll_every_15_seconds(place: Place) -> None:
    place.make_cluster()
    answer = place.call("DELETE", place.path)
    assert (answer.status_code, answer.text) == (202, "")
    assert answer.headers["retry-after"] == "0"  # 15 at the real pace
    assert "azure-asyncoperation" not in answer.headers
    job = answer.headers["location"].partition("?")[0].rpartition("/")[2]
    decoded = json.loads(base64.urlsafe_b64decode(job + "=" * (-len(job) % 4)))
    assert decoded["jobId"].startswith("RESOURCEGROUPDELETIONJOB-RG:2D")
    assert decoded["jobLocation"] == "westeurope"
    while answer.status_code == 202:
        answer = place.call("GET", answer.headers["location"])
    assert (answer.status_code, answer.text) == (200, "")
    assert place.call("HEAD", place.path).status_code == 404
    assert place.call("DELETE", place.path).status_code == 404


def test_a_group_that_is_going_takes_nothing_in(tmp_path: Path) -> None:
    with running(tmp_path, "today") as azure:
        place = Place(azure, "rg")
        place.call("PUT", place.path, {"location": "westeurope"})
        place.make_cluster()
        _delete_for_ever(place)


def _delete_for_ever(place: Place) -> None:
    with place.azure.fault("stuck", place.group, method="DELETE"):
        first = place.call("DELETE", place.path)
    assert place.call("GET", place.path).json()["properties"]["provisioningState"] == "Deleting"
    assert place.call("GET", place.cluster()).json()["properties"]["provisioningState"] == "Deleting"
    assert place.call("GET", first.headers["location"]).status_code == 202
    assert place.call("DELETE", place.path).status_code == 202
    for path, body in ((place.path, {"location": "westeurope"}), (place.cluster("d"), {"location": "westeurope"})):
        answer = place.call("PUT", path, body)
        assert (answer.status_code, code(answer)) == (409, "ResourceGroupBeingDeleted")
        assert answer.json()["error"]["message"] == (
            f"The resource group '{place.group}' is in deprovisioning state and cannot perform this operation."
        )


def test_a_lock_holds_up_the_deletion_of_its_group(place: Place) -> None:
    lock = f"{place.path}/providers/Microsoft.Authorization/locks/keep"
    made = place.call("PUT", lock, {"properties": {"level": "CanNotDelete", "notes": "n"}}, version=LOCKS)
    assert made.status_code == 201
    assert made.json() == {
        "properties": {"level": "CanNotDelete", "notes": "n"},
        "id": lock,
        "type": "Microsoft.Authorization/locks",
        "name": "keep",
    }
    answer = place.call("DELETE", place.path)
    assert (answer.status_code, code(answer)) == (409, "ScopeLocked")
    assert answer.json()["error"]["message"] == (
        f"The scope '{place.path}' cannot perform delete operation because following scope(s) are locked: "
        f"'{place.path}'. Please remove the lock and try again."
    )
    assert place.call("PUT", place.path, {"location": "westeurope"}).status_code == 200
    assert place.call("GET", lock, version=LOCKS).json()["name"] == "keep"
    listed = place.call("GET", lock.rpartition("/")[0], version=LOCKS, params={"$filter": "atScope()"}).json()
    assert [one["name"] for one in listed["value"]] == ["keep"]
    assert place.call("PUT", lock, {"properties": {"level": "Maybe"}}, version=LOCKS).status_code == 400
    assert place.call("DELETE", lock, version=LOCKS).status_code == 200
    assert place.call("DELETE", lock, version=LOCKS).status_code == 204
    assert place.call("GET", lock, version=LOCKS).status_code == 404


def test_a_read_only_lock_on_the_group_holds_up_writes_below(place: Place) -> None:
    place.make_cluster()
    lock = f"{place.path}/providers/Microsoft.Authorization/locks/frozen"
    place.call("PUT", lock, {"properties": {"level": "ReadOnly"}}, version=LOCKS)
    for method, path in (
        ("PUT", place.path),
        ("PATCH", place.cluster()),
        ("PUT", place.pool("p")),
        ("DELETE", place.cluster()),
        ("POST", f"{place.cluster()}/listClusterAdminCredential"),
    ):
        answer = place.call(method, path, {"location": "westeurope"} if method == "PUT" else None)
        assert (answer.status_code, code(answer)) == (409, "ScopeLocked"), method
    assert place.call("GET", place.cluster()).status_code == 200
    place.call("DELETE", lock, version=LOCKS)


def test_a_lock_on_the_node_group_is_aks_own_refusal(place: Place) -> None:
    cluster = place.make_cluster()
    node_group = cluster["properties"]["nodeResourceGroup"]
    lock = f"/subscriptions/{place.azure.subscription}/resourceGroups/{node_group}"
    lock += "/providers/Microsoft.Authorization/locks/keep"
    place.call("PUT", lock, {"properties": {"level": "CanNotDelete"}}, version=LOCKS)
    answer = place.call("DELETE", place.cluster())
    assert (answer.status_code, answer.json()["code"]) == (409, "ResourceGroupLocked")
    assert answer.json()["message"].startswith(f"Resource group '{node_group}' under subscription: '")
    assert place.call("DELETE", place.path).status_code == 409
    place.call("DELETE", lock, version=LOCKS)


def test_tags_at_a_scope_are_merged_replaced_and_deleted(place: Place) -> None:
    place.make_cluster()
    for scope in (place.path, place.cluster()):
        tags = f"{scope}/providers/Microsoft.Resources/tags/default"
        body: dict[str, Any] = {"properties": {"tags": {"a": "1", "b": "2"}}}
        assert place.call("PUT", tags, body, version=RESOURCES_VERSION).json()["properties"]["tags"] == {
            "a": "1",
            "b": "2",
        }
        body = {"operation": "Merge", "properties": {"tags": {"b": "3"}}}
        place.call("PATCH", tags, body, version=RESOURCES_VERSION)
        assert place.call("GET", scope).json()["tags"] == {"a": "1", "b": "3"}
        body = {"operation": "Delete", "properties": {"tags": {"a": "1"}}}
        place.call("PATCH", tags, body, version=RESOURCES_VERSION)
        assert place.call("GET", tags, version=RESOURCES_VERSION).json()["properties"]["tags"] == {"b": "3"}
        bad = place.call("PATCH", tags, {"operation": "Eat"}, version=RESOURCES_VERSION)
        assert bad.status_code == 400
        assert place.call("DELETE", tags, version=RESOURCES_VERSION).status_code == 200
        assert place.call("GET", tags, version=RESOURCES_VERSION).json()["properties"]["tags"] == {}
    gone = f"{place.path}x/providers/Microsoft.Resources/tags/default"
    assert place.call("GET", gone).status_code == 404
    subscription = f"/subscriptions/{place.azure.subscription}/providers/Microsoft.Resources/tags/default"
    assert place.call("PUT", subscription, {"properties": {"tags": {"x": "y"}}}).status_code == 200
    assert place.call("GET", subscription).json()["properties"]["tags"] == {"x": "y"}
    place.call("DELETE", subscription)


def test_groups_and_resources_are_filtered(place: Place) -> None:
    place.call("PATCH", place.path, {"tags": {"aks-wasm-owner": place.group}})
    place.make_cluster()
    subscription = f"/subscriptions/{place.azure.subscription}"
    wanted = {"$filter": f"tagName eq 'aks-wasm-owner' and tagValue eq '{place.group}'"}
    groups = place.call("GET", f"{subscription}/resourcegroups", params=wanted).json()["value"]
    assert [group["name"] for group in groups] == [place.group]
    wanted = {"$filter": "resourceType eq 'Microsoft.ContainerService/managedClusters' and name eq 'c'"}
    found = place.call("GET", f"{subscription}/resources", params=wanted).json()["value"]
    assert place.cluster().lower() in [one["id"].lower() for one in found]
    wanted = {"$filter": f"resourceGroup eq '{place.group.upper()}'"}  # so asks `az resource list -g`
    found = place.call("GET", f"{subscription}/resources", params=wanted).json()["value"]
    assert [one["id"].lower() for one in found] == [place.cluster().lower()]
    bad = place.call("GET", f"{subscription}/resources", params={"$filter": "startswith(name,'x')"})
    assert (bad.status_code, code(bad)) == (400, "InvalidFilterInQueryString")


def test_a_cluster_whose_machines_were_deleted_behind_its_back_has_no_nodes(place: Place) -> None:
    cluster = place.make_cluster()
    node_group = place.path.replace(place.group, cluster["properties"]["nodeResourceGroup"])
    assert place.call("GET", node_group).json()["managedBy"] == cluster["id"]
    taken = place.call("PUT", place.cluster("d"), cluster_body(nodeResourceGroup=node_group.rpartition("/")[2]))
    assert (taken.status_code, taken.json()["code"]) == (409, "NodeResourceGroupAlreadyExists")
    answer = place.call("DELETE", node_group)
    while answer.status_code == 202:
        answer = place.call("GET", answer.headers["location"])
    assert [emulated.pools for emulated in place.azure.server.fleet.clusters.values()] == [()]
    assert place.call("GET", place.cluster()).status_code == 200
