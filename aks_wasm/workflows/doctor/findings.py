"""What a diagnosis answers: what was looked at, what was found, and the one command that mends each finding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from aks_wasm.workflows.results import Table, records_table

Severity = Literal["error", "warning"]
_ORDER: tuple[Severity, ...] = ("error", "warning")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        code: A stable word for it, for example `NoRuntime`.
        message: The cause, in one sentence.
        object: What it is about, for example `Pod default/hello-1`.
        severity: `error` when something does not work, `warning` when it works and will not for long.
        node: The node where it happens, or None.
        demand: Its number among the causes that users of the neighbouring tools report, or None.
        evidence: The event, log line or field that shows it.
        command: What mends it.
        count: How many objects have it alike; `object` is the first.
        group: What makes findings alike beside code, node and message; not shown.
    """

    code: str
    message: str
    object: str
    severity: Severity = "error"
    node: str | None = None
    demand: int | None = None
    evidence: str | None = None
    command: str | None = None
    count: int = 1
    group: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what the document holds of it."""
        document: dict[str, Any] = {"code": self.code, "severity": self.severity}
        if self.demand is not None:
            document["demand"] = self.demand
        return document | {
            "object": self.object,
            "node": self.node,
            "count": self.count,
            "message": self.message,
            "evidence": self.evidence,
            "command": self.command,
        }


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `state` is `ok`, `found` or `skipped`; `about` says what, or why not."""

    name: str
    state: Literal["ok", "found", "skipped"]
    about: str


@dataclass(frozen=True)
class DoctorResult:
    """The answer of `doctor`."""

    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    kind: str = "DoctorResult"

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """Return the document."""
        return {
            "ok": self.ok,
            **self.facts,
            "checks": [{"name": check.name, "state": check.state, "about": check.about} for check in self.checks],
            "findings": [finding.to_dict() for finding in self.findings],
            "error": None,
        }

    def tables(self) -> list[Table]:
        """Return the findings and what was not looked at, or what was when nothing is wrong."""
        if not self.findings:
            return [records_table(self.checks, "Nothing wrong was found")]
        skipped = tuple((check.name, check.about) for check in self.checks if check.state == "skipped")
        rest = [Table(("NAME", "WHY"), skipped, "Not looked at")] if skipped else []
        return [*map(_table, self.findings), *rest]

    def names(self) -> list[str]:
        """Return `code object` of each finding."""
        return [f"{finding.code} {finding.object}" for finding in self.findings]


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Put findings that are alike together, the worst first, the rest in the order in which they were found."""
    alike: dict[tuple[Any, ...], Finding] = {}
    for finding in findings:
        key = (finding.code, finding.severity, finding.node, finding.message, finding.group or finding.object)
        first = alike.get(key)
        alike[key] = finding if first is None else replace(first, count=first.count + finding.count)
    return tuple(sorted(alike.values(), key=lambda finding: _ORDER.index(finding.severity)))


def _table(finding: Finding) -> Table:
    others = f" and {finding.count - 1} alike" if finding.count > 1 else ""
    rows = [
        ("where", finding.object + others + (f" on node {finding.node}" if finding.node else "")),
        ("why", finding.message),
        ("seen", finding.evidence),
        ("mend", finding.command),
    ]
    names, texts = zip(*((name, text) for name, text in rows if text), strict=True)
    return Table(names, (texts,), f"{finding.severity}: {finding.code}", upright=True)
