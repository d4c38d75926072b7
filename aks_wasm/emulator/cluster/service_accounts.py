"""Tokens of service accounts: JWTs the API server signs and believes (HS256, a key of the cluster's own)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any

from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.cluster.trees import Tree

AUDIENCE = "https://kubernetes.default.svc.cluster.local"
DEFAULT_SECONDS = 3600


@dataclass(frozen=True)
class TokenIssuer:
    """Signs and checks with the secret the store keeps for it."""

    store: Store

    def issue(self, account: Tree, *, seconds: int, audiences: list[str]) -> str:
        """Return a token for a v1.ServiceAccount that lives `seconds`."""
        meta = account["metadata"]
        moment = int(time.time())
        claims = {
            "aud": audiences or [AUDIENCE],
            "exp": moment + seconds,
            "iat": moment,
            "nbf": moment,
            "iss": AUDIENCE,
            "kubernetes.io": {
                "namespace": meta["namespace"],
                "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
            },
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        signed = f"{_packed({'alg': 'HS256', 'typ': 'JWT'})}.{_packed(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def user_of(self, token: str) -> list[str] | None:
        """Return [user, *groups] of a token this cluster issued to a service account that still exists."""
        signed, _, signature = token.rpartition(".")
        if signed.count(".") != 1 or not hmac.compare_digest(self._signature(signed), signature):
            return None
        claims = _unpacked(signed.partition(".")[2])
        bound = claims["kubernetes.io"]
        namespace, name = bound["namespace"], bound["serviceaccount"]["name"]
        account = self.store.peek("serviceaccounts", name, namespace)
        if account is None or account["metadata"]["uid"] != bound["serviceaccount"]["uid"]:
            return None
        if claims["exp"] <= time.time() or AUDIENCE not in claims["aud"]:
            return None
        return [claims["sub"], "system:serviceaccounts", f"system:serviceaccounts:{namespace}"]

    def _signature(self, text: str) -> str:
        digest = hmac.new(self.store.secret(), text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _packed(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _unpacked(text: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return content
