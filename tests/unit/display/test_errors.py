"""Errors as text and as documents; hints by code."""

from __future__ import annotations

import pytest

from aks_wasm.display.errors import error_document, hint_for, hints, render_error
from aks_wasm.errors import AksWasmError, NotSignedIn, Problem, SpecInvalid, TimedOut, UsageError

# What AKS and Resource Manager answer and a user can do something about (facts on Azure, section 3).
WITH_A_WAY_OUT = [
    "InvalidWorkloadRuntimeSettingError",
    "PreviewFeatureNotRegistered",
    "MissingSubscriptionRegistration",
    "NoRegisteredProviderFound",
    "ResourceGroupNotFound",
    "ResourceNotFound",
    "NotFound",
    "GetAgentPool_NotFound",
    "ResourceGroupBeingDeleted",
    "OperationNotAllowed",
    "OperationBlockedByNodeDisruptionPolicy",
    "PreConditionFailed",
    "PropertyChangeNotAllowed",
    "AKSOperationPreempted",
    "AKSOperationPreemptedByDelete",
    "NotLatestOperation",
    "QuotaExceeded",
    "ErrCode_InsufficientVCPUQuota",
    "SkuNotAvailable",
    "VMSizeNotSupported",
    "AvailabilityZoneNotSupported",
    "RequestDisallowedByAzure",
    "ZonalAllocationFailed",
    "AllocationFailed",
    "OverconstrainedAllocationRequest",
    "AKSCapacityHeavyUsage",
    "AksCapacityHeavyUsage",
    "K8sVersionNotSupported",
    "AgentPoolK8sVersionNotSupported",
    "MustDefineAtLeastOneSystemPool",
    "InvalidTemplateDeployment",
    "RequestDisallowedByPolicy",
    "AuthorizationFailed",
    "LinkedAuthorizationFailed",
    "ScopeLocked",
    "ResourceGroupLocked",
    "ReadOnlyDisabledSubscription",
    "Throttled",
    "TooManyRequests",
    "CreateClusterThrottled",
    "SubscriptionRequestsThrottled",
    "VMExtensionProvisioningError",
    "VMExtensionError_OutboundConnFail",
    "VMExtensionError_K8SAPIServerConnFail",
    "VMExtensionError_K8SAPIServerDNSLookupFail",
    "VMExtensionError_K8SDownloadTimeout",
    "VMExtensionError_CNIDownloadTimeout",
    "VMExtensionError_ProvisioningTimeout",
    "VMExtensionError_VHDFileNotFound",
    "BadRequest",
    "ConflictingUserInput",
    "FeatureNotFound",
    "InvalidParameter",
    "AgentPoolMaxCountExceeded",
    "MaxAgentPoolCountReached",
    "NodePoolMcVersionIncompatible",
    "NodeResourceGroupAlreadyExists",
    "RegionCreatesDisabled",
    "ControlPlaneAddOnsNotReady",
    "NodesNotReady",
    "PodDrainFailure",
    "ServiceCidrOverlapping",
    "ResourcesOverConstrained",
    "StaticCredentialNotAllowed",
    "InternalServerError",
    "InternalOperationError",
    "ExpiredAuthenticationToken",
    "InvalidAuthenticationToken",
    "AADSTS700024",
]


@pytest.mark.parametrize("code", WITH_A_WAY_OUT)
def test_every_code_with_a_way_out_has_a_hint(code: str) -> None:
    hint = hint_for(AksWasmError("x", code=code))
    assert hint
    assert not hint.endswith(".")
    assert hint.count("`") % 2 == 0


def test_hints_are_written_in_our_style() -> None:
    for code, hint in hints().items():
        assert not hint.endswith("."), code
        assert hint.count("`") % 2 == 0, code


def test_an_errors_own_hint_wins_and_its_kind_is_the_last_resort() -> None:
    assert hint_for(AksWasmError("x", code="QuotaExceeded", hint="mine")) == "mine"
    assert "az login" in str(hint_for(NotSignedIn("x", code="SomethingUnheardOf")))
    assert hint_for(AksWasmError("x", code="SomethingUnheardOf")) is None


def test_an_error_says_what_then_what_to_do_and_details_only_when_asked() -> None:
    error = TimedOut("pool was not ready", hint="wait", details='{"code": 1}\nmore', docs_url="https://aka.ms/x")
    assert render_error(error, verbose=False) == "error: pool was not ready\n\nhint: wait\n\nsee https://aka.ms/x"
    assert render_error(error, verbose=True).endswith('\n\ndetails:\n  {"code": 1}\n  more')


def test_the_document_has_the_hint_that_people_see_and_every_problem() -> None:
    assert "quota" in str(error_document(AksWasmError("x", code="QuotaExceeded"))["hint"])
    problems = error_document(SpecInvalid("f", [Problem("a.b", "is off")]))["problems"]
    assert problems == [{"field": "a.b", "message": "is off", "hint": None}]


def test_secrets_are_in_neither() -> None:
    error = UsageError("Bearer abcdefghijklmnop was refused", details="client_secret=abcdefghijklmnop")
    assert "abcdefghijklmnop" not in render_error(error, verbose=True)
    assert "abcdefghijklmnop" not in str(error_document(error))
