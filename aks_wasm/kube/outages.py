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
    return Tolerant(look, clock, lambda error: isinstance(error, Unreachable), "no answer; trying again")


def wait_until_reachable(connect: Callable[[], KubeClient], patience: Patience) -> None:
    """Wait until the API server answers.

    Args:
        connect: Returns its client; whoever gives the credentials may be out of reach for a while as well.
        patience: How long.

    Raises:
        Unreachable: It has not answered for `waits.LOST_SECONDS`.
    """

    def look() -> Seen[None]:
        return Seen(f"Kubernetes {connect().version()} answers", done=True)

    wait_until(tolerant(look, patience.clock), what="the cluster's API server", patience=patience)
