"""The table of azure-aks-docs use-etags.md, line by line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.arm.azure import Place, cluster_body, pool_body

ABSENT = [
    ("PUT", {"if-match": ""}, 201),
    ("PUT", {"if-match": "*"}, 412),
    ("PUT", {"if-match": '"xyz"'}, 412),
    ("PUT", {"if-none-match": "*"}, 201),
    ("PUT", {"if-none-match": '"xyz"'}, 400),
    ("PUT", {"if-match": '"xyz"', "if-none-match": "*"}, 400),
    ("DELETE", {"if-match": '"xyz"'}, 204),
    ("DELETE", {"if-match": "*"}, 204),
]
PRESENT = [
    ("PUT", {"if-match": ""}, 200),
    ("PUT", {"if-match": "*"}, 200),
    ("PUT", {"if-match": '"{etag}"'}, 200),
    ("PUT", {"if-match": "{etag}"}, 200),
    ("PUT", {"if-match": '"xyz"'}, 412),
    ("PUT", {"if-none-match": "*"}, 412),
    ("PUT", {"if-none-match": '"xyz"'}, 400),
    ("PUT", {"if-match": "*", "if-none-match": "*"}, 400),
    ("DELETE", {"if-match": '"xyz"'}, 412),
    ("DELETE", {"if-match": '"{etag}"'}, 202),
    ("DELETE", {"if-match": "*"}, 202),
]


@pytest.mark.parametrize(("method", "headers", "status"), ABSENT)
def test_an_absent_cluster(place: Place, method: str, headers: dict[str, str], status: int) -> None:
    body = cluster_body() if method == "PUT" else None
    answer = place.call(method, place.cluster(), body, headers=headers)
    assert answer.status_code == status
    if status == 412:
        assert answer.json()["code"] == "PreConditionFailed"


@pytest.mark.parametrize(("method", "headers", "status"), [*PRESENT, ("PATCH", {"if-match": '"xyz"'}, 412)])
def test_a_present_cluster(place: Place, method: str, headers: dict[str, str], status: int) -> None:
    etag = place.make_cluster()["eTag"]
    bodies: dict[str, Any] = {"PUT": cluster_body(), "PATCH": {"tags": {}}}
    sent = {name: value.format(etag=etag) for name, value in headers.items()}
    assert place.call(method, place.cluster(), bodies.get(method), headers=sent).status_code == status


@pytest.mark.parametrize(("method", "headers", "status"), PRESENT)
def test_a_present_pool(place: Place, method: str, headers: dict[str, str], status: int) -> None:
    place.make_cluster()
    etag = place.make_pool("wasm")["properties"]["eTag"]
    sent = {name: value.format(etag=etag) for name, value in headers.items()}
    body = pool_body() if method == "PUT" else None
    assert place.call(method, place.pool("wasm"), body, headers=sent).status_code == status


def test_an_absent_cluster_cannot_be_patched(place: Place) -> None:
    answer = place.call("PATCH", place.cluster(), {"tags": {}}, headers={"if-match": "*"})
    assert answer.status_code == 404


def test_a_pools_change_leaves_the_clusters_etag(place: Place) -> None:
    before = place.make_cluster()
    place.make_pool("wasm")
    answer = place.call("PUT", place.pool("wasm"), pool_body(count=2))
    place.azure.ended(answer)
    after = place.call("GET", place.cluster()).json()
    assert after["eTag"] == before["eTag"]
    profiles = after["properties"]["agentPoolProfiles"]
    assert profiles[0]["eTag"] == before["properties"]["agentPoolProfiles"][0]["eTag"]
    assert profiles[1]["eTag"] == place.call("GET", place.pool("wasm")).json()["properties"]["eTag"]
