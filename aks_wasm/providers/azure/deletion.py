"""Deleting one resource: whatever runs on it, once, until it can't be read any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.core.exceptions import HttpResponseError

from aks_wasm.errors import ServiceError
from aks_wasm.providers.azure.errors import from_arm
from aks_wasm.providers.azure.faults import fault_in
from aks_wasm.providers.azure.operations import (
    ATTEMPTS,
    Send,
    Subject,
    follow,
    read,
    send_when_free,
    settled,
    state_of,
)
from aks_wasm.providers.azure.waiting import Budget
from aks_wasm.waits import Patience

if TYPE_CHECKING:
    from azure.core.rest import HttpResponse

    from aks_wasm.providers.azure.clients import Clients

_GOING = "Deleting"


def delete(clients: Clients, subject: Subject, send: Send, patience: Patience, *, wait: bool) -> None:
    """Delete a resource and read again until the answer is 404; absent is fine, and so is one that is going already.

    AKS takes the deletion of a cluster in the middle of its creation and gives that up (AKSOperationPreemptedByDelete);
    where it does not, as with a pool, the conflict it answers is waited out.

    Args:
        clients: Follow the operation.
        subject: What goes.
        send: Asks for it.
        patience: How long; also without `wait`, since AKS may take the request only after another operation.
        wait: Whether to wait until it is gone; else only until the deletion is under way.

    Raises:
        AksWasmError: It failed, in the service's words; NotGone when it is there after its deletion succeeded.
    """
    doing, budget = f"delete {subject.what}", Budget(patience)
    for _ in range(ATTEMPTS):
        live = read(subject, doing, budget.left())
        if live is None:
            return
        going = state_of(live) == _GOING
        if going and not wait:
            return
        if not going:
            overtaken = _ask(clients, subject, send, budget, wait=wait)
            if not wait:
                return
            if overtaken:
                continue
        if settled(subject, doing, budget.left()) is None:
            return
    raise ServiceError(
        f"{subject.what} is still there after its deletion",
        code="NotGone",
        hint="run `aks-wasm down` again; the Azure portal's activity log tells more",
    )


def _ask(clients: Clients, subject: Subject, send: Send, budget: Budget, *, wait: bool) -> bool:
    """Ask for the deletion, with `wait` until it has ended; return whether another operation took its place."""
    doing = f"delete {subject.what}"
    try:
        response: HttpResponse = send_when_free(send, subject, doing, budget.left())
    except HttpResponseError as error:
        if fault_in(error).code == "ResourceGroupBeingDeleted":
            return False
        raise from_arm(error, doing) from error
    if not wait:
        return False
    outcome = follow(clients, response, subject, doing, budget.left())
    if outcome.error is not None and not outcome.overtaken:
        raise outcome.error
    return outcome.overtaken
