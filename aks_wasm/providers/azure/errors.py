"""ARM errors to ours; nothing outside this package sees azure.core.exceptions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
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
from aks_wasm.providers.azure.faults import BLOCKED_BY_POLICY, ArmFault, fault_in

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
_LONGEST_SENTENCE = 400  # characters of ARM's words that go into our one sentence; all of them are in the details


def redacted(text: str) -> str:
    """Return the text without bearer tokens, signed query strings and secrets."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def error_from(fault: ArmFault, doing: str, *, hint: str | None = None) -> AksWasmError:
    """Return our error for ARM's.

    Args:
        fault: What ARM said.
        doing: What we were about, as in "create node pool `wasm`".
        hint: The way out where the caller knows it; else the display has one by code.
    """
    known = next((code for code in fault.codes if code in _CLASS_OF), None)
    kind = _CLASS_OF[known] if known else _BY_STATUS.get(fault.status, ServiceError)
    if fault.subcode == BLOCKED_BY_POLICY:
        known, kind = BLOCKED_BY_POLICY, Refused
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
