"""An API server that does not answer for a while: AKS restarts it when it scales, and a new one takes a moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from aks_wasm.errors import Unreachable
from aks_wasm.waits import Clock, Patience, Seen, Tolerant, wait_until

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

T = TypeVar("T")


def tolerant(look: Callable[[], Seen[T]], clock: Clock) -> Tolerant[T]:
    """Return the look, which the API server may leave unanswered for a while."""
    return Tolerant(
        look, clock, lambda error: isinstance(error, Unreachable), "the API server does not answer; trying again"
    )


def wait_until_reachable(client: KubeClient, patience: Patience) -> None:
    """Wait until the API server answers.

    Raises:
        Unreachable: It has not answered for `waits.LOST_SECONDS`.
    """

    def look() -> Seen[None]:
        return Seen(f"Kubernetes {client.version()} answers", done=True)

    wait_until(tolerant(look, patience.clock), what="the cluster's API server", patience=patience)
