"""A plan: a graph of steps. Reading it, checking it, and nothing that acts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from aks_wasm.steps.step import Step


@dataclass(frozen=True)
class Plan:
    """Steps and what they wait for. An empty plan means that everything is as asked for."""

    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if len(set(names)) != len(names):
            raise ValueError(f"two steps of one name: {names}")
        try:
            TopologicalSorter(self.graph()).prepare()
        except CycleError as error:
            raise ValueError(f"steps wait for each other: {error.args[1]}") from error

    def graph(self) -> dict[str, tuple[str, ...]]:
        """Return what each step waits for, among the steps of this plan."""
        known = {step.name for step in self.steps}
        return {step.name: tuple(name for name in step.depends_on if name in known) for step in self.steps}

    def __iter__(self) -> Iterator[Step]:
        """Iterate in an order in which the steps could run one by one."""
        by_name = {step.name: step for step in self.steps}
        return iter([by_name[name] for name in TopologicalSorter(self.graph()).static_order()])

    def __len__(self) -> int:
        return len(self.steps)

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the steps in order: name, summary, dependsOn."""
        graph = self.graph()
        return [{"name": step.name, "summary": step.describe(), "dependsOn": list(graph[step.name])} for step in self]
