"""The emulator's clock: recorded durations of the real service, scaled by `--pace`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DEFAULT_FACTOR = 0.01  # a cluster that takes AKS four minutes is there after two or three seconds
REAL = "real"


@dataclass(frozen=True)
class Pace:
    """How fast the emulator lives.

    Attributes:
        factor: 0 waits for nothing (tests), 0.01 is the default, 1 (`real`) takes as long as recorded.
    """

    factor: float = DEFAULT_FACTOR

    @classmethod
    def parse(cls, text: str) -> Pace:
        """Read `--pace`: a number from 0 on, or `real`.

        Raises:
            ValueError: It is neither.
        """
        factor = 1.0 if text == REAL else float(text)
        if not 0 <= factor < float("inf"):
            raise ValueError(f"`{text}` is not a pace")
        return cls(factor)

    def scaled(self, seconds: float) -> float:
        """Return the seconds of wall time that `seconds` of the real service take here."""
        return self.factor * seconds

    async def spend(self, seconds: float) -> None:
        """Let `seconds` of the real service pass; with factor 0 only others get a turn."""
        await asyncio.sleep(self.scaled(seconds))

    def after(self, seconds: float) -> datetime:
        """Return the moment (UTC) when `seconds` of the real service will have passed."""
        return datetime.now(UTC) + timedelta(seconds=self.scaled(seconds))
