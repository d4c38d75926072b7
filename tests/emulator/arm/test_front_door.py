"""Before any rule of its own, a request meets the front door: token, version, path, subscription, right."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from aks_wasm.emulator.identity import AKS_SERVER_APPLICATION, OWNER
from tests.emulator.arm.azure import READER, Azure, Place, cluster_body

GROUPS = "/subscriptions/{}/resourcegroups"


def error(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    return found


def test_the_api_version_is_required(azure: Azure) -> None:
    answer = azure.call("GET", GROUPS.format(azure.subscription), version=None)
    assert answer.status_code == 400
    assert error(answer)["code"] == "MissingApiVersionParameter"
    assert error(answer)["message"] == "The api-version query parameter (?api-version=) is required for all requests."


def test_an_unknown_version_of_resource_manager_names_the_supported_ones(azure: Azure) -> None:
    answer = azure.call("GET", GROUPS.format(azure.subscription), version="1999-01-01")
    assert answer.status_code == 400
    assert error(answer)["code"] == "InvalidApiVersionParameter"
    assert "The supported versions are '2025-04-01," in error(answer)["message"]


def test_an_unknown_version_of_aks_is_an_unknown_resource_type(place: Place) -> None:
    answer = place.call("GET", place.cluster(), version="1999-01-01")
    assert answer.status_code == 404
    assert error(answer)["code"] == "InvalidResourceType"
    assert error(answer)["message"].startswith(
        "The resource type 'managedClusters' could not be found in the namespace 'Microsoft.ContainerService' "
        "for api version '1999-01-01'. The supported api-versions are '"
    )


@pytest.mark.parametrize("version", ["1999-01-01", "2026-08-01"])
def test_a_put_into_an_unknown_version_or_location_has_no_provider(place: Place, version: str) -> None:
    body = {**cluster_body(), "location": "atlantis"}
    answer = place.call("PUT", place.cluster(), body, version=version)
    assert answer.status_code == 400
    assert error(answer)["code"] == "NoRegisteredProviderFound"
    assert error(answer)["message"].startswith(
        f"No registered resource provider found for location 'atlantis' and API version '{version}' "
        "for type 'managedClusters'. The supported api-versions are '"
    )


@pytest.mark.parametrize("version", ["2026-08-01", "2026-06-01", "2025-10-01", "2024-02-01", "2026-06-02-preview"])
def test_the_versions_of_sdk_and_az_and_their_neighbours_are_known(place: Place, version: str) -> None:
    assert error(place.call("GET", place.cluster(), version=version))["code"] == "ResourceNotFound"


def test_an_unknown_path_is_named_and_said_to_be_not_emulated(azure: Azure) -> None:
    answer = azure.call("GET", "/subscriptions/x/providers/Microsoft.Web/sites")
    assert answer.status_code == 404
    message = error(answer)["message"]
    assert "GET /subscriptions/x/providers/Microsoft.Web/sites" in message
    assert "not emulated yet" in message


def test_paths_and_names_are_compared_without_case(place: Place) -> None:
    place.make_cluster("Mixed")
    path = place.cluster("mIXED").upper().replace("API-VERSION", "api-version")
    answer = place.call("GET", path, version="2026-08-01")
    assert answer.status_code == 200
    assert answer.json()["name"] == "Mixed"


def test_another_subscription_is_not_found(azure: Azure) -> None:
    other = str(uuid.uuid4())
    answer = azure.call("GET", GROUPS.format(other))
    assert (answer.status_code, error(answer)["code"]) == (404, "SubscriptionNotFound")
    assert error(answer)["message"] == f"The subscription '{other}' could not be found."
    answer = azure.call("GET", GROUPS.format("x"))
    assert (answer.status_code, error(answer)["code"]) == (400, "InvalidSubscriptionId")


def test_a_body_that_is_no_json_object_is_refused(place: Place) -> None:
    answer = place.azure.http.put(
        f"{place.azure.url}{place.path}?api-version=2025-04-01",
        data="{",
        headers={"Authorization": f"Bearer {place.azure.token()}"},
        timeout=20,
    )
    assert (answer.status_code, error(answer)["code"]) == (400, "InvalidRequestContent")
    assert error(place.call("PUT", place.path, [1]))["code"] == "InvalidRequestContent"


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "AuthenticationFailed"),
        ("Basic abc", "AuthenticationFailedInvalidHeader"),
        ("Bearer abc", "InvalidAuthenticationToken"),
        ("Bearer e30.e30.e30", "InvalidAuthenticationToken"),
    ],
)
def test_no_token_or_a_malformed_one_is_401(azure: Azure, authorization: str | None, code: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = azure.http.get(f"{azure.url}/subscriptions?api-version=2022-12-01", headers=headers, timeout=20)
    assert (answer.status_code, error(answer)["code"]) == (401, code)
    assert answer.headers["www-authenticate"].startswith(f'Bearer authorization_uri="{azure.url}/{azure.tenant}"')


def with_token(azure: Azure, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return azure.http.get(f"{azure.url}/subscriptions?api-version=2022-12-01", headers=headers, timeout=20)


def test_an_expired_token_is_told_its_expiry(azure: Azure) -> None:
    tokens = azure.server.context.tokens
    answer = with_token(azure, tokens.issue(OWNER, azure.url, lifetime=-11))
    assert (answer.status_code, error(answer)["code"]) == (401, "ExpiredAuthenticationToken")
    assert error(answer)["message"].startswith("The access token expiry UTC time '")
    assert "' is earlier than current UTC time '" in error(answer)["message"]
    assert "www-authenticate" in answer.headers


def test_a_token_for_another_audience_is_refused(azure: Azure) -> None:
    answer = with_token(azure, azure.token(scope="https://graph.microsoft.com/.default"))
    assert (answer.status_code, error(answer)["code"]) == (401, "InvalidAuthenticationTokenAudience")
    assert "wrong audience or resource 'https://graph.microsoft.com'" in error(answer)["message"]


def test_a_token_with_a_changed_claim_is_refused(azure: Azure) -> None:
    header, _, signature = azure.token().split(".")
    other = azure.token(READER).split(".")[1]
    assert error(with_token(azure, f"{header}.{other}.{signature}"))["code"] == "InvalidAuthenticationToken"


def test_an_aks_token_speaks_for_its_user_at_the_clusters_and_nowhere_else(azure: Azure) -> None:
    tokens = azure.server.context.tokens
    token = azure.token(scope=f"{AKS_SERVER_APPLICATION}/.default")
    assert tokens.user_of(token) == [OWNER.object_id, "system:masters"]
    assert tokens.user_of(azure.token()) is None
    assert tokens.user_of("nonsense") is None
    assert tokens.user_of(azure.token(READER, f"{AKS_SERVER_APPLICATION}/.default")) == [READER.object_id]


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("PUT", "", "Microsoft.Resources/subscriptions/resourceGroups/write"),
        ("DELETE", "", "Microsoft.Resources/subscriptions/resourceGroups/delete"),
        ("PUT", "/c", "Microsoft.ContainerService/managedClusters/write"),
        ("PUT", "/c/agentPools/p", "Microsoft.ContainerService/managedClusters/agentPools/write"),
    ],
)
def test_a_reader_may_not_write(place: Place, method: str, path: str, action: str) -> None:
    scope = f"{place.path}/providers/Microsoft.ContainerService/managedClusters{path}" if path else place.path
    answer = place.call(method, scope, {"location": "westeurope"}, principal=READER)
    assert (answer.status_code, error(answer)["code"]) == (403, "AuthorizationFailed")
    assert error(answer)["message"] == (
        f"The client '{READER.client_id}' with object id '{READER.object_id}' does not have authorization to perform "
        f"action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please "
        "refresh your credentials."
    )


def test_a_reader_may_read_but_not_ask_for_credentials(place: Place) -> None:
    place.make_cluster()
    assert place.call("GET", place.cluster(), principal=READER).status_code == 200
    answer = place.call("POST", f"{place.cluster()}/listClusterUserCredential", principal=READER)
    assert answer.status_code == 403
    assert f"over scope '{place.cluster()}'" in error(answer)["message"]


def test_every_answer_has_the_recorded_headers(place: Place) -> None:
    headers = place.call("GET", place.path).headers
    assert headers["cache-control"] == "no-cache"
    assert headers["pragma"] == "no-cache"
    assert headers["expires"] == "-1"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-cache"] == "CONFIG_NOCACHE"
    assert int(headers["x-ms-ratelimit-remaining-subscription-global-reads"]) > 0
    assert headers["x-ms-request-id"] == headers["x-ms-correlation-request-id"]
    writes = place.call("PUT", place.path, {"location": "westeurope"}).headers
    assert "x-ms-ratelimit-remaining-subscription-writes" in writes
    assert "x-ms-failure-cause" not in writes


def test_lists_come_in_pages_that_lead_to_the_next(place: Place) -> None:
    locks = f"{place.path}/providers/Microsoft.Authorization/locks"
    for number in range(6):
        body = {"properties": {"level": "CanNotDelete"}}
        assert place.call("PUT", f"{locks}/lock{number}", body, version="2020-05-01").status_code == 201
    first = place.call("GET", locks, version="2020-05-01").json()
    assert len(first["value"]) == 5
    assert "api-version=2020-05-01" in first["nextLink"]
    assert "%24skiptoken=" in first["nextLink"]
    rest = place.call("GET", first["nextLink"]).json()
    assert [lock["name"] for lock in rest["value"]] == ["lock5"]
    assert "nextLink" not in rest
    bad = place.call("GET", locks, version="2020-05-01", params={"$skiptoken": "!"})
    assert (bad.status_code, error(bad)["code"]) == (400, "InvalidSkipToken")
    for number in range(6):
        place.call("DELETE", f"{locks}/lock{number}", version="2020-05-01")


def test_subscriptions_tenants_and_locations_are_listed(azure: Azure) -> None:
    version = "2022-12-01"
    subscriptions = azure.call("GET", "/subscriptions", version=version).json()["value"]
    assert [one["subscriptionId"] for one in subscriptions] == [azure.subscription]
    one = azure.call("GET", f"/subscriptions/{azure.subscription}", version=version).json()
    assert (one["state"], one["tenantId"]) == ("Enabled", azure.tenant)
    tenants = azure.call("GET", "/tenants", version=version).json()["value"]
    assert [tenant["tenantId"] for tenant in tenants] == [azure.tenant]
    places = azure.call("GET", f"/subscriptions/{azure.subscription}/locations", version=version).json()["value"]
    assert {"westeurope": "West Europe"}.items() <= {one["name"]: one["displayName"] for one in places}.items()
