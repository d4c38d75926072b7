"""Comparing two transcripts, and the one table of differences that are known and why they stay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TABLE = Path(__file__).with_name("differences.yaml")
ABSENT = "<absent>"


@dataclass(frozen=True)
class Difference:
    """One place where the servers do not say the same.

    Attributes:
        scenario: Its name.
        place: Which request, and where in its answer, as `3 GET /path: status.reason`.
    """

    scenario: str
    place: str
    real: Any
    emulated: Any

    def __str__(self) -> str:
        return f"{self.scenario} | {self.place}\n    real:     {self.real!r}\n    emulated: {self.emulated!r}"


@dataclass(frozen=True)
class Known:
    """A row of the table: differences that stay, with the reason."""

    scenario: str
    place: str
    reason: str

    def covers(self, difference: Difference) -> bool:
        """Tell whether it is this one: both patterns must match in full."""
        return bool(re.fullmatch(self.scenario, difference.scenario) and re.fullmatch(self.place, difference.place))


def known_differences() -> list[Known]:
    """Read the table."""
    return [Known(**row) for row in yaml.safe_load(TABLE.read_text()) or []]


def differences(scenario: str, real: list[dict[str, Any]], emulated: list[dict[str, Any]]) -> Iterator[Difference]:
    """Yield every difference, request by request."""
    for number, (left, right) in enumerate(zip(real, emulated, strict=True), 1):
        request = f"{number} {left['request'].partition('?')[0]}"
        if left["status"] != right["status"]:
            yield Difference(scenario, f"{request}: status", _told(left), _told(right))
            continue  # the rest of such answers has nothing in common
        for place, one, other in _compare(left, right, ""):
            yield Difference(scenario, f"{request}: {place}", one, other)


def _told(line: dict[str, Any]) -> str:
    body = line["body"]
    return f"{line['status']} {body.get('message', '') if isinstance(body, dict) else body}".strip()


def _compare(real: Any, emulated: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(real, dict) and isinstance(emulated, dict):
        for key in sorted({*real, *emulated}):
            if place == "" and key == "request":
                continue
            inner = f"{place}.{key}" if place else key
            yield from _compare(real.get(key, ABSENT), emulated.get(key, ABSENT), inner)
    elif isinstance(real, list) and isinstance(emulated, list) and len(real) == len(emulated):
        for index, (one, other) in enumerate(zip(real, emulated, strict=True)):
            yield from _compare(one, other, f"{place}[{index}]")
    elif real != emulated:
        yield place, real, emulated
