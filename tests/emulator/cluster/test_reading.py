"""get, list and watch: selectors, pages, forms, and what is no longer remembered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client as k8s
from kubernetes import watch as k8s_watch

from aks_wasm.emulator.cluster import watching

from .conftest import Api, Cluster, config_map, deployment, pod

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


@pytest.fixture
def labelled(api: Api) -> Api:
    for name, labels in (("a", {"tier": "front"}), ("b", {"tier": "back", "old": "1"}), ("c", {})):
        made = config_map(name)
        made["metadata"]["labels"] = labels
        api.post(MAPS, made)
    return api


def names(answer: dict) -> list[str]:
    return [item["metadata"]["name"] for item in answer["items"]]


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("tier=front", ["a"]),
        ("tier==front", ["a"]),
        ("tier!=front", ["b", "c"]),
        ("tier in (front, back)", ["a", "b"]),
        ("tier notin (front)", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c"]),
        ("tier,!old", ["a"]),
        ("old>0", ["b"]),
        ("old<1", []),
    ],
)
def test_label_selectors(labelled: Api, selector: str, found: list[str]) -> None:
    assert names(labelled.get(MAPS, params={"labelSelector": selector})) == found


def test_a_selector_that_is_none_is_refused(api: Api) -> None:
    assert api.get(MAPS, params={"labelSelector": "a in b"})["code"] == 400
    told = api.get(MAPS, params={"fieldSelector": "spec.x=1"})
    assert told["message"] == "field label not supported: spec.x"


def test_field_selectors(api: Api, cluster: Cluster) -> None:
    for name, node in (("a", "n1"), ("b", "n2")):
        api.post(PODS, pod(name, nodeName=node))
    cluster.within(
        lambda store: store.mutate("pods", "a", "default", lambda obj: obj["status"].update(phase="Running"))
    )
    assert names(api.get(PODS, params={"fieldSelector": "spec.nodeName=n2"})) == ["b"]
    assert names(api.get(PODS, params={"fieldSelector": "status.phase!=Running"})) == ["b"]
    assert names(api.get(PODS, params={"fieldSelector": "metadata.name==a,status.phase=Running"})) == ["a"]


def test_a_list_comes_in_pages(labelled: Api) -> None:
    first = labelled.get(MAPS, params={"limit": 2})
    assert names(first) == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 1
    labelled.post(MAPS, config_map("d"))
    second = labelled.get(MAPS, params={"limit": 2, "continue": first["metadata"]["continue"]})
    assert names(second) == ["c", "d"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "continue" not in second["metadata"]
    assert labelled.get(MAPS, params={"continue": "nonsense"})["code"] == 400


def test_a_token_from_before_a_restart_has_expired(labelled: Api, cluster: Cluster) -> None:
    token = labelled.get(MAPS, params={"limit": 1})["metadata"]["continue"]
    cluster.restart()
    told = labelled.get(MAPS, params={"continue": token})
    assert (told["code"], told["reason"]) == (410, "Expired")


def test_the_python_client_reads_all_pages(labelled: Api, client: k8s.ApiClient) -> None:
    core = k8s.CoreV1Api(client)
    found = core.list_namespaced_config_map("default", limit=2)
    rest = core.list_namespaced_config_map("default", limit=2, _continue=found.metadata._continue)
    assert [one.metadata.name for one in [*found.items, *rest.items]] == ["a", "b", "c"]


def test_a_table_has_the_columns_of_kubectl(api: Api) -> None:
    api.post("/apis/apps/v1/namespaces/default/deployments", deployment(replicas=2))
    table = api.get("/apis/apps/v1/deployments", headers=TABLE)
    shown = [column["name"] for column in table["columnDefinitions"] if not column["priority"]]
    assert shown == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    assert table["rows"][0]["cells"][:4] == ["web", "0/2", 0, 0]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_metadata_alone_can_be_asked_for(labelled: Api) -> None:
    form = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    answer = labelled.get(MAPS, headers=form)
    assert answer["kind"] == "PartialObjectMetadataList"
    assert "data" not in answer["items"][0]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({"phase": "Running", "containerStatuses": [{"ready": True, "state": {"running": {}}}]}, "Running"),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}, "CrashLoopBackOff"),
        ({"containerStatuses": [{"state": {"terminated": {"reason": "Error", "exitCode": 1}}}]}, "Error"),
        ({"containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]}, "ExitCode:3"),
        ({"initContainerStatuses": [{"state": {"running": {}}}]}, "Init:0/0"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
    ],
)
def test_a_pod_is_summed_up_in_one_word(api: Api, cluster: Cluster, status: dict, word: str) -> None:
    api.post(PODS, pod())
    cluster.within(lambda store: store.mutate("pods", "one", "default", lambda obj: obj["status"].update(status)))
    assert api.get(PODS, headers=TABLE)["rows"][0]["cells"][2] == word


def watched(api: Api, path: str, **query: Any) -> Iterator[dict]:
    """The events of a watch that ends after a second, or sooner when enough were read."""
    answer = api.request("GET", path, params={"watch": "1", "timeoutSeconds": 1, **query}, stream=True)
    try:
        for line in answer.iter_lines():
            yield json.loads(line)
    finally:
        answer.close()


def told(events: list[dict]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


def test_a_watch_goes_on_from_a_resource_version(labelled: Api) -> None:
    start = labelled.get(MAPS)["metadata"]["resourceVersion"]
    labelled.patch(f"{MAPS}/a", {"data": {"x": "1"}})
    labelled.delete(f"{MAPS}/b")
    events = watched(labelled, MAPS, resourceVersion=start)
    assert told([next(events), next(events)]) == [("MODIFIED", "a"), ("DELETED", "b")]
    events.close()


def test_a_watch_with_a_selector_sees_objects_come_and_go(labelled: Api) -> None:
    start = labelled.get(MAPS)["metadata"]["resourceVersion"]
    labelled.patch(f"{MAPS}/a", {"metadata": {"labels": {"tier": "back"}}})
    labelled.patch(f"{MAPS}/c", {"metadata": {"labels": {"tier": "front"}}})
    events = watched(labelled, MAPS, resourceVersion=start, labelSelector="tier=front")
    assert told([next(events), next(events)]) == [("DELETED", "a"), ("ADDED", "c")]
    events.close()


def test_a_watch_can_begin_with_what_is_there_and_say_so(labelled: Api) -> None:
    events = watched(
        labelled, MAPS, sendInitialEvents="true", resourceVersionMatch="NotOlderThan", allowWatchBookmarks="true"
    )
    seen = [next(events) for _ in range(4)]
    assert told(seen[:3]) == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]
    assert seen[3]["type"] == "BOOKMARK"
    assert seen[3]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    events.close()


def test_a_quiet_watch_is_told_how_far_it_has_come(labelled: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "BOOKMARK_SECONDS", 0.2)
    events = watched(labelled, MAPS, allowWatchBookmarks="true", labelSelector="tier=none")
    labelled.patch(f"{MAPS}/a", {"data": {"x": "1"}})  # nothing to this client, but it moves on
    now = labelled.get(MAPS)["metadata"]["resourceVersion"]
    seen = next(event for event in events if event["object"]["metadata"]["resourceVersion"] == now)
    assert (seen["type"], seen["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
    events.close()


def test_a_watch_from_what_is_forgotten_is_told(api: Api) -> None:
    gone = api.get(MAPS, params={"watch": "1", "resourceVersion": "1"})
    assert (gone["code"], gone["reason"]) == (410, "Expired")
    assert gone["message"].startswith("too old resource version: 1 (")
    future = api.get(MAPS, params={"watch": "1", "resourceVersion": "99999"})
    assert future["message"].startswith("Too large resource version: 99999, current: ")


def test_a_watch_ends_when_its_time_is_over(api: Api) -> None:
    assert list(watched(api, "/api/v1/nodes")) == []


def test_the_python_client_watches(client: k8s.ApiClient, cluster: Cluster) -> None:
    core = k8s.CoreV1Api(client)
    core.create_namespaced_config_map("default", config_map())
    stream = k8s_watch.Watch()
    for event in stream.stream(core.list_namespaced_config_map, "default", timeout_seconds=5):
        if event["type"] == "ADDED":
            core.delete_namespaced_config_map("settings", "default")
        else:
            assert event["type"] == "DELETED"
            stream.stop()
    assert cluster.within(lambda store: store.list("configmaps")) == []
