"""Time that does not pass by itself."""

from __future__ import annotations

from collections.abc import Callable


class FakeClock:
    """A clock whose pauses take no time; `on_pause` hears of each."""

    def __init__(self, on_pause: Callable[[float], bool] | None = None) -> None:
        self.time = 0.0
        self.pauses: list[float] = []
        self._on_pause = on_pause

    def now(self) -> float:
        return self.time

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.time += seconds
        return bool(self._on_pause and self._on_pause(self.time))
