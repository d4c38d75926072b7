"""JSON, merge and strategic merge patches."""

from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.emulator.cluster.patch_json import PatchRejected, json_patched, merge_patched
from aks_wasm.emulator.cluster.patch_strategic import strategic_patched
from aks_wasm.emulator.cluster.schemas import built_in

from .conftest import Api, config_map, deployment

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/a/b", "value": 1}], {"a": {"b": 1}, "l": [1, 2]}),
        ([{"op": "add", "path": "/l/1", "value": 9}], {"a": {}, "l": [1, 9, 2]}),
        ([{"op": "add", "path": "/l/-", "value": 9}], {"a": {}, "l": [1, 2, 9]}),
        ([{"op": "remove", "path": "/l/0"}], {"a": {}, "l": [2]}),
        ([{"op": "replace", "path": "/l/0", "value": 5}], {"a": {}, "l": [5, 2]}),
        ([{"op": "move", "from": "/l", "path": "/a/x~1y"}], {"a": {"x/y": [1, 2]}}),
        ([{"op": "copy", "from": "/l/0", "path": "/b"}], {"a": {}, "l": [1, 2], "b": 1}),
        ([{"op": "test", "path": "/l/0", "value": 1}, {"op": "remove", "path": "/a"}], {"l": [1, 2]}),
    ],
)
def test_json_patch(operations: list[dict], result: dict) -> None:
    assert json_patched({"a": {}, "l": [1, 2]}, operations) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/missing"},
        {"op": "replace", "path": "/l/7", "value": 1},
        {"op": "test", "path": "/l/0", "value": 2},
        {"op": "add", "path": "/missing/x", "value": 1},
        {"op": "dance", "path": "/l"},
        {"op": "add", "path": "l", "value": 1},
    ],
)
def test_a_json_patch_that_does_not_fit_changes_nothing(operation: dict) -> None:
    before = {"l": [1]}
    with pytest.raises(PatchRejected):
        json_patched(before, [{"op": "add", "path": "/a", "value": 1}, operation])
    assert before == {"l": [1]}


def test_merge_patch_replaces_lists_and_removes_nulls() -> None:
    assert merge_patched({"a": {"x": 1, "y": 2}, "l": [1]}, {"a": {"y": None}, "l": [2, 3]}) == {
        "a": {"x": 1}, "l": [2, 3],
    }  # fmt: skip


CONTAINERS = [
    {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}], "args": ["one"]},
    {"name": "b", "image": "b:1"},
]


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        ({"containers": [{"name": "a", "image": "a:2"}]}, [{**CONTAINERS[0], "image": "a:2"}, CONTAINERS[1]]),
        ({"containers": [{"name": "c", "image": "c:1"}]}, [*CONTAINERS, {"name": "c", "image": "c:1"}]),
        ({"containers": [{"$patch": "delete", "name": "a"}]}, [CONTAINERS[1]]),
        ({"containers": [{"$patch": "replace"}, {"name": "z"}]}, [{"name": "z"}]),
        (
            {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "b"}]},
            [CONTAINERS[1], CONTAINERS[0]],
        ),
        (
            {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}], "args": ["two"]}]},
            [
                {**CONTAINERS[0], "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}], "args": ["two"]},
                CONTAINERS[1],
            ],
        ),
        ({"containers": [{"name": "a", "env": None}]}, [
            {key: value for key, value in CONTAINERS[0].items() if key != "env"}, CONTAINERS[1],
        ]),
        ({"containers": None}, None),
    ],
    ids=["change", "add", "delete", "replace", "order", "nested", "null", "all gone"],
)  # fmt: skip
def test_strategic_merge_by_name(patch: dict, result: Any) -> None:
    assert strategic_patched(built_in("v1.PodSpec"), {"containers": CONTAINERS}, patch).get("containers") == result


def test_strategic_merge_of_plain_lists_and_kept_keys() -> None:
    meta = strategic_patched(built_in("v1.ObjectMeta"), {"finalizers": ["a"]}, {"finalizers": ["b"]})
    assert meta == {"finalizers": ["a", "b"]}
    gone = strategic_patched(
        built_in("v1.ObjectMeta"), {"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a"]}
    )
    assert gone == {"finalizers": ["b"]}
    strategy = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    recreate = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert strategic_patched(built_in("v1.DeploymentSpec"), strategy, recreate) == {"strategy": {"type": "Recreate"}}
    replaced = strategic_patched(built_in("v1.DeploymentSpec"), strategy, {"strategy": {"$patch": "replace"}})
    assert replaced == {"strategy": {}}


def test_a_strategic_patch_without_the_merge_key_is_refused(api: Api) -> None:
    where = "/apis/apps/v1/namespaces/default/deployments"
    api.post(where, deployment())
    patch = {"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}
    told = api.patch(f"{where}/web", patch, "application/strategic-merge-patch+json")
    assert told["message"] == "map: map[image:x] does not contain declared merge key: name"


def test_a_patch_is_checked_like_an_update(api: Api) -> None:
    api.post(MAPS, config_map())
    path = f"{MAPS}/settings"
    told = api.patch(path, [{"op": "remove", "path": "/data/zzz"}], "application/json-patch+json")
    assert told["message"] == "the server rejected our request due to an error in our request"
    assert api.patch(path, {"metadata": {"resourceVersion": "1"}})["reason"] == "Conflict"
    assert api.patch(path, {"metadata": {"name": "other"}})["code"] == 400
    strict = api.request(
        "PATCH", path, {"dta": {}}, "application/merge-patch+json", params={"fieldValidation": "Strict"}
    )
    assert 'unknown field "dta"' in strict.json()["message"]
    before = api.get(path)
    assert api.patch(path, {"data": {"a": "1"}}) == before
    assert api.patch(f"{MAPS}/missing", {})["reason"] == "NotFound"
    assert api.patch(path, {}, "application/xml")["code"] == 415


def test_a_json_test_for_null_passes_where_the_member_is_not_there(api: Api) -> None:
    api.post("/api/v1/namespaces/default/configmaps", config_map(a="1"))
    where = "/api/v1/namespaces/default/configmaps/settings"
    media = "application/json-patch+json"
    taken = [{"op": "test", "path": "/data/holder", "value": None}, {"op": "add", "path": "/data/holder", "value": "x"}]
    assert api.patch(where, taken, media)["data"]["holder"] == "x"
    assert api.patch(where, taken, media)["code"] == 422
    assert api.patch(where, [{"op": "test", "path": "/none/holder", "value": None}], media)["code"] == 422
