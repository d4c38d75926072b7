"""Long-running operations of Resource Manager: sent when nothing is in the way, followed, joined, re-read.

Answers demands 5, 6 and 7 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from azure.core.exceptions import AzureError, HttpResponseError

from aks_wasm.errors import AksWasmError, Interrupted, OperationInProgress, ServiceError, TimedOut
from aks_wasm.providers.azure.clients import json_of
from aks_wasm.providers.azure.errors import error_from, from_arm
from aks_wasm.providers.azure.faults import fault_in, fault_of, parse_fault
from aks_wasm.providers.azure.waiting import GO_ON, Budget, tolerant, wait_for
from aks_wasm.waits import Patience, Seen, wait_until

if TYPE_CHECKING:
    from azure.core.rest import HttpResponse

    from aks_wasm.providers.azure.clients import Clients

AT_REST = frozenset({"Succeeded", "Failed", "Canceled"})
LONGEST_CONFLICT_PAUSE = 30.0  # seconds; AKS takes one PUT a minute for each cluster or pool (quotas-skus-regions)
ATTEMPTS = 5  # at deciding again because somebody else changed the resource meanwhile

T = TypeVar("T")
Document = dict[str, Any]
Send = Callable[[], "HttpResponse"]


@dataclass(frozen=True)
class Subject:
    """What an operation is about.

    Attributes:
        what: The subject of sentences, for example "node pool `wasm`".
        read: Reads the resource as it is; None when there is none.
        busy: Says what else is under way that would be in the way, or None.
        abort: The command that ends what runs on it; empty when Azure has none.
    """

    what: str
    read: Callable[[], Document | None]
    busy: Callable[[], str | None] = lambda: None
    abort: str = ""

    @property
    def way_on(self) -> str:
        """What to do about an operation that takes too long, for the hints of errors."""
        return f"{GO_ON}; if it is stuck, `{self.abort}` ends it" if self.abort else GO_ON


def state_of(document: Document) -> str:
    """Return `properties.provisioningState`."""
    return str((document.get("properties") or {}).get("provisioningState") or "Succeeded")


def converge(
    clients: Clients, subject: Subject, decide: Callable[[Document | None], Send | None], doing: str, patience: Patience
) -> Document | None:
    """Bring a resource to where `decide` has nothing more to send; return it as it is then.

    Waits for what runs on the resource already (so an interrupted run is joined), asks `decide` what to send, sends it
    when nothing is in the way, follows it and reads the resource again.

    Raises:
        AksWasmError: It failed, in the service's words; OperationInProgress when another operation outlasted the wait.
    """
    budget = Budget(patience)
    for _ in range(ATTEMPTS):
        live = settled(subject, doing, budget.left())
        send = decide(live)
        if send is None:
            return live
        try:
            response = send_when_free(send, subject, doing, budget.left())
        except HttpResponseError as error:
            if fault_in(error).is_stale:
                continue
            raise from_arm(error, doing) from error
        outcome = follow(clients, response, subject, doing, budget.left())
        if outcome.overtaken:
            continue
        live = settled(subject, doing, budget.left())
        if outcome.error is None:
            _raise_if_failed(live, doing)
        elif decide(live) is not None:  # else it is as asked for although the operation says it failed (AKS#1972)
            raise outcome.error
        return live
    raise OperationInProgress(
        f"cannot {doing}: somebody else keeps changing {subject.what}",
        code="NotLatestOperation",
        hint="wait until the other side is done, then run the same command again",
    )


def read(subject: Subject, doing: str, patience: Patience) -> Document | None:
    """Read the resource as it is, over a lost connection; None when there is none."""

    def look() -> Seen[Document]:
        return Seen("", done=True, value=subject.read())

    return wait_for(look, subject.what, doing, patience)


def settled(subject: Subject, doing: str, patience: Patience) -> Document | None:
    """Wait until nothing runs on the resource; return it, or None when there is none."""

    def look() -> Seen[Document]:
        document = subject.read()
        if document is None:
            return Seen("", done=True)
        state = state_of(document)
        return Seen(state, done=state in AT_REST, value=document)

    return wait_for(look, subject.what, doing, patience, hint=subject.way_on)


@dataclass(frozen=True)
class Outcome:
    """How an operation ended.

    Attributes:
        error: What it failed with, found in a poll that is HTTP 200.
        overtaken: Whether another operation took its place, so that it may have had no effect.
    """

    error: AksWasmError | None = None
    overtaken: bool = False


def follow(clients: Clients, response: HttpResponse, subject: Subject, doing: str, patience: Patience) -> Outcome:
    """Wait until an accepted operation has ended, one way or another.

    Raises:
        TimedOut: It has not; the message names the operation and since when it runs.
    """
    status_url = response.headers.get("azure-asyncoperation")
    url = status_url or response.headers.get("location")
    if not url:
        return Outcome()
    latest: Document = {}

    def look() -> Seen[Outcome]:
        return _look_at_status(clients, url, doing, latest) if status_url else _look_at_location(clients, url, doing)

    try:
        return cast("Outcome", wait_for(look, subject.what, doing, patience, hint=subject.way_on))
    except TimedOut as error:
        if not latest:
            raise
        since = f"operation `{latest.get('name')}` runs since {latest.get('startTime')}"
        raise TimedOut(f"{error.message}; {since}", hint=error.hint) from error


def _look_at_status(clients: Clients, url: str, doing: str, latest: Document) -> Seen[Outcome]:
    response = clients.send("GET", url)
    if (seen := _not_an_answer(response, doing)) is not None:
        return seen
    body = json_of(response)
    latest.update(body)
    status = str(body.get("status") or "")
    if not status:
        raise ServiceError(f"cannot {doing}: the operation's state has no `status`", code="NoOperationStatus")
    if status.lower() in ("failed", "canceled"):
        fault = fault_of(body.get("error") or {"code": f"Operation{status}", "message": f"the operation {status}"}, 200)
        error = error_from(fault, doing)
        return Seen(status, done=True, value=Outcome(error, overtaken=fault.code.startswith("AKSOperationPreempted")))
    done = status.lower() == "succeeded"
    overtaken = done and fault_of(body.get("error"), 200).code == "NotLatestOperation"
    return Seen(status, done=done, value=Outcome(overtaken=overtaken), pause=None if done else _retry_after(response))


def _look_at_location(clients: Clients, url: str, doing: str) -> Seen[Outcome]:
    response = clients.send("GET", url)
    if (seen := _not_an_answer(response, doing)) is not None:
        return seen
    done = response.status_code != 202
    return Seen(
        "" if done else "in progress", done=done, value=Outcome(), pause=None if done else _retry_after(response)
    )


def _not_an_answer(response: HttpResponse, doing: str) -> Seen[Outcome] | None:
    if response.status_code < 400:
        return None
    if response.status_code == 404:  # the service has forgotten the operation: the resource itself tells how it ended
        return Seen("", done=True, value=Outcome())
    fault = parse_fault(response.status_code, response.text(), response.headers)
    if fault.is_throttling:
        return Seen("throttled by the service", pause=fault.retry_after)
    if fault.status >= 500:
        response.raise_for_status()
    raise error_from(fault, doing)


def _retry_after(response: HttpResponse) -> float | None:
    asked = response.headers.get("retry-after", "")
    return (float(asked) or None) if asked.isdigit() else None


def _raise_if_failed(document: Document | None, doing: str) -> None:
    if document is None or state_of(document) not in ("Failed", "Canceled"):
        return
    problem = ((document.get("properties") or {}).get("status") or {}).get("provisioningError")
    word = state_of(document)
    raise error_from(fault_of(problem or {"code": f"Provisioning{word}", "message": f"it is {word}"}, 200), doing)


def send_when_free(send: Send, subject: Subject, doing: str, patience: Patience) -> HttpResponse:
    """Send a write once nothing is in the way; return the answer that accepted it.

    Raises:
        OperationInProgress: Another operation outlasted the wait.
        HttpResponseError: The service says no.
        AksWasmError: It did not answer.
    """
    if patience.clock.pause(0):
        raise Interrupted(f"stopped before it was asked to {doing}")
    sending = _Sending(send, subject)
    try:
        response = wait_until(tolerant(sending.look, patience.clock), what=subject.what, patience=patience)
    except TimedOut as error:
        if not sending.obstacle:
            raise
        raise OperationInProgress(
            f"cannot {doing}: another operation outlasted the wait ({sending.obstacle})",
            hint="wait for it, or raise `--timeout`; then run the same command again"
            + (f"; if it is stuck, `{subject.abort}` ends it" if subject.abort else ""),
        ) from error
    except HttpResponseError:
        raise
    except AzureError as error:
        raise from_arm(error, doing) from error
    return cast("HttpResponse", response)  # `look` is only done with one


class _Sending:
    """A write that waits for its turn: throttling is obeyed, another operation waited out."""

    def __init__(self, send: Send, subject: Subject) -> None:
        self._send = send
        self._subject = subject
        self._conflicts = 0
        self.obstacle = ""

    def look(self) -> Seen[HttpResponse]:
        """Try once, unless what was in the way still is."""
        if self.obstacle and (running := self._subject.busy()):
            self.obstacle = running
            return Seen(f"waiting for another operation: {running}")
        try:
            return Seen("accepted", done=True, value=self._send())
        except HttpResponseError as error:
            fault = fault_in(error)
            if fault.is_throttling:
                return Seen("throttled by the service", pause=fault.retry_after)
            if not fault.is_conflict:
                raise
            self.obstacle = fault.message
            self._conflicts += 1
            pause = None if self._conflicts == 1 else min(LONGEST_CONFLICT_PAUSE, 2.0**self._conflicts)
            return Seen(f"waiting for another operation: {fault.message}", pause=pause)
