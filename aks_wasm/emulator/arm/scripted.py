"""Scripted faults that take the place of an answer, in the service's own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aks_wasm.emulator.arm.authentication import expired_token
from aks_wasm.emulator.arm.errors import ArmError, GatewayError, ProviderError
from aks_wasm.emulator.arm.names import now
from aks_wasm.emulator.arm.operations import busy
from aks_wasm.emulator.arm.usages import insufficient
from aks_wasm.emulator.faults import Fault

PROXY_PAGE = (
    "<html><head><title>Access Denied</title></head>"
    "<body><h1>Access Denied</h1><p>Your organization's proxy has blocked this request.</p></body></html>"
)
_Parameters = Mapping[str, Any]


def error_of(fault: Fault) -> ArmError | None:
    """Return the error that a fault answers with, or None when it does something else."""
    make = _ERRORS.get(fault.name)
    return make(fault.parameters) if make else None


def _any_error(given: _Parameters) -> ArmError:
    kind = GatewayError if given.get("wrapped") else ProviderError
    headers = {"retry-after": str(given["retryAfter"])} if "retryAfter" in given else {}
    message = given.get("message", "Internal server error")
    return kind(given.get("status", 500), given.get("code", "InternalOperationError"), message, headers=headers)


def _quota(given: _Parameters) -> ArmError:
    location, usage = given.get("location", "westeurope"), given.get("usage", "cores")
    return insufficient(location, usage, requested=given.get("requested", 6), left=given.get("left", 4))


def _sku_not_available(given: _Parameters) -> ArmError:
    size, location = given.get("vmSize", "Standard_DS1_v2"), given.get("location", "westus")
    message = (
        f"The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: {size}' is "
        f"currently not available in location '{location}'. Please try another size or deploy to a different "
        "location or different zone. See https://aka.ms/azureskunotavailable for details."
    )
    return GatewayError(409, "SkuNotAvailable", message)


def _throttled(given: _Parameters) -> ArmError:
    headers = {"retry-after": str(given.get("seconds", 1))}
    message = "The request is throttled. Please retry after the time of the Retry-After header."
    return ProviderError(429, "Throttled", message, headers=headers)


def _too_many_requests(given: _Parameters) -> ArmError:
    seconds = given.get("seconds", 291)
    message = f"Too soon to create another managed cluster. Please retry after {seconds} seconds"
    return ProviderError(429, "TooManyRequests", message, extra={"subcode": "CreateClusterThrottled"})


def _subscription_throttled(given: _Parameters) -> ArmError:
    seconds = given.get("seconds", 6)
    message = (
        f"Number of requests for subscription '{given.get('subscription', '')}' and operation 'POST/providers' "
        f"exceeded the backend storage limit. Please try again after '{seconds}' seconds."
    )
    headers = {"retry-after": str(seconds)} if given.get("header", True) else {}
    return GatewayError(429, "SubscriptionRequestsThrottled", message, headers=headers)


def _conflict(given: _Parameters) -> ArmError:
    return busy(given.get("state", "Updating"), running_pool=given.get("pool", ""))


def _token_expired(given: _Parameters) -> ArmError:
    del given
    return expired_token(now().timestamp() - 11)


_ERRORS: dict[str, Callable[[_Parameters], ArmError]] = {
    "error": _any_error,
    "quota": _quota,
    "sku-not-available": _sku_not_available,
    "throttled": _throttled,
    "too-many-requests": _too_many_requests,
    "subscription-throttled": _subscription_throttled,
    "conflict": _conflict,
    "token-expired": _token_expired,
}
