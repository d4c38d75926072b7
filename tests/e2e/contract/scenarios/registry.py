"""Scenarios: what a client does, told once; each runs in a namespace of its own on every API server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.contract.transcript import Transcript


@dataclass(frozen=True)
class Space:
    """The scenario's namespace, as the paths of its objects."""

    name: str

    @property
    def core(self) -> str:
        return f"/api/v1/namespaces/{self.name}"

    @property
    def apps(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.name}"

    @property
    def batch(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.name}"


Scenario = Callable[[Transcript, Space], None]
SCENARIOS: dict[str, Scenario] = {}


def scenario(play: Scenario) -> Scenario:
    """Register a function under its name."""
    SCENARIOS[play.__name__] = play
    return play
