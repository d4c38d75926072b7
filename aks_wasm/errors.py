"""The one error class the user meets, and its exit codes; adapters turn foreign exceptions into these.

AksWasmError                1  failed
├── UsageError              2  the command line or the environment is off
│   └── SpecInvalid         2  the file is off; `problems` lists every one
├── NotAllowed              3  not signed in, or signed in without the right
│   └── NotSignedIn         3
├── NoCapacity              4  quota or capacity is missing
├── TimedOut                5  it may still be going on over there
├── OperationInProgress     6  another operation outlasted the wait
├── Refused                 7  not ours to change, or would destroy
├── PreviewRetired          1  the service no longer grants WASI node pools; the shim route is the way
├── ServiceError            1  Azure, Kubernetes, a registry or an engine said no
│   └── Unreachable         1  nothing answers at that address
├── WorkloadFailed          1  a pod says it cannot run
└── Interrupted           130  Ctrl+C
"""

from __future__ import annotations

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


class SpecInvalid(UsageError):
    """The file is off; every problem at once."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"`{source}` is not a valid cluster spec{lines}", code="SpecInvalid")
        self.problems = tuple(problems)

    def to_dict(self) -> dict[str, object]:
        """Add the problems one by one, so that editors and pipelines can place them."""
        return {**super().to_dict(), "problems": [asdict(problem) for problem in self.problems]}


class NotAllowed(AksWasmError):
    """Signed in, but without the right."""

    exit_code = 3


class NotSignedIn(NotAllowed):
    """Nobody is signed in, or the credentials are no longer good."""


class NoCapacity(AksWasmError):
    """Quota or capacity is missing."""

    exit_code = 4


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
