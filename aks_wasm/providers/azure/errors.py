"""ARM errors to ours; nothing outside this package sees azure.core.exceptions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from aks_wasm.errors import (
    AksWasmError,
    NoCapacity,
    NotAllowed,
    NotSignedIn,
    OperationInProgress,
    PreviewRetired,
    Refused,
    ServiceError,
    Unreachable,
    UsageError,
)

_BY_CODE: dict[type[AksWasmError], tuple[str, ...]] = {
    PreviewRetired: ("InvalidWorkloadRuntimeSettingError", "FeatureNotFound"),
    NoCapacity: (
        "QuotaExceeded",
        "ErrCode_InsufficientVCPUQuota",
        "InsufficientVCPUQuota",
        "SkuNotAvailable",
        "VMSizeNotSupported",
        "AvailabilityZoneNotSupported",
        "ZonalAllocationFailed",
        "AllocationFailed",
        "OverconstrainedAllocationRequest",
        "OverconstrainedZonalAllocationRequest",
        "ResourcesOverConstrained",
        "AKSCapacityHeavyUsage",
        "AksCapacityHeavyUsage",
        "RegionCreatesDisabled",
        "AgentPoolMaxCountExceeded",
        "MaxAgentPoolCountReached",
    ),
    NotAllowed: (
        "AuthorizationFailed",
        "LinkedAuthorizationFailed",
        "RequestDisallowedByPolicy",
        "RequestDisallowedByAzure",
        "ReadOnlyDisabledSubscription",
    ),
    NotSignedIn: (
        "ExpiredAuthenticationToken",
        "InvalidAuthenticationToken",
        "InvalidAuthenticationTokenTenant",
        "InvalidAuthenticationTokenAudience",
        "AuthenticationFailed",
    ),
    UsageError: (
        "K8sVersionNotSupported",
        "AgentPoolK8sVersionNotSupported",
        "NoRegisteredProviderFound",
        "LocationNotAvailableForResourceType",
        "LocationNotAvailableForResourceGroup",
        "InvalidResourceLocation",
        "InvalidResourceGroupLocation",
        "SubscriptionNotFound",
        "InvalidSubscriptionId",
        "InvalidParameter",
        "MustDefineAtLeastOneSystemPool",
    ),
    Refused: ("ScopeLocked", "ResourceGroupLocked", "PropertyChangeNotAllowed"),
    OperationInProgress: (
        "OperationNotAllowed",
        "ResourceGroupBeingDeleted",
        "AKSOperationPreempted",
        "AKSOperationPreemptedByDelete",
        "NotLatestOperation",
        "PreConditionFailed",
        "PreconditionFailed",
    ),
}
"""Our class for each code of facts/azure.md section 3; what is not here goes by HTTP status."""

_CLASS_OF = {code: kind for kind, codes in _BY_CODE.items() for code in codes}
_BY_STATUS: dict[int, type[AksWasmError]] = {401: NotSignedIn, 403: NotAllowed, 412: OperationInProgress}
_BLOCKED_BY_POLICY = "OperationBlockedByNodeDisruptionPolicy"  # a 409 OperationNotAllowed that no waiting ends

_SIGN_IN_HINT = (
    "run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; "
    "`--target emulator` needs no account"
)
_SECRETS = (
    (re.compile(r"\b[Bb]earer\s+[A-Za-z0-9._~+/=-]+"), "Bearer ***"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,2}"), "***"),
    (re.compile(r"(https?://[^\s\"'<>?]+)\?[^\s\"'<>]+"), r"\1?***"),
    (re.compile(r"(?i)\b(client_secret|client_assertion|password|sig)=[^\s&\"']+"), r"\1=***"),
)
_CODE_IN_TEXT = re.compile(r"Code=\\?\"(\w+)\\?\"")
_RETRY_IN_TEXT = re.compile(r"(?:retry after|try again after) '?(\d+)'? seconds", re.IGNORECASE)
_LONGEST_SENTENCE = 400  # characters of ARM's words that go into our one sentence; all of them are in the details


def redacted(text: str) -> str:
    """Return the text without bearer tokens, signed query strings and secrets."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


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
        return self.status == 409 and self.code == "OperationNotAllowed" and self.subcode != _BLOCKED_BY_POLICY

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


