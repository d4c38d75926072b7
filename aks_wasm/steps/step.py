"""What a step is, and what it acts with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from aks_wasm.events import EventSink
from aks_wasm.providers.base import Provider
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.waits import Clock, Patience


class Step(Protocol):
    """One effect with a stable name; harmless when repeated. Steps are frozen dataclasses."""

    @property
    def name(self) -> str:
        """`noun/name`, for example `node-pool/wasm`."""

    @property
    def depends_on(self) -> tuple[str, ...]:
        """Names of steps that must be done first; names that are not in the plan count as done."""

    def describe(self) -> str:
        """Say in one sentence what it will do."""

    def run(self, context: StepContext) -> str | None:
        """Do it and wait for it; return a word on the outcome, if there is one to say."""


@dataclass
class StepContext:
    """What steps act with. One for all steps of a run; they run side by side.

    Attributes:
        spec: What is wanted.
        provider: Where the cluster comes from.
        connect: Returns the client of the cluster's own API; the same one each time.
        emit: Where warnings go.
        clock: Where time comes from.
        deadline: By that clock, when the whole run has taken too long.
        on_state: Called with the state a wait has seen; set for each step by the runner.
        notes: What a step learned that a later one needs, for example the route a pool got.
    """

    spec: ClusterSpec
    provider: Provider
    connect: Callable[[], Any]
    emit: EventSink
    clock: Clock
    deadline: float
    on_state: Callable[[str], None] = lambda _state: None
    notes: dict[str, Any] = field(default_factory=dict)

    def patience(self, at_most: float | None = None) -> Patience:
        """Return how long a step may still wait: what is left of the run, or `at_most` seconds if that is less."""
        left = max(0.0, self.deadline - self.clock.now())
        return Patience(left if at_most is None else min(left, at_most), self.clock, self.on_state)
