"""Server-side apply: owners of fields, conflicts, and what goes when its owner drops it."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Api, config_map, deployment

MAPS = "/api/v1/namespaces/default/configmaps"
WEB = "/apis/apps/v1/namespaces/default/deployments/web"
SETTINGS = f"{MAPS}/settings"


def owned(obj: dict, manager: str) -> Any:
    return next(entry["fieldsV1"] for entry in obj["metadata"]["managedFields"] if entry["manager"] == manager)


def test_an_apply_creates_and_owns_what_it_names(api: Api) -> None:
    made = api.apply(SETTINGS, config_map(a="1", b="2"), "ci")
    assert made["data"] == {"a": "1", "b": "2"}
    entry = made["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("ci", "Apply", "v1")
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}, "f:b": {}}}


def test_applying_the_same_again_writes_nothing(api: Api) -> None:
    first = api.apply(WEB, deployment(replicas=2), "ci")
    again = api.apply(WEB, deployment(replicas=2), "ci")
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert again == first


def test_what_an_owner_drops_goes(api: Api) -> None:
    api.apply(SETTINGS, config_map(a="1", b="2"), "ci")
    assert api.apply(SETTINGS, config_map(a="1"), "ci")["data"] == {"a": "1"}


def test_what_another_owns_as_well_stays(api: Api) -> None:
    api.apply(SETTINGS, config_map(a="1", b="2"), "ci")
    api.apply(SETTINGS, config_map(b="2"), "other")
    assert api.apply(SETTINGS, config_map(a="1"), "ci")["data"] == {"a": "1", "b": "2"}


def test_an_item_of_a_list_goes_by_its_key(api: Api) -> None:
    two = deployment()
    containers = two["spec"]["template"]["spec"]["containers"]
    containers.append({"name": "side", "image": "side:1", "env": [{"name": "A", "value": "1"}]})
    api.apply(WEB, two, "ci")
    extra = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    more = {"containers": [{"name": "main", "env": [{"name": "TRACE", "value": "1"}]}]}
    api.apply(WEB, {**extra, "spec": {"template": {"spec": more}}}, "tracer")
    after = api.apply(WEB, deployment(), "ci")["spec"]["template"]["spec"]["containers"]
    assert [(one["name"], one.get("env")) for one in after] == [("main", [{"name": "TRACE", "value": "1"}])]


def test_dropping_a_struct_takes_its_defaults_along(api: Api) -> None:
    probed = deployment()
    probed["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] = {"tcpSocket": {"port": 80}}
    made = api.apply(WEB, probed, "ci")
    assert made["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["periodSeconds"] == 10
    after = api.apply(WEB, deployment(), "ci")
    assert "livenessProbe" not in after["spec"]["template"]["spec"]["containers"][0]


def test_another_owners_field_is_a_conflict(api: Api) -> None:
    api.apply(WEB, deployment(replicas=1), "ci")
    refused = api.apply(WEB, deployment(replicas=2), "autoscaler")
    assert (refused["code"], refused["reason"]) == (409, "Conflict")
    assert refused["message"] == 'Apply failed with 1 conflict: conflict with "ci": .spec.replicas'
    assert refused["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "ci"', "field": ".spec.replicas"}
    ]
    same = api.apply(WEB, deployment(replicas=1), "autoscaler")
    assert same["spec"]["replicas"] == 1  # the same value is no conflict: both own it now


def test_several_conflicts_are_listed_by_owner(api: Api) -> None:
    api.post(MAPS, config_map(a="1", b="1"), params={"fieldManager": "hand"})
    refused = api.apply(SETTINGS, config_map(a="2", b="2"), "ci")
    assert refused["message"] == (
        'Apply failed with 2 conflicts: conflicts with "hand" using v1:\n- .data.a\n- .data.b'
    )


def test_force_takes_the_field_over(api: Api) -> None:
    api.apply(WEB, deployment(replicas=1), "ci")
    forced = api.apply(WEB, deployment(replicas=2), "autoscaler", "&force=true")
    assert forced["spec"]["replicas"] == 2
    assert "f:replicas" not in owned(forced, "ci")["f:spec"]
    after = api.apply(WEB, deployment(), "ci")
    assert after["spec"]["replicas"] == 2


def test_a_patch_makes_its_manager_the_owner(api: Api) -> None:
    api.apply(WEB, deployment(replicas=1), "ci")
    query = {"fieldManager": "hand"}
    api.request("PATCH", WEB, {"spec": {"replicas": 3}}, "application/merge-patch+json", params=query)
    refused = api.apply(WEB, deployment(replicas=1), "ci")
    assert refused["message"] == 'Apply failed with 1 conflict: conflict with "hand" using apps/v1: .spec.replicas'


def test_the_status_is_applied_at_its_own_path(api: Api) -> None:
    api.apply(WEB, {**deployment(), "status": {"replicas": 9}}, "ci")
    assert api.get(WEB)["status"] == {}
    status = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "status": {"replicas": 2}}
    after = api.apply(f"{WEB}/status", status, "controller")
    assert after["status"] == {"replicas": 2}
    assert [entry.get("subresource") for entry in after["metadata"]["managedFields"]] == [None, "status"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"spec": {"replica": 1}},
         "typed patch object (/web; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema"),
        ({"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}},
         "associative list with keys has an element that omits key field \"name\""),
        ({"metadata": {"name": "other"}}, "the name of the object (other) does not match the name on the URL (web)"),
        ({"kind": ""}, "invalid object type: kind not set"),
        ({"metadata": {"name": "web", "managedFields": [{}]}}, "metadata.managedFields must be nil"),
    ],
)  # fmt: skip
def test_a_configuration_that_is_none_is_refused(api: Api, change: dict, told: str) -> None:
    answer = api.apply(WEB, {**deployment(), **change}, "ci")
    assert answer["kind"] == "Status"
    assert told in answer["message"]


def test_an_apply_needs_a_manager(api: Api) -> None:
    answer = api.apply(SETTINGS, config_map(), "")
    assert "fieldManager: Required value: is required for apply patch" in answer["message"]


def test_an_invalid_result_is_refused_and_nothing_written(api: Api) -> None:
    assert api.apply(WEB, deployment(replicas=-1), "ci")["code"] == 422
    assert api.get(WEB)["code"] == 404
