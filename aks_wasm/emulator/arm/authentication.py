"""Who calls: bearer tokens judged as Resource Manager judges them."""

from __future__ import annotations

from datetime import UTC, datetime

from aks_wasm.emulator.arm.context import Arm
from aks_wasm.emulator.arm.errors import GatewayError
from aks_wasm.emulator.arm.names import now
from aks_wasm.emulator.arm.routing import Route
from aks_wasm.emulator.identity import Principal, TokenRejected


def caller_of(arm: Arm, authorization: str | None) -> Principal:
    """Return who calls.

    Raises:
        GatewayError: 401 for a token that is missing, malformed, expired or for another audience.
    """
    if not authorization:
        message = "Authentication failed. The 'Authorization' header is missing."
        raise _unauthorized(arm, "AuthenticationFailed", message)
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        message = "Authentication failed. The 'Authorization' header is provided in an invalid format."
        raise _unauthorized(arm, "AuthenticationFailedInvalidHeader", message)
    audiences = arm.context.tokens.arm_audiences(arm.base_url)
    try:
        return arm.context.tokens.authorize(token.strip(), audiences)
    except TokenRejected as rejected:
        if rejected.expired_at is not None:
            raise expired_token(rejected.expired_at) from rejected
        if rejected.audience:
            allowed = ",".join(f"'{audience}/','{audience}'" for audience in audiences)
            message = (
                f"The access token has been obtained for wrong audience or resource '{rejected.audience}'. "
                f"It should exactly match with one of the allowed audiences {allowed}."
            )
            raise _unauthorized(arm, "InvalidAuthenticationTokenAudience", message) from rejected
        raise _unauthorized(arm, "InvalidAuthenticationToken", "The access token is invalid.") from rejected


def expired_token(expired_at: float) -> GatewayError:
    """Return the 401 for a token that was good until the moment (seconds since 1970)."""
    expiry = datetime.fromtimestamp(expired_at, UTC)
    message = (
        f"The access token expiry UTC time '{_american(expiry)}' is earlier than current UTC time '{_american(now())}'."
    )
    challenge = 'Bearer error="invalid_token", error_description="The access token is expired."'
    return GatewayError(401, "ExpiredAuthenticationToken", message, headers={"www-authenticate": challenge})


def authorize(caller: Principal, route: Route, path: str) -> None:
    """Refuse a change to someone who may only read.

    Raises:
        GatewayError: 403 AuthorizationFailed.
    """
    if not route.action or caller.writes:
        return
    scope = path.rpartition("/")[0] if route.action.endswith("/action") else path
    message = (
        f"The client '{caller.client_id}' with object id '{caller.object_id}' does not have authorization to perform "
        f"action '{route.action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please "
        "refresh your credentials."
    )
    raise GatewayError(403, "AuthorizationFailed", message)


def _american(when: datetime) -> str:
    return f"{when.month}/{when.day}/{when.year} {when.hour % 12 or 12}:{when:%M:%S} {when:%p}"


def _unauthorized(arm: Arm, code: str, message: str) -> GatewayError:
    authority = f"{arm.base_url}/{arm.context.tokens.tenant_id}"
    challenge = (
        f'Bearer authorization_uri="{authority}", error="invalid_token", '
        "error_description=\"The authentication failed because of missing or invalid 'Authorization' header.\""
    )
    return GatewayError(401, code, message, headers={"www-authenticate": challenge})
