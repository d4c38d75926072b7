"""The one error class the user meets, and its exit codes; adapters turn foreign exceptions into these.

AksWasmError                1  failed
├── UsageError              2  the command line or the environment is off
│   └── SpecInvalid         2  the file is off; `problems` lists every one
├── NotAllowed              3  not signed in, or signed in without the right
│   ├── NotSignedIn         3
│   └── RightsMissing       3  found out beforehand; the message lists every one
├── NoCapacity              4  quota or capacity is missing
│   └── QuotaMissing        4  found out beforehand; `problems` lists every shortage
├── TimedOut                5  it may still be going on over there
├── OperationInProgress     6  another operation outlasted the wait
├── Refused                 7  not ours to change, or would destroy
├── PreviewRetired          1  the service no longer grants WASI node pools; the shim route is the way
├── ServiceError            1  Azure, Kubernetes, a registry or an engine said no
│   └── Unreachable         1  nothing answers at that address
├── WorkloadFailed          1  a pod says it cannot run
└── Interrupted           130  Ctrl+C

Answers demand 17 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass


class AksWasmError(Exception):
    """Something the user should read: one sentence, and the way forward.

    Attributes:
        message: One sentence in lower case without a full stop, backticks round what the user types.
        code: A stable word for scripts, for example `QuotaExceeded`; ARM's own code where there is one.
        hint: What to do about it, or None.
        details: What the third party said, shown with `--verbose`, or None.
        docs_url: A page that says more, or None.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        details: str | None = None,
        docs_url: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).__name__
        self.hint = hint
        self.details = details
        self.docs_url = docs_url

    def to_dict(self) -> dict[str, object]:
        """Return the `error` member of every JSON result."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "details": self.details}


class UsageError(AksWasmError):
    """The command line or the environment is off."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the spec or with what it asks for.

    Attributes:
        field: Where in the file, for example `nodePools.0.name`; empty for the file as a whole.
        message: What is wrong, naming the value.
        hint: The way out, or None.
    """

    field: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        place = f"{self.field}: " if self.field else ""
        return f"{place}{self.message}" + (f" ({self.hint})" if self.hint else "")


@dataclass(frozen=True)
class Shortage(Problem):
    """Nothing is wrong with what is asked for, but quota or capacity for it is missing."""


@dataclass(frozen=True)
class NoRight(Problem):
    """Nothing is wrong with what is asked for, but whoever asks may not do it."""


class SpecInvalid(UsageError):
    """The file is off; every problem at once. Without a source: well formed, but not to be had here."""

    def __init__(self, source: str | None, problems: Sequence[Problem]) -> None:
        head = f"`{source}` is not a valid cluster spec" if source else "what the spec asks for can't be done here"
        hint = None if source else "nothing was made; change the file, or override a field with `--set FIELD=VALUE`"
        super().__init__(_listed(head, problems), code="SpecInvalid", hint=hint)
        self.problems = tuple(problems)

    def to_dict(self) -> dict[str, object]:
        """Add the problems one by one, so that editors and pipelines can place them."""
        return {**super().to_dict(), "problems": [asdict(problem) for problem in self.problems]}


def _listed(head: str, problems: Sequence[Problem]) -> str:
    return head + "".join(f"\n  {problem}" for problem in problems)


class NotAllowed(AksWasmError):
    """Signed in, but without the right."""

    exit_code = 3


class RightsMissing(NotAllowed):
    """What is about to be done needs rights that the signed-in identity lacks; every one at once."""

    def __init__(self, problems: Sequence[NoRight]) -> None:
        head = "the signed-in identity may not do what the spec asks for"
        hint = "nothing was made; ask for a role with these rights, for example Contributor"
        super().__init__(_listed(head, problems), code="RightsMissing", hint=hint)


class NotSignedIn(NotAllowed):
    """Nobody is signed in, or the credentials are no longer good."""


class NoCapacity(AksWasmError):
    """Quota or capacity is missing."""

    exit_code = 4


class QuotaMissing(NoCapacity):
    """What the spec asks for is more than quota or capacity allow; every shortage at once."""

    def __init__(self, shortages: Sequence[Problem]) -> None:
        head = "quota or capacity is missing for what the spec asks for"
        hint = "nothing was made; https://aka.ms/aks/quota tells how to ask for more"
        super().__init__(_listed(head, shortages), code="QuotaExceeded", hint=hint)
        self.problems = tuple(shortages)

    def to_dict(self) -> dict[str, object]:
        """Add the shortages one by one."""
        return {**super().to_dict(), "problems": [asdict(problem) for problem in self.problems]}


class TimedOut(AksWasmError):
    """The wait ended before the work did; the work may go on over there."""

    exit_code = 5


class OperationInProgress(AksWasmError):
    """Another operation on the same resource outlasted the wait."""

    exit_code = 6


class Refused(AksWasmError):
    """Doing it would touch what is not ours, or destroy something."""

    exit_code = 7


class PreviewRetired(AksWasmError):
    """The service does not grant WASI node pools; the shim route is the way (Azure/AKS#4770)."""


class ServiceError(AksWasmError):
    """Azure, Kubernetes, a registry or a container engine said no."""


class Unreachable(ServiceError):
    """Nothing answers at that address."""


class WorkloadFailed(AksWasmError):
    """A pod says that it cannot run; the message carries its own words."""


class Interrupted(AksWasmError):
    """The user pressed Ctrl+C; nothing was deleted."""

    exit_code = 130
