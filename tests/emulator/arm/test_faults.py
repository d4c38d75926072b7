"""Scripted faults: what they match, how often, and what the real SDK makes of them."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from azure.core.exceptions import DecodeError, HttpResponseError, ServiceRequestError, ServiceResponseError

from aks_wasm.emulator.faults import Faults
from aks_wasm.emulator.state import Documents
from tests.emulator.arm.azure import Azure, Place, cluster_body, cluster_model, pool_body


def test_three_dialects_of_too_many_requests(place: Place) -> None:
    with place.azure.fault("throttled", place.group, seconds=0):
        first = place.call("GET", place.path)
    assert (first.status_code, first.headers["retry-after"], first.json()["code"]) == (429, "0", "Throttled")
    with place.azure.fault("too-many-requests", place.group):
        second = place.call("GET", place.path)
    assert "retry-after" not in second.headers
    assert second.json() == {
        "code": "TooManyRequests",
        "details": None,
        "message": "Too soon to create another managed cluster. Please retry after 291 seconds",
        "subcode": "CreateClusterThrottled",
    }
    with place.azure.fault("subscription-throttled", place.group, seconds=0):
        third = place.call("GET", place.path)
    assert third.json()["error"]["code"] == "SubscriptionRequestsThrottled"


def test_the_sdk_obeys_retry_after_and_comes_through(place: Place) -> None:
    with place.azure.fault("throttled", place.group, seconds=0, times=2):
        assert place.azure.resources.resource_groups.get(place.group).name == place.group


def test_a_fault_strikes_after_so_many_requests_and_so_often(place: Place) -> None:
    with place.azure.fault("error", place.group, method="GET", status=400, code="Oops", after=1, times=2):
        statuses = [place.call("GET", place.path).status_code for _ in range(4)]
        head = place.call("HEAD", place.path).status_code
    assert (statuses, head) == ([200, 400, 400, 200], 204)


def test_any_error_may_be_scripted_wrapped_or_flat(place: Place) -> None:
    with place.azure.fault("error", place.group, status=503, code="Down", message="m", wrapped=True, retryAfter=7):
        answer = place.call("GET", place.path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.json() == {"error": {"code": "Down", "message": "m"}}


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("quota", 400, "ErrCode_InsufficientVCPUQuota"),
        ("sku-not-available", 409, "SkuNotAvailable"),
        ("conflict", 409, "OperationNotAllowed"),
        ("token-expired", 401, "ExpiredAuthenticationToken"),
    ],
)
def test_a_refusal_has_the_services_words_and_no_effect(place: Place, name: str, status: int, code: str) -> None:
    with place.azure.fault(name, place.group):
        answer = place.call("PUT", place.cluster(), cluster_body())
    body = answer.json()
    assert (answer.status_code, body.get("error", body)["code"]) == (status, code)
    assert place.call("GET", place.cluster()).status_code == 404


def test_a_conflict_lasts_for_so_many_requests_and_names_the_pool(place: Place) -> None:
    with place.azure.fault("conflict", place.group, method="PUT", times=2, state="Upgrading", pool="np"):
        answers = [place.call("PUT", place.path, {"location": "westeurope"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [409, 409, 200]
    assert "(np - Upgrading)" in answers[0].json()["message"]


def test_a_token_expires_in_mid_poll(place: Place) -> None:
    aks = place.azure.aks
    with place.azure.fault("token-expired", "/operations/", times=1):
        poller = aks.managed_clusters.begin_create_or_update(place.group, "c", cluster_model())
        with pytest.raises(HttpResponseError) as expired:
            poller.result()
    assert expired.value.status_code == 401
    assert place.azure.aks.managed_clusters.get(place.group, "c").name == "c"


def test_a_proxy_answers_with_a_page(place: Place) -> None:
    with place.azure.fault("html", place.group, status=403):
        answer = place.call("GET", place.path)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")
    with place.azure.fault("html", "/operations/"):
        poller = place.azure.aks.managed_clusters.begin_create_or_update(place.group, "c", cluster_model())
        with pytest.raises(DecodeError):
            poller.result()


@pytest.mark.parametrize(("moment", "there"), [("before", False), ("after", True)])
def test_a_cut_connection_leaves_in_doubt_what_happened(place: Place, moment: str, there: bool) -> None:
    with (
        place.azure.fault("cut", place.cluster(), method="PUT", moment=moment),
        pytest.raises(requests.ConnectionError),
    ):
        place.call("PUT", place.cluster(), cluster_body())
    assert (place.call("GET", place.cluster()).status_code == 200) is there


def test_the_sdk_gives_up_on_a_line_that_is_always_cut(place: Place) -> None:
    with place.azure.fault("cut", place.group, times=None), pytest.raises((ServiceRequestError, ServiceResponseError)):
        place.azure.resources.resource_groups.get(place.group, retry_total=1)


def test_a_slow_answer_takes_longer(place: Place) -> None:
    with place.azure.fault("slow", place.group, seconds=0.2):
        begun = time.monotonic()
        assert place.call("GET", place.path).status_code == 200
    assert time.monotonic() - begun >= 0.2


def test_a_failure_that_turns_out_well(place: Place) -> None:
    with place.azure.fault("failed-then-succeeds", place.group, method="PUT", code="X", message="m"):
        ended = place.azure.ended(place.call("PUT", place.cluster(), cluster_body()))
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "X")
    while (shown := place.call("GET", place.cluster()).json())["properties"]["provisioningState"] != "Succeeded":
        pass
    assert "status" not in shown["properties"]


def test_success_may_carry_an_error(place: Place) -> None:
    with place.azure.fault("succeeded-with-error", place.group, method="PUT"):
        ended = place.azure.ended(place.call("PUT", place.cluster(), cluster_body()))
    assert (ended["status"], ended["error"]["code"]) == ("Succeeded", "NotLatestOperation")


def test_a_failed_pool_stays_behind_as_failed(place: Place) -> None:
    place.make_cluster()
    with place.azure.fault("failed", place.pool("p"), code="ZonalAllocationFailed", message="m", details=[]):
        ended = place.azure.ended(place.call("PUT", place.pool("p"), pool_body()))
    assert ended["error"] == {"code": "ZonalAllocationFailed", "message": "m", "details": []}
    shown = place.call("GET", place.pool("p")).json()["properties"]
    assert shown["provisioningState"] == "Failed"
    assert shown["status"]["provisioningError"]["code"] == "ZonalAllocationFailed"


@pytest.mark.parametrize("work", ["cluster", "pool", "group"])
def test_a_delete_may_fail_and_is_repeatable(place: Place, work: str) -> None:
    place.make_cluster()
    place.make_pool("p")
    path = {"cluster": place.cluster(), "pool": place.pool("p"), "group": place.path}[work]
    with place.azure.fault("failed", place.group, method="DELETE", code="Nope", message="m"):
        answer = place.call("DELETE", path)
        if work == "group":
            while answer.status_code == 202:
                answer = place.call("GET", answer.headers["location"])
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "Nope")
        else:
            assert place.azure.ended(answer)["status"] == "Failed"
            assert place.call("GET", answer.headers["location"]).status_code == 409
    assert place.call("GET", path).status_code == 200
    assert place.call("DELETE", path).status_code == 202


def test_the_script_outlives_a_restart(azure: Azure, tmp_path: Any) -> None:
    documents = Documents(tmp_path / "state.db")
    made = Faults(documents).add({"fault": "cut", "match": {"path": "x"}, "times": 2})
    documents.close()
    documents = Documents(tmp_path / "state.db")
    faults = Faults(documents)
    assert [fault.id for fault in faults.all()] == [made.id]
    assert faults.strike("GET", "/X") is not None
    assert faults.all()[0].times == 1
    assert (faults.remove(made.id), faults.remove(made.id)) == (True, False)
    faults.add({"fault": "slow"})
    faults.clear()
    assert faults.all() == []
    documents.close()


@pytest.mark.parametrize(
    "document",
    [
        *({}, {"fault": "earthquake"}, {"fault": "cut", "match": {"path": "("}}),
        *({"fault": "cut", "times": 0}, {"fault": "cut", "after": -1}),
    ],
)
def test_a_script_that_makes_no_sense_is_refused(azure: Azure, document: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        azure.server.do(lambda: azure.server.context.faults.add(document))
