from __future__ import annotations

from aks_wasm.plan.estimate import critical_seconds
from aks_wasm.plan.plan import Plan
from tests.unit.plan.test_runner import Do

TYPICAL = {"cluster": 222.0, "node-pool": 94.0, "feature": 120.0}


def test_what_runs_side_by_side_counts_once() -> None:
    plan = Plan((Do("cluster/a"), Do("feature/b"), Do("node-pool/c", ("cluster/a", "feature/b")), Do("image/d")))
    assert critical_seconds(plan, TYPICAL) == 316


def test_an_empty_plan_takes_no_time() -> None:
    assert critical_seconds(Plan(), TYPICAL) == 0