def error_from(fault: ArmFault, doing: str, *, hint: str | None = None) -> AksWasmError:
    """Return our error for ARM's.

    Args:
        fault: What ARM said.
        doing: What we were about, as in "create node pool `wasm`".
        hint: The way out where the caller knows it; else the display has one by code.
    """
    known = next((code for code in fault.codes if code in _CLASS_OF), None)
    kind = _CLASS_OF[known] if known else _BY_STATUS.get(fault.status, ServiceError)
    if fault.subcode == _BLOCKED_BY_POLICY:
        known, kind = _BLOCKED_BY_POLICY, Refused
    speaker = _innermost(fault, known) if known else fault
    words = redacted(speaker.message or fault.message or f"HTTP {fault.status}").strip().rstrip(".")
    if len(words) > _LONGEST_SENTENCE:
        words = words[:_LONGEST_SENTENCE].rsplit(" ", 1)[0] + " ..."
    details = redacted("\n".join(_lines(fault)))
    return kind(f"cannot {doing}: {words}", code=known or fault.code, details=details, hint=hint)


def from_arm(error: AzureError, doing: str) -> AksWasmError:
    """Return our error for the SDK's, by code, then by HTTP status, then by kind of failure."""
    if is_sign_in_failure(error):
        if (cause := _lost_connection(error)) is not None:
            return _unreachable(redacted(cause.message), doing, "the sign-in service")
        words = redacted(error.message)
        first = words.strip().splitlines()[0].rstrip(".") if words.strip() else "no credential works"
        return NotSignedIn(f"cannot sign in to Azure: {first}", hint=_SIGN_IN_HINT, details=words)
    if isinstance(error, DecodeError):
        return ServiceError(
            f"cannot {doing}: the answer is not Resource Manager's",
            code="NotResourceManager",
            hint="a proxy may have answered; look at HTTPS_PROXY, NO_PROXY and AKS_WASM_ARM_ENDPOINT",
            details=redacted(error.message)[:2000],
        )
    if isinstance(error, HttpResponseError):
        return error_from(fault_in(error), doing)
    words = redacted(str(error.message or error))
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return _unreachable(words, doing, "Resource Manager")
    return ServiceError(f"cannot {doing}: {words}", details=words)


def is_sign_in_failure(error: AzureError) -> bool:
    """Whether no token could be had at all, as opposed to Resource Manager refusing one."""
    if not isinstance(error, ClientAuthenticationError):
        return False
    response: Any = error.response
    return response is None or "/oauth2/" in str(getattr(response, "url", "") or getattr(response.request, "url", ""))


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the SDK's exceptions into ours, chained."""
    try:
        yield
    except AzureError as error:
        raise from_arm(error, doing) from error


def _lost_connection(error: BaseException | None) -> AzureError | None:
    """Return why no token could be had, when that is the network: azure-identity keeps it as the cause."""
    while error is not None:
        if isinstance(error, ServiceRequestError | ServiceResponseError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _unreachable(words: str, doing: str, who: str) -> Unreachable:
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return Unreachable(
            f"cannot {doing}: the certificate of {who} is not trusted",
            code="CertificateNotTrusted",
            hint="set REQUESTS_CA_BUNDLE to a file that has the endpoint's certificate authority",
            details=words,
        )
    return Unreachable(
        f"cannot {doing}: {who} does not answer",
        hint="look at the network, HTTPS_PROXY and the endpoints; then run the same command again",
        details=words,
    )


def _innermost(fault: ArmFault, code: str) -> ArmFault:
    if fault.code == code:
        return fault
    return next((_innermost(item, code) for item in fault.inner if code in item.codes), fault)


def _lines(fault: ArmFault, indent: str = "") -> Iterator[str]:
    subcode = f" ({fault.subcode})" if fault.subcode else ""
    yield f"{indent}{fault.code}{subcode}: {fault.message}"
    for item in fault.inner:
        yield from _lines(item, indent + "  ")


def _seconds_in(message: str) -> float | None:
    found = _RETRY_IN_TEXT.search(message)
    return float(found.group(1)) if found else None
