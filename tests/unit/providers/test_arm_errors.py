"""What users read when Resource Manager says no: class, code, words, and never a secret."""

from __future__ import annotations

import json

import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError

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
from aks_wasm.providers.azure.errors import error_from, from_arm, redacted, translated
from aks_wasm.providers.azure.faults import parse_fault

QUOTA = (
    "Insufficient regional vcpu quota left for location westus2. left regional vcpu quota 4, requested quota 6. "
    "If you want to increase the quota, please follow this instruction: https://aka.ms/quota."
)


def flat(code: str, message: str = "no.", subcode: str = "") -> str:
    return json.dumps({"code": code, "details": None, "message": message, "subcode": subcode})


def wrapped(code: str, message: str = "no.", details: list[dict[str, str]] | None = None) -> str:
    return json.dumps({"error": {"code": code, "message": message, "details": details or []}})


@pytest.mark.parametrize(
    ("status", "code", "kind", "exit_code"),
    [
        (400, "InvalidWorkloadRuntimeSettingError", PreviewRetired, 1),
        (404, "FeatureNotFound", PreviewRetired, 1),
        (400, "QuotaExceeded", NoCapacity, 4),
        (400, "ErrCode_InsufficientVCPUQuota", NoCapacity, 4),
        (400, "SkuNotAvailable", NoCapacity, 4),
        (200, "ZonalAllocationFailed", NoCapacity, 4),
        (400, "AKSCapacityHeavyUsage", NoCapacity, 4),
        (403, "AuthorizationFailed", NotAllowed, 3),
        (403, "LinkedAuthorizationFailed", NotAllowed, 3),
        (403, "RequestDisallowedByPolicy", NotAllowed, 3),
        (409, "ReadOnlyDisabledSubscription", NotAllowed, 3),
        (401, "ExpiredAuthenticationToken", NotSignedIn, 3),
        (401, "InvalidAuthenticationToken", NotSignedIn, 3),
        (400, "K8sVersionNotSupported", UsageError, 2),
        (400, "NoRegisteredProviderFound", UsageError, 2),
        (404, "SubscriptionNotFound", UsageError, 2),
        (409, "ScopeLocked", Refused, 7),
        (400, "PropertyChangeNotAllowed", Refused, 7),
        (409, "OperationNotAllowed", OperationInProgress, 6),
        (409, "ResourceGroupBeingDeleted", OperationInProgress, 6),
        (412, "PreConditionFailed", OperationInProgress, 6),
        (409, "MissingSubscriptionRegistration", ServiceError, 1),
        (500, "InternalServerError", ServiceError, 1),
    ],
)
@pytest.mark.parametrize("shape", [flat, wrapped])
def test_each_code_has_its_class_and_exit_code_in_either_shape(
    shape: object, status: int, code: str, kind: type[AksWasmError], exit_code: int
) -> None:
    error = error_from(parse_fault(status, shape(code)), "create the cluster `a`")  # type: ignore[operator]
    assert type(error) is kind
    assert (error.code, error.exit_code) == (code, exit_code)
    assert error.message == "cannot create the cluster `a`: no"


@pytest.mark.parametrize(("status", "kind"), [(401, NotSignedIn), (403, NotAllowed), (418, ServiceError)])
def test_an_unknown_code_goes_by_its_status(status: int, kind: type[AksWasmError]) -> None:
    assert type(error_from(parse_fault(status, flat("Novelty")), "look")) is kind


def test_the_cause_inside_a_wrapper_is_what_is_told() -> None:
    inner = [{"code": "SkuNotAvailable", "message": "The requested VM size is currently not available."}]
    error = error_from(parse_fault(400, wrapped("InvalidTemplateDeployment", "See inner errors.", inner)), "add a pool")
    assert isinstance(error, NoCapacity)
    assert error.code == "SkuNotAvailable"
    assert error.message == "cannot add a pool: The requested VM size is currently not available"
    assert error.details is not None
    assert "InvalidTemplateDeployment: See inner errors." in error.details


def test_a_code_quoted_in_the_words_counts() -> None:
    words = 'Reconcile standard load balancer failed. Details: Code="ScopeLocked" Message="locked"'
    assert isinstance(error_from(parse_fault(200, flat("ReconcileFailed", words)), "create"), Refused)


