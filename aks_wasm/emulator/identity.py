"""Who is who: tenants, built-in applications and the tokens they get; what login.microsoftonline.com knows."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from aks_wasm.emulator.state import Documents

TENANT_ID = "7e4ab8f2-57f7-4c34-9c6f-0a1c7d1e2b01"
TENANT_DOMAIN = "emulator.onmicrosoft.com"
TENANT_NAME = "Emulator"
SUBSCRIPTION_ID = "5b0f5c3e-3a7c-4c1b-8a43-6d2f9a1be202"
AKS_SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"  # the same in every cloud (kubelogin's docs)
TOKEN_SECONDS = 3599  # what the token endpoint answers as expires_in

_COLLECTION = "identity"
_ARM_AUDIENCES = (
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://management.chinacloudapi.cn",
    "https://management.core.chinacloudapi.cn",
    "https://management.usgovcloudapi.net",
    "https://management.core.usgovcloudapi.net",
)


class TokenRejected(Exception):
    """A bearer token that is no good; the reason decides between ARM's 401 bodies."""

    def __init__(self, reason: str, *, expired_at: float | None = None, audience: str = "") -> None:
        super().__init__(reason)
        self.expired_at = expired_at
        self.audience = audience


@dataclass(frozen=True)
class Principal:
    """A service principal of the tenant.

    Attributes:
        name: `owner` or `reader`.
        client_id: The application's id, what one signs in with.
        object_id: The id that error texts and role assignments name.
        writes: Whether it may change anything.
        groups: What the clusters take it for.
    """

    name: str
    client_id: str
    object_id: str
    writes: bool
    groups: tuple[str, ...] = ()


OWNER = Principal(
    "owner",
    "c1d1a3f6-1f0b-4f4e-9f1c-2f5f3c1e0a01",
    "9a6f3d52-8f0e-4f6b-b0b5-6f2f0a7d1c01",
    writes=True,
    groups=("system:masters",),
)
READER = Principal(
    "reader",
    "c1d1a3f6-1f0b-4f4e-9f1c-2f5f3c1e0a02",
    "9a6f3d52-8f0e-4f6b-b0b5-6f2f0a7d1c02",
    writes=False,
)
PRINCIPALS = (OWNER, READER)


class TokenAuthority:
    """Issues and checks the tokens of the one tenant; its key and secrets live in the emulator's state."""

    def __init__(self, documents: Documents, *, subscription_id: str = SUBSCRIPTION_ID) -> None:
        """Load key and client secrets, or make them.

        Args:
            documents: Where they are kept.
            subscription_id: The one subscription of the tenant.
        """
        self.tenant_id = TENANT_ID
        self.subscription_id = subscription_id
        kept = documents.get(_COLLECTION, "authority")
        if kept is None:
            kept = _new_authority()
            documents.put(_COLLECTION, "authority", kept)
        key = load_pem_private_key(kept["key"].encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - nothing else is ever written there
        self._key = key
        self._secrets: dict[str, str] = kept["secrets"]

    def issue(self, principal: Principal, audience: str, *, issuer: str = "", lifetime: float = TOKEN_SECONDS) -> str:
        """Return a signed token of the principal.

        Args:
            principal: Whom it speaks for.
            audience: The resource it is good for.
            issuer: The authority's URL; defaults to the one of Microsoft's v1 tokens.
            lifetime: Seconds; negative ones make a token that has expired already.
        """
        now = int(time.time())
        claims = {
            "aud": audience,
            "iss": issuer or f"https://sts.windows.net/{self.tenant_id}/",
            "iat": now,
            "nbf": now,
            "exp": int(now + lifetime),
            "appid": principal.client_id,
            "idtyp": "app",
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": self.tenant_id,
            "ver": "1.0",
        }
        signed = f"{_segment({'typ': 'JWT', 'alg': 'ES256', 'kid': 'emulator'})}.{_segment(claims)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that this authority signed and that has not expired.

        Raises:
            TokenRejected: It is malformed, foreign or expired.
        """
        claims = parse_token(token)
        signed, _, signature = token.rpartition(".")
        raw = _decoded(signature)
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        try:
            self._key.public_key().verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            raise TokenRejected("the token has another signature") from error
        if claims["exp"] <= time.time():
            raise TokenRejected("the token has expired", expired_at=claims["exp"])
        return claims

    def authorize(self, token: str, audiences: Iterable[str]) -> Principal:
        """Return whose token this is, once it is good for one of the audiences.

        Raises:
            TokenRejected: It is not good; `audience` is set when only the audience is wrong.
        """
        claims = self.claims(token)
        audience = str(claims.get("aud", ""))
        if audience.rstrip("/") not in {known.rstrip("/") for known in audiences}:
            raise TokenRejected("the token is for another audience", audience=audience)
        for principal in PRINCIPALS:
            if principal.object_id == claims.get("oid"):
                return principal
        raise TokenRejected("the token speaks for nobody known")

    def user_of(self, bearer: str) -> list[str] | None:
        """Return [user, *groups] of a Microsoft Entra token for AKS clusters, or None."""
        try:
            principal = self.authorize(bearer, [AKS_SERVER_APPLICATION])
        except TokenRejected:
            return None
        return [principal.object_id, *principal.groups]

    def arm_audiences(self, base_url: str) -> list[str]:
        """Return the audiences that Resource Manager takes: its own URL and those of the real clouds."""
        return [base_url.rstrip("/"), *_ARM_AUDIENCES]

    def principal(self, client_id: str) -> Principal | None:
        """Return the application of that id, or None."""
        return next((known for known in PRINCIPALS if known.client_id == client_id.lower()), None)

    def secret_of(self, principal: Principal) -> str:
        """Return the principal's client secret."""
        return self._secrets[principal.name]

    def knows_secret(self, principal: Principal, secret: str) -> bool:
        """Tell whether this is the principal's client secret."""
        return hmac.compare_digest(self._secrets[principal.name].encode(), secret.encode())

    def environment(self, principal: Principal = OWNER) -> dict[str, str]:
        """Return the AZURE_* variables that sign in as the principal."""
        return {
            "AZURE_TENANT_ID": self.tenant_id,
            "AZURE_CLIENT_ID": principal.client_id,
            "AZURE_CLIENT_SECRET": self.secret_of(principal),
            "AZURE_SUBSCRIPTION_ID": self.subscription_id,
        }

    def public_keys(self) -> dict[str, Any]:
        """Return the JSON Web Key Set of the authority."""
        numbers = self._key.public_key().public_numbers()
        x, y = (_base64url(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
        return {
            "keys": [{"kty": "EC", "use": "sig", "alg": "ES256", "kid": "emulator", "crv": "P-256", "x": x, "y": y}]
        }


def parse_token(token: str) -> dict[str, Any]:
    """Return the claims of a well-formed JSON Web Token, whoever signed it.

    Raises:
        TokenRejected: It has not three base64url parts, or the claims are no object with a numeric `exp`.
    """
    parts = token.split(".")
    try:
        header, claims = (json.loads(_decoded(part)) for part in parts[:2])
        _decoded(parts[2])
    except (ValueError, IndexError) as error:
        raise TokenRejected("the token is no JSON Web Token") from error
    well_formed = len(parts) == 3 and isinstance(header, dict) and isinstance(claims, dict)
    if not well_formed or not isinstance(claims.get("exp"), int | float):
        raise TokenRejected("the token has no claims")
    return dict(claims)


def _new_authority() -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {"key": pem, "secrets": {known.name: secrets.token_urlsafe(30) for known in PRINCIPALS}}


def _segment(document: dict[str, Any]) -> str:
    return _base64url(json.dumps(document, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from error
