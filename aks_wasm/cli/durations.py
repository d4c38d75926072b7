"""Durations as people write them: 90s, 45m, 1h30m."""

from __future__ import annotations

import re

from aks_wasm.errors import UsageError

SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def parse_duration(text: str, source: str) -> float:
    """Return seconds.

    Args:
        text: One or more numbers, each with its unit.
        source: Who said so, for the message: an option or a variable.

    Raises:
        UsageError: It is not a duration, or none at all.
    """
    if not re.fullmatch(r"(\d+[dhms])+", text):
        raise UsageError(f"`{source}` is `{text}`, which is not a duration", hint="write it like 90s, 45m or 1h30m")
    seconds = sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)([dhms])", text))
    if seconds == 0:
        raise UsageError(f"`{source}` is `{text}`, which leaves no time at all", hint="write it like 90s or 45m")
    return float(seconds)