def test_an_operation_blocked_by_policy_is_refused_not_awaited() -> None:
    fault = parse_fault(409, flat("OperationNotAllowed", subcode="OperationBlockedByNodeDisruptionPolicy"))
    assert not fault.is_conflict
    assert isinstance(error_from(fault, "scale"), Refused)


def test_another_operation_under_way_is_a_conflict() -> None:
    assert parse_fault(409, flat("OperationNotAllowed")).is_conflict
    assert not parse_fault(409, flat("ScopeLocked")).is_conflict


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"Retry-After": "17"}, "slow down", 17.0),
        ({}, "Too soon to create another managed cluster. Please retry after 291 seconds", 291.0),
        ({}, "exceeded the backend storage limit. Please try again after '6' seconds.", 6.0),
        ({}, "slow down", None),
    ],
)
def test_throttling_says_how_long_in_three_dialects(
    headers: dict[str, str], message: str, seconds: float | None
) -> None:
    fault = parse_fault(429, flat("TooManyRequests", message), headers)
    assert fault.is_throttling
    assert fault.retry_after == seconds


def test_a_proxys_page_is_named_as_such() -> None:
    error = error_from(parse_fault(502, "<!doctype html><html><body>Bad gateway</body></html>"), "read the cluster `a`")
    assert error.message == "cannot read the cluster `a`: HTTP 502 with an HTML page instead of an ARM error"


def test_an_empty_answer_is_told() -> None:
    assert "HTTP 500 with nothing" in error_from(parse_fault(500, b""), "look").message


def test_long_words_are_cut_in_the_sentence_and_whole_in_the_details() -> None:
    words = "word " * 400
    error = error_from(parse_fault(400, flat("QuotaExceeded", words)), "create")
    assert len(error.message) < 450
    assert error.details is not None
    assert words in error.details


@pytest.mark.parametrize(
    "secret",
    [
        "Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwcyJ9.c2lnbmF0dXJl",
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwcyJ9.c2lnbmF0dXJl",
        "https://management.azure.com/subscriptions/s/operations/o?api-version=2025-03-01&t=6&c=MIIH8D&s=SIGNED&h=abc",
        "client_secret=SIGNED",
        "https://store.blob.core.windows.net/c/b?sv=2024&sig=SIGNED%3D",
    ],
)
def test_no_error_carries_a_token_or_a_signed_url(secret: str) -> None:
    error = error_from(parse_fault(400, flat("BadRequest", f"see {secret} there")), "create")
    shown = json.dumps(error.to_dict())
    for part in ("SIGNED", "c2lnbmF0dXJl", "MIIH8D"):
        assert part not in shown
    assert "***" in redacted(secret)


def test_addresses_without_a_query_stay_readable() -> None:
    assert redacted("see https://aka.ms/aks/wasi-retirement.") == "see https://aka.ms/aks/wasi-retirement."


def test_nobody_signed_in_says_how_to() -> None:
    error = from_arm(ClientAuthenticationError("DefaultAzureCredential failed to retrieve a token.\nAttempted"), "look")
    assert isinstance(error, NotSignedIn)
    assert error.message == "cannot sign in to Azure: DefaultAzureCredential failed to retrieve a token"
    assert error.hint is not None
    assert "az login" in error.hint


def test_an_address_where_nothing_answers_is_unreachable() -> None:
    error = from_arm(ServiceRequestError("Connection refused"), "read the cluster `a`")
    assert isinstance(error, Unreachable)
    assert error.message == "cannot read the cluster `a`: Resource Manager does not answer"


def test_an_untrusted_certificate_is_told_apart() -> None:
    error = from_arm(ServiceRequestError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), "look")
    assert error.code == "CertificateNotTrusted"
    assert error.hint is not None
    assert "REQUESTS_CA_BUNDLE" in error.hint


def test_azure_errors_do_not_leak() -> None:
    assert not issubclass(AksWasmError, AzureError)
    with pytest.raises(AksWasmError) as caught, translated("look"):
        raise ServiceRequestError("gone")
    assert isinstance(caught.value.__cause__, ServiceRequestError)
