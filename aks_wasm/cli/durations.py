"""Durations as people write them: 90s, 45m, 1h30m."""

from __future__ import annotations

from aks_wasm.errors import UsageError
from aks_wasm.spec.duration import seconds_of


def parse_duration(text: str, source: str) -> float:
    """Return seconds.

    Args:
        text: One or more numbers, each with its unit.
        source: Who said so, for the message: an option or a variable.

    Raises:
        UsageError: It is not a duration, or none at all.
    """
    seconds = seconds_of(text)
    if seconds is None:
        raise UsageError(f"`{source}` is `{text}`, which is not a duration", hint="write it like 90s, 45m or 1h30m")
    if seconds == 0:
        raise UsageError(f"`{source}` is `{text}`, which leaves no time at all", hint="write it like 90s or 45m")
    return float(seconds)
