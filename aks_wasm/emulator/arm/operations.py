"""Long-running operations: documents that live through a restart, and the tasks that bring them to an end."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.errors import ArmError, ProviderError
from aks_wasm.emulator.arm.names import is_within, key_of, moment, now, seven_digits
from aks_wasm.emulator.arm.routing import Call
from aks_wasm.emulator.arm.signing import UrlSigner

STATUS_VERSION = "2025-03-01"  # what operation URLs carried in 2026, whatever version was asked with
RESULT_VERSION = "2024-11-01"
HEAL_SECONDS = 60  # how long a create that reported failure takes to turn out well
KEPT = 50  # ended operations; older ones are forgotten
# Two collections, so that the question of every write, what is going on, costs nothing with history.
_GOING_ON = "arm.operations"
_ENDED = "arm.operations.ended"
_RUNNING = "InProgress"
_NOT_LATEST = {
    "code": "NotLatestOperation",
    "message": "Cannot proceed with the operation. Either the operation has been preempted by another one, or the "
    "information needed by the operation failed to be saved (or hasn't been saved yet).",
}  # azure-powershell#23812
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """One kind of operation.

    Attributes:
        seconds: How long the real service was seen to take.
        run: The physical part, on the emulated cluster; goes on beside the clock; harmless when repeated.
        settle: Writes the end into the resources' documents; gets the error, or None.
        phases: (share of the time passed, status word) in order.
    """

    seconds: float
    run: Callable[[Arm, Document], Awaitable[None]]
    settle: Callable[[Arm, Document, Document | None], None]
    phases: tuple[tuple[float, str], ...] = ((0.0, _RUNNING),)


@dataclass(frozen=True)
class Start:
    """What to start.

    Attributes:
        work: The kind of operation.
        target: Id of the resource it changes.
        state: The provisioning state meanwhile, which conflicts name: Creating, Updating, ...
        location: The region, part of the operation's URL.
        cluster: Id of the managed cluster it belongs to; empty for resource groups.
        pool: Name of the agent pool, when it changes only that one.
        payload: What run and settle need to know.
    """

    work: str
    target: str
    state: str
    location: str
    cluster: str = ""
    pool: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)


class Operations:
    """Everything that is going on or has ended lately."""

    def __init__(self, arm: Arm, works: Mapping[str, Work]) -> None:
        self._arm = arm
        self._works = works
        self._documents = arm.documents
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.signer = UrlSigner(arm.documents)

    def start(self, call: Call, start: Start) -> Document:
        """Note the operation and set it going; return its document."""
        self._forget_old()
        operation: Document = {
            "id": str(uuid.uuid4()),
            "subscription": call["subscription"],
            "caller": call.caller.object_id,
            "work": start.work,
            "target": key_of(start.target),
            "cluster": key_of(start.cluster),
            "pool": start.pool,
            "state": start.state,
            "location": start.location,
            "payload": dict(start.payload),
            "outcome": call.outcome.to_dict() if call.outcome else None,
            "started": now().isoformat(),
            "due": self._arm.pace.after(self._works[start.work].seconds).isoformat(),
            "status": _RUNNING,
            "ended": None,
            "error": None,
        }
        self._put(operation)
        self._spawn(operation)
        return operation

    def get(self, operation_id: str) -> Document | None:
        """Return the operation's document, or None."""
        key = operation_id.lower()
        return self._documents.get(_GOING_ON, key) or self._documents.get(_ENDED, key)

    def all(self) -> list[Document]:
        """Return every operation known: those that have ended, then those that have not."""
        return [operation for kept in (_ENDED, _GOING_ON) for _, operation in self._documents.items(kept)]

    def running(self, scope: str) -> Iterator[Document]:
        """Yield what is going on at a resource or below it."""
        for _, operation in self._documents.items(_GOING_ON):
            if is_within(operation["target"], scope):
                yield operation

    def refuse_when_busy(self, cluster: str, *, pool: str = "") -> None:
        """Refuse a change while another operation is going on in the cluster.

        Args:
            cluster: The cluster's id.
            pool: The pool to be changed; empty when it is the cluster.

        Raises:
            ProviderError: 409 OperationNotAllowed in AKS's words; there is no Retry-After.
        """
        for operation in self.running(cluster):
            raise busy(operation["state"], running_pool=operation["pool"], changes_pool=bool(pool))

    def preempt(self, scope: str, error: Mapping[str, Any], *, status: str = "Failed") -> None:
        """End what is going on at a resource or below it; whoever preempts settles the resources."""
        for operation in list(self.running(scope)):
            task = self._tasks.pop(operation["id"], None)
            if task is not None:
                task.cancel()
            self._end(operation, status, dict(error))

    def status(self, operation: Document) -> Document:
        """Return the body of a poll."""
        body = {"name": operation["id"], "status": self._status_word(operation)}
        body["startTime"] = seven_digits(moment(operation["started"]))
        if operation["ended"]:
            body["endTime"] = seven_digits(moment(operation["ended"]))
        if operation["error"]:
            body["error"] = operation["error"]
        return body

    def status_headers(self, call: Call, operation: Document) -> dict[str, str]:
        """Return the header that leads a PUT's answer to its operation."""
        return {"azure-asyncoperation": self._aks_url(call, operation, "operations")}

    def result_headers(self, call: Call, operation: Document) -> dict[str, str]:
        """Return the Location header of a 202."""
        return {"location": self._aks_url(call, operation, "operationresults")}

    def resume(self) -> None:
        """Go on with what a former process left unfinished."""
        for operation in self.all():
            if operation["ended"] is None or operation.get("heals"):
                self._spawn(operation)

    async def close(self) -> None:
        """Stop all tasks; their operations go on with the next `resume`."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _aks_url(self, call: Call, operation: Document, kind: str) -> str:
        path = (
            f"/subscriptions/{operation['subscription']}/providers/Microsoft.ContainerService"
            f"/locations/{operation['location']}/{kind}/{operation['id']}"
        )
        return f"{self._arm.base_url}{path}?{self.signer.query(path, STATUS_VERSION, call.caller)}"

    def _status_word(self, operation: Document) -> str:
        if operation["status"] != _RUNNING:
            return str(operation["status"])
        start, due = moment(operation["started"]), moment(operation["due"])
        share = (now() - start) / (due - start) if due > start else 1.0
        phases = self._works[operation["work"]].phases
        return next(word for since, word in reversed(phases) if share >= since)

    def _spawn(self, operation: Document) -> None:
        task = asyncio.create_task(self._drive(operation), name=f"operation {operation['id']}")
        self._tasks[operation["id"]] = task

    async def _drive(self, operation: Document) -> None:
        try:
            if not operation.get("heals"):
                await self._bring_to_an_end(operation)
            if operation.get("heals"):
                await _until(operation["heals"])
                operation["heals"] = None
                self._works[operation["work"]].settle(self._arm, operation, None)
                self._put(operation)
        finally:
            self._tasks.pop(operation["id"], None)

    async def _bring_to_an_end(self, operation: Document) -> None:
        outcome: Document = operation["outcome"] or {}
        name, work = outcome.get("fault"), self._works[operation["work"]]
        if name == "stuck":
            await asyncio.Event().wait()
        error = await self._worked(work, operation, idle=name == "failed")
        status = "Failed" if error else "Succeeded"
        if not error and name in {"failed", "failed-then-succeeds"}:
            error, status = _scripted(outcome), "Failed"
        work.settle(self._arm, operation, error)
        if name == "failed-then-succeeds":
            operation["heals"] = self._arm.pace.after(outcome.get("seconds", HEAL_SECONDS)).isoformat()
        if name == "succeeded-with-error" and not error:
            error = _NOT_LATEST
        self._end(operation, status, error)

    async def _worked(self, work: Work, operation: Document, *, idle: bool) -> Document | None:
        """Do the physical part, then let the rest of the recorded time pass; return what went wrong."""
        try:
            if not idle:
                await work.run(self._arm, operation)
            await _until(operation["due"])
        except ArmError as error:
            return error.detail()
        except Exception:  # noqa: BLE001 - whatever breaks behind Azure's face is a failed operation there too
            _log.exception("operation %s on %s failed", operation["id"], operation["target"])
            return {"code": "InternalOperationError", "message": "Internal server error"}
        return None

    def _end(self, operation: Document, status: str, error: Document | None) -> None:
        operation.update(status=status, error=error, ended=now().isoformat())
        self._put(operation)
        self._documents.delete(_GOING_ON, operation["id"])

    def _put(self, operation: Document) -> None:
        self._documents.put(_ENDED if operation["ended"] else _GOING_ON, operation["id"], operation)

    def _forget_old(self) -> None:
        for operation_id, _ in self._documents.items(_ENDED)[:-KEPT]:
            self._documents.delete(_ENDED, operation_id)


def busy(state: str, *, running_pool: str = "", changes_pool: bool = False) -> ProviderError:
    """Return AKS's 409 for a change while another is going on (texts of facts azure.md section 3)."""
    named = f"{running_pool} - {state}" if running_pool else state
    kind = "agentpool operation" if running_pool and changes_pool else "operation"
    message = (
        f"Operation is not allowed: Another {kind} ({named}) is in progress, please wait for it to finish before "
        "starting a new operation. See https://aka.ms/aks-pending-operation for more details"
    )
    return ProviderError(409, "OperationNotAllowed", message)


def _scripted(outcome: Document) -> Document:
    error = {
        "code": outcome.get("code", "InternalOperationError"),
        "message": outcome.get("message", "Internal server error"),
    }
    return {**error, **({"details": outcome["details"]} if "details" in outcome else {})}


async def _until(when: str) -> None:
    await asyncio.sleep(max(0.0, (moment(when) - now()).total_seconds()))
