"""Signing in: metadata, the authority's configuration, and the token endpoint with Entra's own errors."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential

from tests.emulator.arm.azure import ASSERTION_TYPE, OWNER, Azure, assertion


def get(azure: Azure, path: str) -> Any:
    answer = azure.http.get(f"{azure.url}{path}", timeout=20)
    assert answer.status_code == 200
    return answer.json()


def test_the_clouds_metadata_lead_back_to_the_emulator(azure: Azure) -> None:
    cloud = get(azure, "/metadata/endpoints?api-version=2022-09-01")
    assert cloud["resourceManager"] == f"{azure.url}/"
    assert cloud["authentication"]["loginEndpoint"] == f"{azure.url}/"
    assert cloud["authentication"]["identityProvider"] == "AAD"
    assert f"{azure.url}/" in cloud["authentication"]["audiences"]
    needed = ["name", "graphAudience", "gallery", "batch", "sqlManagement", "vmImageAliasDoc", "portal", "suffixes"]
    assert all(cloud[name] for name in needed)
    assert isinstance(get(azure, "/metadata/endpoints?api-version=2019-05-01"), list)


def test_the_authority_names_its_endpoints(azure: Azure) -> None:
    found = get(azure, f"/{azure.tenant}/v2.0/.well-known/openid-configuration")
    assert found["issuer"] == f"{azure.url}/{azure.tenant}/v2.0"
    assert found["token_endpoint"] == f"{azure.url}/{azure.tenant}/oauth2/v2.0/token"
    assert get(azure, found["jwks_uri"].removeprefix(azure.url))["keys"][0]["crv"] == "P-256"
    assert "{tenantid}" in get(azure, "/common/v2.0/.well-known/openid-configuration")["issuer"]
    adfs = get(azure, "/adfs/.well-known/openid-configuration")
    assert adfs["token_endpoint"] == f"{azure.url}/adfs/oauth2/token"
    discovery = get(azure, "/common/discovery/instance?api-version=1.1&authorization_endpoint=x")
    assert discovery["metadata"][0]["aliases"] == [azure.url.removeprefix("https://")]


def test_adfs_and_v1_endpoints_give_tokens_too(azure: Azure) -> None:
    form = {"grant_type": "client_credentials", "client_id": OWNER.client_id, "client_secret": azure.secret}
    for path in ("adfs/oauth2/token", f"{azure.tenant}/oauth2/token"):
        answer = azure.http.post(f"{azure.url}/{path}", data={**form, "resource": f"{azure.url}/"}, timeout=20)
        assert answer.json()["expires_in"] == 3599
    basic = azure.http.post(
        f"{azure.url}/{azure.tenant}/oauth2/v2.0/token",
        data={"grant_type": "client_credentials", "scope": f"{azure.url}/.default"},
        auth=(OWNER.client_id, azure.secret),
        timeout=20,
    )
    assert basic.json()["token_type"] == "Bearer"


def test_a_wrong_secret_is_entras_own_error(azure: Azure) -> None:
    with azure.sign_in("wrong") as credential, pytest.raises(ClientAuthenticationError) as refused:
        credential.get_token(f"{azure.url}/.default")
    assert "AADSTS7000215: Invalid client secret provided." in str(refused.value)
    answer = azure.sign_in_raw(OWNER, f"{azure.url}/.default", client_secret="wrong")
    assert answer.status_code == 401
    body = answer.json()
    assert (body["error"], body["error_codes"]) == ("invalid_client", [7000215])
    assert {"timestamp", "trace_id", "correlation_id", "error_uri"} <= body.keys()


def test_a_fresh_assertion_signs_in_and_an_old_one_does_not(azure: Azure) -> None:
    def credential(lifetime: int) -> ClientAssertionCredential:
        return ClientAssertionCredential(
            azure.tenant,
            OWNER.client_id,
            lambda: assertion(lifetime=lifetime),
            authority=azure.url,
            disable_instance_discovery=True,
            connection_verify=azure.ca,
        )

    with credential(300) as fresh:
        assert fresh.get_token(f"{azure.url}/.default").token
    with credential(-1) as old, pytest.raises(ClientAuthenticationError, match="AADSTS700024"):
        old.get_token(f"{azure.url}/.default")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"grant_type": "password"}, 400, 70003),
        ({"client_id": "nobody"}, 400, 700016),
        ({"other": "x"}, 401, 7000216),
        ({"client_assertion": "x", "client_assertion_type": ASSERTION_TYPE}, 400, 50027),
        ({"client_assertion": "x", "client_assertion_type": "saml"}, 400, 50027),
    ],
)
def test_what_the_token_endpoint_refuses(azure: Azure, fields: dict[str, str], status: int, code: int) -> None:
    answer = azure.sign_in_raw(OWNER, f"{azure.url}/.default", **fields)
    assert (answer.status_code, answer.json()["error_codes"]) == (status, [code])


@pytest.mark.parametrize(("scope", "code"), [("https://unknown.example/.default", 500011), ("", 900144)])
def test_an_unknown_resource_gets_no_token(azure: Azure, scope: str, code: int) -> None:
    answer = azure.sign_in_raw(OWNER, scope, client_secret=azure.secret)
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [code])


def test_an_unknown_tenant_is_refused(azure: Azure) -> None:
    form = {"grant_type": "client_credentials", "client_id": OWNER.client_id, "client_secret": azure.secret}
    answer = azure.http.post(f"{azure.url}/other.example/oauth2/v2.0/token", data=form, timeout=20)
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [90002])
