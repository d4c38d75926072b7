from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from aks_wasm.errors import AksWasmError, Interrupted
from aks_wasm.events import Event, StepFailed, StepFinished, StepProgressed, StepSkipped, StepStarted
from aks_wasm.plan.plan import Plan
from aks_wasm.plan.runner import run_plan
from aks_wasm.steps.step import StepContext
from aks_wasm.waits import Seen, SystemClock, wait_until


@dataclass(frozen=True)
class Do:
    name: str
    depends_on: tuple[str, ...] = ()
    act: Callable[[StepContext], str | None] = lambda _context: None

    def describe(self) -> str:
        return f"do {self.name}"

    def run(self, context: StepContext) -> str | None:
        return self.act(context)


def context(events: list[Event]) -> StepContext:
    clock = SystemClock()
    nothing = cast("Any", None)
    return StepContext(nothing, nothing, nothing, events.append, clock, clock.now() + 60)


def fail(_context: StepContext) -> None:
    raise AksWasmError("no quota")


def test_steps_run_after_what_they_wait_for() -> None:
    order: list[str] = []

    def note(name: str) -> Callable[[StepContext], None]:
        return lambda _context: order.append(name)

    run_plan(Plan((Do("b", ("a",), note("b")), Do("c", ("b",), note("c")), Do("a", (), note("a")))), context([]))
    assert order == ["a", "b", "c"]


def test_independent_steps_run_side_by_side() -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(_context: StepContext) -> None:
        both.wait()

    assert run_plan(Plan((Do("a", (), meet), Do("b", (), meet))), context([])).error is None


def test_a_failure_is_returned_and_nothing_that_waits_for_it_begins() -> None:
    events: list[Event] = []
    outcome = run_plan(Plan((Do("a", (), fail), Do("b", ("a",)))), context(events))
    assert isinstance(outcome.error, AksWasmError)
    assert outcome.states == {"a": "failed", "b": "not-run"}
    assert [type(event) for event in events] == [StepStarted, StepFailed, StepSkipped]


def test_a_step_that_waits_when_another_fails_stops_waiting() -> None:
    def wait_for_ever(context: StepContext) -> None:
        wait_until(lambda: Seen("Creating"), what="cluster `x`", patience=context.patience())

    outcome = run_plan(Plan((Do("a", (), fail), Do("b", (), wait_for_ever))), context([]))
    assert outcome.states == {"a": "failed", "b": "failed"}
    assert str(outcome.error) == "no quota"


def test_a_step_that_does_not_wait_is_brought_to_its_end() -> None:
    failed = threading.Event()

    def fail_first(_context: StepContext) -> None:
        failed.set()
        raise AksWasmError("no")

    def go_on(_context: StepContext) -> str:
        failed.wait(10)
        return "finished all the same"

    outcome = run_plan(Plan((Do("a", (), fail_first), Do("b", (), go_on))), context([]))
    assert outcome.states == {"a": "failed", "b": "done"}


def test_progress_names_the_step_it_comes_from() -> None:
    events: list[Event] = []
    run_plan(Plan((Do("a", (), lambda c: c.on_state("Creating")),)), context(events))
    assert [event for event in events if isinstance(event, StepProgressed)] == [StepProgressed("a", "Creating")]
    assert isinstance(events[-1], StepFinished)


def test_a_dependency_outside_the_plan_counts_as_done() -> None:
    assert run_plan(Plan((Do("b", ("a",)),)), context([])).states == {"b": "done"}


def test_steps_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="wait for each other"):
        Plan((Do("a", ("b",)), Do("b", ("a",))))


def test_a_plan_reads_in_an_order_in_which_it_could_run() -> None:
    plan = Plan((Do("b", ("a",)), Do("a")))
    assert plan.to_dict() == [
        {"name": "a", "summary": "do a", "dependsOn": []},
        {"name": "b", "summary": "do b", "dependsOn": ["a"]},
    ]


def test_after_an_interruption_nothing_begins() -> None:
    events: list[Event] = []
    run = context(events)
    cast("SystemClock", run.clock).interrupt()
    outcome = run_plan(Plan((Do("a"), Do("b", ("a",)))), run)
    assert isinstance(outcome.error, Interrupted)
    assert outcome.states == {"a": "not-run", "b": "not-run"}
    assert [event.reason for event in events if isinstance(event, StepSkipped)] == ["stopped before it began"] * 2
