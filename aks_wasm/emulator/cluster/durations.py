"""Durations and ages as `kubectl get` prints them (apimachinery's duration.HumanDuration)."""

from __future__ import annotations

from datetime import UTC, datetime

from aks_wasm.emulator.cluster.trees import parse_time

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
# Up to that many seconds: the larger unit with its letter, and the smaller one that goes with it, if any.
_FORMS: tuple[tuple[int, int, str, int, str], ...] = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


def human(seconds: float) -> str:
    """Return `5m10s`, `3h`, `2d4h`, ..."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(whole, 0)
    for bound, unit, letter, small, small_letter in _FORMS:
        if whole < bound:
            rest = whole % unit // small if small else 0
            return f"{whole // unit}{letter}" + (f"{rest}{small_letter}" if rest else "")
    return f"{whole // _YEAR}y"


def age(moment: str | None) -> str:
    """Return how long ago a metav1.Time was."""
    if not moment:
        return "<unknown>"
    return human((datetime.now(UTC) - parse_time(moment)).total_seconds())


def between(start: str, end: str | None) -> str:
    """Return how long it was from one metav1.Time to another, to now when that is None."""
    last = parse_time(end) if end else datetime.now(UTC)
    return human((last - parse_time(start)).total_seconds())
