"""Durations as people write them: `45m`, `1h30m`, `2d`."""

from __future__ import annotations

import re

DURATION = r"^(\d+[dhms])+$"
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def seconds_of(text: str) -> int | None:
    """Return the seconds of a duration such as `1h30m`; None when it is not one."""
    if not re.fullmatch(DURATION, text):
        return None
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)([dhms])", text))
