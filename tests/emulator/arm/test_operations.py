"""Long-running operations: URLs, status words, conflicts, preemption, and what a restart leaves of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.arm.azure import READER, Azure, Place, cluster_body, pool_body
from tests.emulator.arm.server import ArmServer

BUSY = (
    "Operation is not allowed: Another {} is in progress, please wait for it to finish before starting a new "
    "operation. See https://aka.ms/aks-pending-operation for more details"
)


@contextmanager
def at_pace(home: Path, pace: float) -> Iterator[Place]:
    server = ArmServer(home, pace=pace)
    server.start()
    azure = Azure(server)
    while azure.call("GET", f"/subscriptions/{azure.subscription}/providers/Microsoft.ContainerService",
                     version="2025-04-01").json()["registrationState"] != "Registered":  # fmt: skip
        pass
    place = Place(azure, "rg")
    place.call("PUT", place.path, {"location": "westeurope"})
    try:
        yield place
    finally:
        azure.close()
        server.stop()


def test_an_operation_url_is_long_and_good_only_as_it_was_given(place: Place) -> None:
    url = place.call("PUT", place.cluster(), cluster_body()).headers["azure-asyncoperation"]
    assert len(url) > 3000
    assert "?api-version=2025-03-01&t=" in url
    assert "&c=MIIH8" in url
    assert len(url.partition("&s=")[2].partition("&h=")[0]) == 342
    assert len(url.partition("&h=")[2]) == 43
    assert place.call("GET", url).status_code == 200
    for altered in (url[:-1] + ("A" if url[-1] != "A" else "B"), url.partition("&t=")[0], url + "&x=1"):
        answer = place.call("GET", altered)
        assert answer.status_code == 403
        assert "does not match the expected hash" in answer.json()["error"]["message"]
    other = place.call("GET", url, principal=READER)
    assert "Only the original caller" in other.json()["error"]["message"]


def test_a_poll_has_the_recorded_members_and_no_retry_after(place: Place) -> None:
    answer = place.call("PUT", place.cluster(), cluster_body())
    body = place.azure.ended(answer)
    poll = place.call("GET", answer.headers["azure-asyncoperation"])
    assert list(poll.json()) == ["name", "status", "startTime", "endTime"]
    assert body["name"] in answer.headers["azure-asyncoperation"]
    assert poll.headers["x-ms-operation-identifier"] == body["name"]
    assert "retry-after" not in poll.headers
    assert len(body["startTime"]) == len("2026-06-20T23:38:57.1918148Z")


def test_a_create_goes_through_the_recorded_statuses(tmp_path: Path) -> None:
    with at_pace(tmp_path, 0.004) as place:
        answer = place.call("PUT", place.cluster(), cluster_body())
        begun = time.monotonic()
        words: list[str] = []
        while not words or words[-1] not in {"Succeeded", "Failed"}:
            word = place.call("GET", answer.headers["azure-asyncoperation"]).json()["status"]
            words += [word] if not words or words[-1] != word else []
        assert words == ["InProgress", "ProvisioningControlPlane", "ReconcilingAddons", "Succeeded"]
        assert time.monotonic() - begun == pytest.approx(222 * 0.004, abs=0.5)


def test_a_running_operation_refuses_the_next_in_the_services_words(place: Place) -> None:
    with place.azure.fault("stuck", place.group, method="PUT"):
        place.call("PUT", place.cluster(), cluster_body())
    for path, body in ((place.cluster(), cluster_body()), (place.pool("p"), pool_body())):
        answer = place.call("PUT", path, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "OperationNotAllowed")
        assert answer.json()["message"] == BUSY.format("operation (Creating)")
        assert "retry-after" not in answer.headers
    credentials = place.call("POST", f"{place.cluster()}/listClusterUserCredential")
    assert credentials.status_code in {200, 409}


def test_a_running_pool_operation_is_named(place: Place) -> None:
    place.make_cluster()
    with place.azure.fault("stuck", place.group, method="PUT"):
        place.call("PUT", place.pool("wasm"), pool_body())
    answer = place.call("PUT", place.pool("other"), pool_body())
    assert answer.json()["message"] == BUSY.format("agentpool operation (wasm - Creating)")
    assert place.call("DELETE", place.pool("wasm")).status_code == 409
    for method in ("PUT", "PATCH"):
        answer = place.call(method, place.cluster(), cluster_body())
        assert answer.json()["message"] == BUSY.format("operation (wasm - Creating)")
    assert place.call("POST", f"{place.cluster()}/stop").status_code == 409
    assert place.call("GET", place.cluster()).json()["properties"]["agentPoolProfiles"][1]["name"] == "wasm"


def test_a_delete_preempts_what_is_going_on(place: Place) -> None:
    with place.azure.fault("stuck", place.group, method="PUT"):
        going = place.call("PUT", place.cluster(), cluster_body())
    with place.azure.fault("stuck", place.group, method="DELETE"):
        first = place.call("DELETE", place.cluster())
    again = place.call("DELETE", place.cluster())
    assert (first.status_code, again.status_code) == (202, 202)
    identifier = [
        place.call("GET", one.headers["azure-asyncoperation"]).headers["x-ms-operation-identifier"]
        for one in (first, again)
    ]
    assert identifier[0] == identifier[1]
    assert place.call("GET", first.headers["location"]).status_code == 202
    ended = place.azure.ended(going)
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "AKSOperationPreemptedByDelete")
    assert ended["error"]["message"] == "This operation has been preempted by Deleting operation."


def test_operations_go_on_after_a_restart(tmp_path: Path) -> None:
    with at_pace(tmp_path, 0.004) as place:
        answer = place.call("PUT", place.cluster(), cluster_body())
        place.azure.server.restart()
        assert place.call("GET", place.cluster()).json()["properties"]["provisioningState"] == "Creating"
        assert place.azure.ended(answer)["status"] == "Succeeded"
        shown = place.call("GET", place.cluster()).json()
        assert shown["properties"]["provisioningState"] == "Succeeded"
        assert [pool.name for one in place.azure.server.fleet.clusters.values() for pool in one.pools] == ["system"]


def test_registration_takes_its_time_and_outlives_a_restart(tmp_path: Path) -> None:
    server = ArmServer(tmp_path, age="2022", pace=0.005)
    server.start()
    azure = Azure(server)
    provider = f"/subscriptions/{azure.subscription}/providers/Microsoft.ContainerService"
    feature = provider.replace("/providers/", "/providers/Microsoft.Features/providers/")
    feature += "/features/WasmNodePoolPreview"

    def state() -> tuple[Any, Any]:
        registration = azure.call("GET", provider, version="2025-04-01").json()["registrationState"]
        return registration, azure.call("GET", feature, version="2021-07-01").json()["properties"]["state"]

    posted = azure.call("POST", f"{feature}/register", version="2021-07-01").json()
    assert posted["properties"]["state"] == "Registering"
    assert state() == ("Registering", "Registering")
    body = {"location": "westeurope"}
    azure.call("PUT", f"/subscriptions/{azure.subscription}/resourcegroups/rg", body)
    refused = azure.call("PUT", Place(azure, "rg").cluster(), cluster_body())
    assert refused.json()["error"]["code"] == "MissingSubscriptionRegistration"
    server.restart()
    assert azure.call("POST", f"{feature}/register", version="2021-07-01").status_code == 200
    while state() != ("Registered", "Registered"):
        pass
    azure.close()
    server.stop()


def test_what_breaks_behind_the_service_is_a_failed_operation(place: Place) -> None:
    place.azure.server.fleet.broken = True
    try:
        ended = place.azure.ended(place.call("PUT", place.cluster(), cluster_body()))
    finally:
        place.azure.server.fleet.broken = False
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "InternalOperationError")
    assert place.call("GET", place.cluster()).json()["properties"]["provisioningState"] == "Failed"
    again = place.call("PUT", place.cluster(), cluster_body())
    assert again.status_code == 200
    assert place.azure.ended(again)["status"] == "Succeeded"


def test_an_unknown_operation_is_not_found(place: Place) -> None:
    signer_path = (
        f"/subscriptions/{place.azure.subscription}/providers/Microsoft.ContainerService"
        "/locations/westeurope/operations/0b8f4c2e-0000-0000-0000-000000000000"
    )
    answer = place.call("GET", f"{place.azure.url}{signer_path}", version=None)
    assert answer.status_code == 403
