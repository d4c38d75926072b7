"""The Kubernetes API's errors as ours; nothing outside this package sees kubernetes or urllib3 exceptions."""

from __future__ import annotations

import json
from typing import Any

from aks_wasm.errors import AksWasmError, NotAllowed, NotSignedIn, ServiceError, Unreachable

NOT_FOUND = 404
_LONGEST_DETAILS = 2000  # characters; a webhook's answer can be a whole page

_HINTS = {
    401: "fetch new credentials: `aks-wasm kubeconfig`",
    403: "ask for the right, for example the role Azure Kubernetes Service RBAC Cluster Admin",
    429: "the API server is busy; try again in a minute",
}


def from_status(status: int, body: bytes, *, doing: str) -> AksWasmError:
    """Return the error for an answer that is not 2xx.

    Args:
        status: The HTTP status.
        body: The answer; a `Status` object as a rule.
        doing: What was tried, for example "apply Deployment `web`".
    """
    said = _status_object(body)
    reason = str(said.get("reason") or f"Http{status}")
    message = str(said.get("message") or f"the API server answered {status}")
    kind: type[AksWasmError] = {401: NotSignedIn, 403: NotAllowed}.get(status, ServiceError)
    return kind(
        f"cannot {doing}: {message.strip().rstrip('.')}",
        code=f"Kubernetes{reason}",
        hint=_HINTS.get(status),
        details=body.decode("utf-8", "replace")[:_LONGEST_DETAILS] or None,
    )


def unreachable(host: str, error: Exception, *, doing: str) -> Unreachable:
    """Return the error for a connection that did not come about, or broke."""
    return Unreachable(
        f"cannot {doing}: the cluster's API server at `{host}` does not answer",
        code="KubernetesUnreachable",
        hint="is the cluster running, and can this machine reach it? `aks-wasm status` tells its state",
        details=f"{type(error).__name__}: {error}",
    )


def bad_kubeconfig(error: Exception) -> NotSignedIn:
    """Return the error for credentials that cannot be used."""
    return NotSignedIn(
        f"the kubeconfig cannot be used: {str(error).strip() or type(error).__name__}",
        code="KubeconfigInvalid",
        hint="fetch it again: `aks-wasm kubeconfig`",
    )


def _status_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
