"""Who is asking: a client certificate of the cluster's authority, a bearer token, or nobody."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from aks_wasm.emulator.cluster.context import ApiContext
from aks_wasm.emulator.cluster.statuses import Unauthorized


@dataclass(frozen=True)
class User:
    """Somebody known: the name and groups RBAC goes by."""

    name: str
    groups: tuple[str, ...]


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


def user_of(context: ApiContext, request: web.Request) -> User:
    """Return who sends the request; ANONYMOUS when it carries nothing to know them by.

    Raises:
        Unauthorized: It carries a token nobody knows.
    """
    from_certificate = _certificate_user(request)
    if from_certificate is not None:
        return from_certificate
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return ANONYMOUS
    user = token_user(context, token.strip())
    if user is None:
        raise Unauthorized
    return user


def token_user(context: ApiContext, token: str) -> User | None:
    """Return whose token it is, or None."""
    found = context.issuer.user_of(token) or context.tokens(token)
    return None if found is None else User(found[0], (*found[1:], "system:authenticated"))


def _certificate_user(request: web.Request) -> User | None:
    transport = request.transport
    certificate = transport.get_extra_info("peercert") if transport else None
    if not certificate:
        return None
    names = [(key, value) for part in certificate.get("subject", ()) for key, value in part]
    common = next((value for key, value in names if key == "commonName"), "")
    groups = tuple(value for key, value in names if key == "organizationName")
    return User(common, (*groups, "system:authenticated"))
