"""Errors as Resource Manager and AKS write them, in either of their two shapes; what they mean to us is in errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError

BLOCKED_BY_POLICY = "OperationBlockedByNodeDisruptionPolicy"  # a 409 OperationNotAllowed that no waiting ends
_CODE_IN_TEXT = re.compile(r"Code=\\?\"(\w+)\\?\"")
_RETRY_IN_TEXT = re.compile(r"(?:retry after|try again after) '?(\d+)'? seconds", re.IGNORECASE)


@dataclass(frozen=True)
class ArmFault:
    """An error as Resource Manager or AKS wrote it, whichever of their two shapes it had.

    Attributes:
        status: HTTP status; 200 for an operation that failed later.
        code: `code` of the outermost error.
        message: Its words.
        subcode: AKS' own `subcode`, or empty.
        retry_after: Seconds asked for by header or, as AKS does for some, in the words; None when not.
        inner: The errors inside it.
    """

    status: int
    code: str
    message: str
    subcode: str = ""
    retry_after: float | None = None
    inner: tuple[ArmFault, ...] = ()

    @property
    def codes(self) -> Iterator[str]:
        """All codes, outermost first: its own, those inside it, those quoted in its words."""
        yield self.code
        for fault in self.inner:
            yield from fault.codes
        yield from _CODE_IN_TEXT.findall(self.message)

    @property
    def is_throttling(self) -> bool:
        """Whether waiting, and nothing else, mends it."""
        return self.status == 429

    @property
    def is_conflict(self) -> bool:
        """Whether another operation is under way that can be waited for."""
        return self.status == 409 and self.code == "OperationNotAllowed" and self.subcode != BLOCKED_BY_POLICY

    @property
    def is_stale(self) -> bool:
        """Whether the resource changed since it was read (412): read and decide again."""
        return self.status == 412


def parse_fault(status: int, body: str | bytes, headers: Mapping[str, str] | None = None) -> ArmFault:
    """Read an error body, flat (AKS) or wrapped in `error` (ARM's front door); anything else becomes its text."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        what = "an HTML page" if "<html" in text.lower() else f"{text.strip()[:200]!r}" if text.strip() else "nothing"
        document = {"code": f"Http{status}", "message": f"HTTP {status} with {what} instead of an ARM error"}
    fault = fault_of(document.get("error") if isinstance(document.get("error"), dict) else document, status)
    asked = (headers or {}).get("Retry-After") or (headers or {}).get("retry-after")
    seconds = float(asked) if asked and asked.replace(".", "", 1).isdigit() else _seconds_in(fault.message)
    return ArmFault(status, fault.code, fault.message, fault.subcode, seconds, fault.inner)


def fault_of(error: Any, status: int) -> ArmFault:
    """Read an `error` object, for example that of a failed operation."""
    error = error if isinstance(error, dict) else {}
    details = error.get("details")
    inner = details if isinstance(details, list) else []
    return ArmFault(
        status=status,
        code=str(error.get("code") or f"Http{status}"),
        message=str(error.get("message") or ""),
        subcode=str(error.get("subcode") or ""),
        inner=tuple(fault_of(item, status) for item in inner if isinstance(item, dict)),
    )


def fault_in(error: HttpResponseError) -> ArmFault:
    """Read what the SDK's exception carries."""
    response: Any = error.response
    if response is None:
        return ArmFault(error.status_code or 0, "Http", error.message)
    try:
        body = response.text()
    except (AttributeError, UnicodeError, AzureError):  # a streamed body that was never read
        body = error.message
    return parse_fault(response.status_code, body, response.headers)


def _seconds_in(message: str) -> float | None:
    found = _RETRY_IN_TEXT.search(message)
    return float(found.group(1)) if found else None
