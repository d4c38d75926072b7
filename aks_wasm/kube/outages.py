"""An API server that does not answer for a while: AKS restarts it when it scales, and a new one takes a moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from aks_wasm.errors import Unreachable
from aks_wasm.waits import Clock, Patience, Seen, wait_until

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

T = TypeVar("T")

LOST_SECONDS = 120.0  # as long as operations on Resource Manager outlive a lost connection


class Tolerant(Generic[T]):
    """A look that an API server may leave unanswered for LOST_SECONDS."""

    def __init__(self, look: Callable[[], Seen[T]], clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._lost_since: float | None = None

    def __call__(self) -> Seen[T]:
        """Look, unless nobody answers."""
        try:
            seen = self._look()
        except Unreachable:
            now = self._clock.now()
            self._lost_since = now if self._lost_since is None else self._lost_since
            if now - self._lost_since > LOST_SECONDS:
                raise
            return Seen("the API server does not answer; trying again")
        self._lost_since = None
        return seen


def wait_until_reachable(client: KubeClient, patience: Patience) -> None:
    """Wait until the API server answers.

    Raises:
        Unreachable: It has not answered for LOST_SECONDS.
    """

    def look() -> Seen[None]:
        return Seen(client.version(), done=True)

    wait_until(Tolerant(look, patience.clock), what="the cluster's API server", patience=patience)
