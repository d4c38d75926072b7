"""Optimistic concurrency on clusters and pools, after the table in azure-aks-docs articles/aks/use-etags.md."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from aks_wasm.emulator.arm.errors import ProviderError, bad_request


def new_etag() -> str:
    """Return a fresh tag; AKS uses GUIDs."""
    return str(uuid.uuid4())


def check(headers: Mapping[str, str], *, exists: bool, etag: str | None, creates: bool) -> None:
    """Judge a write by its If-Match and If-None-Match.

    Args:
        headers: The request's, names in lower case.
        exists: Whether the resource is there.
        etag: Its tag; None while it is being created.
        creates: Whether the request makes the resource when it is absent (PUT).

    Raises:
        ProviderError: 412 PreConditionFailed, or 400 for headers that make no sense.
    """
    match = _unquoted(headers.get("if-match", ""))
    none_match = _unquoted(headers.get("if-none-match", ""))
    if none_match not in {"", "*"}:
        raise bad_request(f"If-None-Match header value '{none_match}' is not supported. Only '*' is supported.")
    if match and none_match:
        raise bad_request("If-Match and If-None-Match headers must not be set together.")
    if exists and none_match:
        raise _failed("The resource already exists, and If-None-Match is '*'.")
    if not exists and match and creates:
        raise _failed("The resource does not exist, and If-Match is set.")
    if exists and match not in {"", "*"} and match != etag:
        raise _failed(f"The eTag '{match}' in If-Match does not match the resource's eTag '{etag or ''}'.")


def _failed(message: str) -> ProviderError:
    # The body's text has not been seen; the code is the documentation's.
    return ProviderError(412, "PreConditionFailed", message)


def _unquoted(value: str) -> str:
    return value.strip().removeprefix("W/").strip('"')
