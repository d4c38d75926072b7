"""Waiting for Resource Manager: a lost connection and throttling are outlived, its errors leave as ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceResponseError

from aks_wasm.providers.azure.errors import from_arm, is_sign_in_failure
from aks_wasm.providers.azure.faults import fault_in
from aks_wasm.waits import Clock, Patience, Seen, Tolerant, wait_until

GO_ON = "Azure goes on by itself; run the same command again to join it"

T = TypeVar("T")


class Budget:
    """One time-out over several waits."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._start = patience.clock.now()

    def left(self) -> Patience:
        """Return the patience that is left."""
        spent = self._patience.clock.now() - self._start
        return replace(self._patience, timeout=max(0.0, self._patience.timeout - spent))


def tolerant(look: Callable[[], Seen[T]], clock: Clock) -> Tolerant[T]:
    """Return the look, which a lost connection may interrupt for a while and throttling for as long as it lasts."""

    def obeying() -> Seen[T]:
        try:
            return look()
        except HttpResponseError as error:
            fault = fault_in(error)
            if not fault.is_throttling:
                raise
            return Seen("throttled by the service", pause=fault.retry_after)

    return Tolerant(obeying, clock, _is_transient)


def _is_transient(error: Exception) -> bool:
    if not isinstance(error, AzureError) or is_sign_in_failure(error):
        return False
    if isinstance(error, HttpResponseError):
        return error.status_code is not None and error.status_code >= 500
    return isinstance(error, ServiceRequestError | ServiceResponseError)


def wait_for(
    look: Callable[[], Seen[T]], what: str, doing: str, patience: Patience, *, hint: str | None = GO_ON
) -> T | None:
    """Wait for Resource Manager as `wait_until` does; a lost connection is outlived, its errors leave as ours.

    Args:
        look: One look; its errors are the SDK's own.
        what: The subject of the sentence.
        doing: What was tried, for example "create the cluster `a`".
        patience: How long.
        hint: Put into the time-out error.

    Raises:
        AksWasmError: TimedOut, Interrupted, or what Resource Manager said.
    """
    try:
        return wait_until(tolerant(look, patience.clock), what=what, patience=patience, hint=hint)
    except AzureError as error:
        raise from_arm(error, doing) from error
