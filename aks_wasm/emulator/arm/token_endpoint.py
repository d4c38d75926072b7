"""The token endpoint: client credentials for the built-in applications, errors in Microsoft Entra's words."""

from __future__ import annotations

import base64
import binascii
import time
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from aks_wasm.emulator.arm.context import Arm
from aks_wasm.emulator.arm.names import now
from aks_wasm.emulator.identity import (
    AKS_SERVER_APPLICATION,
    TENANT_DOMAIN,
    TENANT_NAME,
    TOKEN_SECONDS,
    Principal,
    TokenRejected,
    parse_token,
)

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_OTHER_RESOURCES = (
    "https://graph.microsoft.com",
    "https://graph.windows.net",
    "https://vault.azure.net",
    "https://storage.azure.com",
    "https://containerregistry.azure.net",
)  # a token for these is given out, and Resource Manager refuses it


class TokenRefused(Exception):
    """An error of the token endpoint."""

    def __init__(self, number: int, error: str, text: str, *, status: int = 400) -> None:
        super().__init__(text)
        self.number = number
        self.error = error
        self.status = status

    def body(self, base_url: str) -> dict[str, Any]:
        """Return the JSON body as Entra writes it."""
        trace, correlation, when = str(uuid.uuid4()), str(uuid.uuid4()), f"{now():%Y-%m-%d %H:%M:%SZ}"
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.number}: {self} Trace ID: {trace} Correlation ID: {correlation} "
            f"Timestamp: {when}",
            "error_codes": [self.number],
            "timestamp": when,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"{base_url}/error?code={self.number}",
        }


def answer(arm: Arm, tenant: str, form: Mapping[str, str]) -> dict[str, Any]:
    """Return the token that a form asks for.

    Args:
        arm: The service.
        tenant: From the path: id, domain, or `adfs`.
        form: The request's fields.

    Raises:
        TokenRefused: With Entra's code.
    """
    tokens = arm.context.tokens
    if tenant.lower() not in {tokens.tenant_id, TENANT_DOMAIN, "adfs"}:
        text = (
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
            "correct cloud. Check with your subscription administrator, this may happen if there are no active "
            "subscriptions for the tenant."
        )
        raise TokenRefused(90002, "invalid_request", text)
    if form.get("grant_type") != "client_credentials":
        text = f"The app requested an unsupported grant type '{form.get('grant_type', '')}'."
        raise TokenRefused(70003, "unsupported_grant_type", text)
    principal = _principal(arm, form)
    audience = _audience(arm, form)
    issuer = f"{arm.base_url}/{tokens.tenant_id}/v2.0"
    return {
        "token_type": "Bearer",
        "expires_in": TOKEN_SECONDS,
        "ext_expires_in": TOKEN_SECONDS,
        "access_token": tokens.issue(principal, audience, issuer=issuer),
    }


def _principal(arm: Arm, form: Mapping[str, str]) -> Principal:
    client_id = form.get("client_id", "")
    principal = arm.context.tokens.principal(client_id)
    if principal is None:
        text = (
            f"Application with identifier '{client_id}' was not found in the directory '{TENANT_NAME}'. This can "
            "happen if the application has not been installed by the administrator of the tenant or consented to by "
            "any user in the tenant. You may have sent your authentication request to the wrong tenant."
        )
        raise TokenRefused(700016, "unauthorized_client", text)
    if "client_assertion" in form:
        _check_assertion(form)
    elif "client_secret" not in form:
        text = "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."
        raise TokenRefused(7000216, "invalid_client", text, status=401)
    elif not arm.context.tokens.knows_secret(principal, form["client_secret"]):
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{principal.client_id}'."
        )
        raise TokenRefused(7000215, "invalid_client", text, status=401)
    return principal


def _check_assertion(form: Mapping[str, str]) -> None:
    """Take the assertion of any issuer: this is where federation is rehearsed, not where it is proved."""
    if form.get("client_assertion_type") != _ASSERTION:
        raise TokenRefused(50027, "invalid_request", "JWT token is invalid or malformed.")
    try:
        claims = parse_token(form["client_assertion"])
    except TokenRejected as rejected:
        raise TokenRefused(50027, "invalid_request", "JWT token is invalid or malformed.") from rejected
    if claims["exp"] <= time.time() or claims.get("nbf", 0) > time.time() + 300:
        text = "Client assertion is not within its valid time range."
        raise TokenRefused(700024, "invalid_client", text, status=401)


def _audience(arm: Arm, form: Mapping[str, str]) -> str:
    scope = form.get("scope", "").split(" ")[0]
    resource = form.get("resource") or scope.removesuffix("/.default")
    known = (*arm.context.tokens.arm_audiences(arm.base_url), *_OTHER_RESOURCES, AKS_SERVER_APPLICATION)
    if not resource:
        text = "The request body must contain the following parameter: 'scope'."
        raise TokenRefused(900144, "invalid_request", text)
    if resource.rstrip("/") not in known:
        text = (
            f"The resource principal named {resource} was not found in the tenant named {TENANT_NAME}. This can happen "
            "if the application has not been installed by the administrator of the tenant or consented to by any user "
            "in the tenant. You might have sent your authentication request to the wrong tenant."
        )
        raise TokenRefused(500011, "invalid_resource", text)
    return resource


def _with_basic(request: web.Request, form: dict[str, str]) -> dict[str, str]:
    """Add the id and secret of an Authorization: Basic header, which the endpoint takes too."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form
    try:
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return form
    return {"client_id": name, "client_secret": secret, **form}


def routes(arm: Arm) -> list[web.RouteDef]:
    """Return the endpoint's routes: of the v2 and v1 endpoints and of the ADFS variant."""

    async def token(request: web.Request) -> web.Response:
        tenant = request.match_info["tenant"]
        form = {name: str(value) for name, value in (await request.post()).items()}
        headers = {"cache-control": "no-store, no-cache", "pragma": "no-cache"}
        try:
            body = answer(arm, tenant, _with_basic(request, form))
        except TokenRefused as refused:
            return web.json_response(refused.body(arm.base_url), status=refused.status, headers=headers)
        return web.json_response(body, headers=headers)

    return [web.post("/{tenant}/oauth2/v2.0/token", token), web.post("/{tenant}/oauth2/token", token)]
