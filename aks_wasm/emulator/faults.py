"""Scripted faults: what goes wrong with which Resource Manager requests, how often and from when on."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aks_wasm.emulator.state import Documents

ANSWERS = frozenset(
    {
        "error",  # any error: status, code, message, wrapped, retryAfter
        "quota",  # ErrCode_InsufficientVCPUQuota; with `usage` and `limit` it lowers a limit instead
        "sku-not-available",
        "throttled",  # AKS's own 429 with Retry-After
        "too-many-requests",  # AKS's 429 with the seconds in its text and no header
        "subscription-throttled",  # Resource Manager's 429
        "conflict",  # 409, another operation is in progress
        "token-expired",  # 401 though the token is good
        "html",  # a proxy's page in place of the answer
        "cut",  # the connection ends without an answer; `moment`: before or after the request took effect
        "slow",  # the answer takes `seconds` longer
    }
)
"""Faults that take the place of the answer, or delay it."""

OUTCOMES = frozenset(
    {
        "failed",  # the operation fails with `code` and `message`
        "failed-then-succeeds",  # it reports failure, and the resource is there after all (AKS#1972)
        "succeeded-with-error",  # it reports Succeeded and an error (azure-powershell#23812)
        "stuck",  # it never ends, until aborted or the resource is deleted; a feature stays Pending
    }
)
"""Faults that befall the operation which the request starts."""

_COLLECTION = "faults"


@dataclass(frozen=True)
class Fault:
    """One scripted fault.

    Attributes:
        id: Names it for removal.
        name: One of ANSWERS or OUTCOMES.
        method: The HTTP method it befalls, or None for all.
        path: Regular expression searched in the path without query, ignoring case.
        times: How often it strikes; None is for ever.
        after: How many matching requests pass first.
        parameters: What the fault of that name takes.
    """

    id: str
    name: str
    method: str | None = None
    path: str = ""
    times: int | None = 1
    after: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_outcome(self) -> bool:
        """Whether it befalls the operation and not the answer."""
        return self.name in OUTCOMES

    @property
    def lowers_a_limit(self) -> bool:
        """Whether it is a quota fault that changes a limit, and so strikes no request."""
        return self.name == "quota" and "limit" in self.parameters

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Fault:
        """Read what the control API was given.

        Raises:
            ValueError: The name is unknown, the expression is none, or a number is negative.
        """
        name = document.get("fault")
        if name not in ANSWERS | OUTCOMES:
            known = ", ".join(sorted(ANSWERS | OUTCOMES))
            raise ValueError(f"`{name}` is no fault; known are {known}")
        match = document.get("match") or {}
        path, method = str(match.get("path") or ""), match.get("method")
        try:
            re.compile(path)
        except re.error as error:
            raise ValueError(f"`{path}` is no regular expression: {error}") from error
        times, after = document.get("times", 1), document.get("after", 0)
        if not isinstance(after, int) or after < 0 or not (times is None or (isinstance(times, int) and times > 0)):
            raise ValueError("`times` is a number from 1 on or null, `after` a number from 0 on")
        known_keys = {"id", "fault", "match", "times", "after"}
        return cls(
            id=str(document.get("id") or uuid.uuid4()),
            name=name,
            method=str(method).upper() if method else None,
            path=path,
            times=times,
            after=after,
            parameters={key: value for key, value in document.items() if key not in known_keys},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `parse` reads."""
        return {
            "id": self.id,
            "fault": self.name,
            "match": {"method": self.method, "path": self.path},
            "times": self.times,
            "after": self.after,
            **self.parameters,
        }

    def matches(self, method: str, path: str) -> bool:
        """Tell whether a request is one of those it is meant for."""
        if self.lowers_a_limit or (self.method is not None and self.method != method.upper()):
            return False
        return re.search(self.path, path, re.IGNORECASE) is not None


class Faults:
    """The script; it is part of the emulator's state, so it lives through a restart."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def add(self, document: Mapping[str, Any]) -> Fault:
        """Put a fault at the end of the script.

        Args:
            document: {match: {method, path}, fault, times, after, ...parameters}.

        Raises:
            ValueError: It makes no sense; the message says why.
        """
        fault = Fault.parse(document)
        self._documents.put(_COLLECTION, fault.id, fault.to_dict())
        return fault

    def all(self) -> list[Fault]:
        """Return what has not yet struck for the last time, in order."""
        return [Fault.parse(document) for _, document in self._documents.items(_COLLECTION)]

    def remove(self, fault_id: str) -> bool:
        """Take a fault out of the script; tell whether it was there."""
        known = self._documents.get(_COLLECTION, fault_id) is not None
        self._documents.delete(_COLLECTION, fault_id)
        return known

    def clear(self) -> None:
        """Empty the script."""
        for fault in self.all():
            self.remove(fault.id)

    def strike(self, method: str, path: str) -> Fault | None:
        """Return the fault that befalls this request, and count it; None when nothing is scripted for it."""
        struck: Fault | None = None
        for fault in self.all():
            if not fault.matches(method, path):
                continue
            if fault.after > 0:
                self._count(fault, "after")
            elif struck is None:
                struck = fault
                if fault.times is not None:
                    self._count(fault, "times")
        return struck

    def limits(self) -> dict[str, int]:
        """Return the lowered quota limits by usage name, lower case: `cores`, `lowprioritycores` or a family."""
        return {
            str(fault.parameters.get("usage", "cores")).lower(): int(fault.parameters["limit"])
            for fault in self.all()
            if fault.lowers_a_limit
        }

    def _count(self, fault: Fault, counter: str) -> None:
        document = fault.to_dict()
        document[counter] -= 1
        if document["times"] == 0:
            self._documents.delete(_COLLECTION, fault.id)
        else:
            self._documents.put(_COLLECTION, fault.id, document)
