"""How long a run may take, so that what does not fit is left out and said, rather than cut off by whoever waits."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass

VARIABLE = "AKS_WASM_E2E_MINUTES"
ENDS = "AKS_WASM_E2E_ENDS"
"""For the tests: when no case may begin any more, in seconds of this machine's monotonic clock."""
SET_UP_SHARE = 0.8  # of all there is; a bench that is ready later leaves too little to test anything


class OutOfTime(Exception):
    """The time of a part is up; the message says of which."""


@dataclass(frozen=True)
class Budget:
    """A time that is up at `ends`, in seconds of the monotonic clock; never, when that is infinite."""

    ends: float = math.inf

    @classmethod
    def from_environment(cls) -> Budget:
        """Take the minutes from AKS_WASM_E2E_MINUTES; without it there is no end.

        Raises:
            ValueError: They are no number.
        """
        given = os.environ.get(VARIABLE)
        return cls(time.monotonic() + float(given) * 60) if given else cls()

    @property
    def left(self) -> float:
        """Seconds, never less than 0."""
        return max(0.0, self.ends - time.monotonic())

    def share(self, part: float) -> Budget:
        """Return the budget of a part that begins at once."""
        return Budget(time.monotonic() + self.left * part)

    def variables(self) -> dict[str, str]:
        """What tells the tests."""
        return {} if math.isinf(self.ends) else {ENDS: f"{self.ends:.0f}"}
