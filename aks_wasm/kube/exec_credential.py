"""The document that `aks-wasm kube-token` prints for kubectl and other clients (client.authentication.k8s.io)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"
EXEC_INFO = "KUBERNETES_EXEC_INFO"
"""The environment variable in which a client says which version it speaks."""


def exec_credential(token: str, expires: float, *, api_version: str = V1) -> str:
    """Return the ExecCredential as JSON.

    Args:
        token: The bearer token.
        expires: When it ends, in seconds since 1970, as azure-identity says it.
        api_version: What the client asked for.
    """
    until = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps(
        {
            "apiVersion": api_version,
            "kind": "ExecCredential",
            "status": {"token": token, "expirationTimestamp": until},
        }
    )


def asked_version(environment: Mapping[str, str]) -> str:
    """Return the version that the calling client speaks; v1 when it does not say."""
    try:
        info = json.loads(environment.get(EXEC_INFO, "{}"))
    except ValueError:
        return V1
    version = info.get("apiVersion") if isinstance(info, dict) else None
    return version if version in (V1, V1BETA1) else V1
