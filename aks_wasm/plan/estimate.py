"""How long a plan is likely to take: its critical path through recorded durations.

Answers demand 23 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from aks_wasm.plan.plan import Plan


def critical_seconds(plan: Plan, typical: Mapping[str, float]) -> float:
    """Return the seconds of the longest chain of steps that wait for each other.

    Args:
        plan: The steps.
        typical: Seconds by the noun that a step's name begins with, for example `cluster`; others take none.
    """
    graph = plan.graph()
    ends: dict[str, float] = {}
    for step in plan:
        begins = max((ends[name] for name in graph[step.name]), default=0.0)
        ends[step.name] = begins + typical.get(step.name.partition("/")[0], 0.0)
    return max(ends.values(), default=0.0)
