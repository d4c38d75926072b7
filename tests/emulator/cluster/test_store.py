"""The store as controllers and node agents use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aks_wasm.emulator.cluster.store import AlreadyExists, Conflict, NotFound, Rejected, Store
from aks_wasm.emulator.state import Documents

from .conftest import config_map, deployment, pod


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[Documents]:
    made = Documents(tmp_path / "state.db")
    yield made
    made.close()


@pytest.fixture
def store(documents: Documents) -> Store:
    return Store(documents, "clusters/one")


def in_default(obj: dict) -> dict:
    obj["metadata"]["namespace"] = "default"
    return obj


def test_create_fills_what_the_server_keeps(store: Store) -> None:
    made = store.create("deployments.apps", in_default(deployment()))
    assert made["metadata"]["generation"] == 1
    assert made["metadata"]["uid"]
    assert made["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    with pytest.raises(AlreadyExists, match=r'deployments\.apps "web" already exists'):
        store.create("deployments.apps", in_default(deployment()))


def test_what_is_handed_out_is_a_copy(store: Store) -> None:
    store.create("configmaps", in_default(config_map()))
    store.get("configmaps", "settings", "default")["data"]["a"] = "changed"
    store.list("configmaps")[0]["data"]["a"] = "changed"
    assert store.get("configmaps", "settings", "default")["data"] == {"a": "1"}


def test_replace_refuses_an_older_version(store: Store) -> None:
    old = store.create("configmaps", in_default(config_map()))
    store.mutate("configmaps", "settings", "default", lambda obj: obj["data"].update(a="2"))
    old["data"]["a"] = "3"
    with pytest.raises(Conflict, match="the object has been modified; please apply your changes to the latest"):
        store.replace("configmaps", old)
    with pytest.raises(NotFound):
        store.replace("configmaps", in_default(config_map("missing")))


def test_generation_rises_with_the_spec_only(store: Store) -> None:
    store.create("deployments.apps", in_default(deployment()))
    change = store.mutate
    after = change("deployments.apps", "web", "default", lambda obj: obj.update(status={"replicas": 1}))
    assert after["metadata"]["generation"] == 1
    after = change("deployments.apps", "web", "default", lambda obj: obj["spec"].update(replicas=3))
    assert after["metadata"]["generation"] == 2


def test_a_change_that_changes_nothing_is_no_write(store: Store) -> None:
    store.create("configmaps", in_default(config_map()))
    before = store.revision
    store.mutate("configmaps", "settings", "default", lambda obj: obj["data"].update(a="1"))
    assert store.revision == before
    assert store.mutate("configmaps", "missing", "default", lambda obj: None) is None


def test_finalizers_keep_an_object_until_the_last_one_goes(store: Store) -> None:
    held = in_default(config_map())
    held["metadata"]["finalizers"] = ["example.com/hold"]
    store.create("configmaps", held)
    assert "deletionTimestamp" in store.delete("configmaps", "settings", "default")["metadata"]
    assert store.get("configmaps", "settings", "default") is not None
    store.mutate("configmaps", "settings", "default", lambda obj: obj["metadata"].update(finalizers=[]))
    assert store.get("configmaps", "settings", "default") is None


def test_foreground_deletion_waits_for_the_garbage_collector(store: Store) -> None:
    store.create("deployments.apps", in_default(deployment()))
    gone = store.delete("deployments.apps", "web", "default", propagation="Foreground")
    assert gone["metadata"]["finalizers"] == ["foregroundDeletion"]
    store.finish_delete("deployments.apps", "web", "default")
    assert store.list("deployments.apps") == []


@pytest.mark.parametrize(
    ("spec", "status", "grace", "stays"),
    [
        ({}, {}, None, False),
        ({"nodeName": "n"}, {"phase": "Running"}, None, True),
        ({"nodeName": "n"}, {"phase": "Succeeded"}, None, False),
        ({"nodeName": "n"}, {"phase": "Running"}, 0, False),
    ],
    ids=["never scheduled", "running", "finished", "forced"],
)
def test_a_pod_stays_until_its_node_has_stopped_it(store: Store, spec, status, grace, stays) -> None:
    store.create("pods", in_default(pod(**spec)))
    store.mutate("pods", "one", "default", lambda obj: obj["status"].update(status))
    store.delete("pods", "one", "default", grace_seconds=grace)
    left = store.get("pods", "one", "default")
    assert (left is not None) == stays
    if left:
        assert left["metadata"]["deletionGracePeriodSeconds"] == 30


async def test_a_subscription_begins_with_what_is_there(store: Store) -> None:
    store.create("configmaps", in_default(config_map("first")))
    changes = store.subscribe("configmaps")
    store.create("configmaps", in_default(config_map("second")))
    store.create("secrets", in_default({"metadata": {"name": "unseen"}}))
    store.delete("configmaps", "first", "default")
    seen = [await anext(changes) for _ in range(3)]
    assert [(kind, obj["metadata"]["name"]) for _, kind, obj in seen] == [
        ("ADDED", "first"), ("ADDED", "second"), ("DELETED", "first"),
    ]  # fmt: skip
    changes.close()
    assert [change async for change in changes] == []


def test_the_same_event_again_is_counted(store: Store) -> None:
    made = store.create("pods", in_default(pod()))
    for _ in range(3):
        store.record_event(made, "Pulling", "Pulling image", component="kubelet")
    store.record_event(made, "Pulled", "Successfully pulled", component="kubelet")
    counts = {event["reason"]: event["count"] for event in store.list("events", "default")}
    assert counts == {"Pulling": 3, "Pulled": 1}
    assert [event["reason"] for event in store.list("events", "default")] == ["Pulling", "Pulled"]  # as they happened


def test_texts_that_differ_every_time_are_combined_as_clients_do(store: Store) -> None:
    made = store.create("pods", in_default(pod()))
    for number in range(30):
        store.record_event(made, "FailedCreatePodSandBox", f"sandbox {number}", type="Warning")
    told = store.list("events", "default")
    assert [event["message"] for event in told[:9]] == [f"sandbox {number}" for number in range(9)]
    assert [event["message"] for event in told[9:]] == ["(combined from similar events): sandbox 29"]
    assert told[-1]["count"] == 21


def test_events_are_kept_for_an_hour(store: Store) -> None:
    made = store.create("pods", in_default(pod()))
    store.record_event(made, "Pulling", "Pulling image")
    (event,) = store.list("events", "default")
    long_ago = "2026-01-01T00:00:00Z"
    store.mutate("events", event["metadata"]["name"], "default", lambda old: old.update(lastTimestamp=long_ago))
    store.record_event(made, "Pulled", "Successfully pulled")
    assert [event["reason"] for event in store.list("events", "default")] == ["Pulled"]


def test_everything_survives_a_restart_and_no_revision_comes_twice(store: Store, documents: Documents) -> None:
    store.create("configmaps", in_default(config_map()))
    secret = store.secret()
    again = Store(documents, "clusters/one")
    assert again.get("configmaps", "settings", "default") == store.get("configmaps", "settings", "default")
    assert again.revision >= store.revision
    assert again.secret() == secret
    assert Store(documents, "clusters/other").list("configmaps") == []


def test_pods_of_controllers_are_admitted_like_those_of_users(store: Store) -> None:
    with pytest.raises(Rejected, match='pods "one" is forbidden: pod rejected: RuntimeClass "spin" not found'):
        store.create("pods", in_default(pod(runtimeClassName="spin")))
