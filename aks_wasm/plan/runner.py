"""Runs a plan: what can run side by side does, the first failure stops what has not begun."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter

from aks_wasm.errors import AksWasmError, Interrupted
from aks_wasm.events import (
    EventSink,
    StepFailed,
    StepFinished,
    StepProgressed,
    StepSkipped,
    StepStarted,
)
from aks_wasm.plan.plan import Plan
from aks_wasm.steps.step import Step, StepContext
from aks_wasm.waits import Clock

STOP_CHECK = 0.5  # seconds after which a waiting step notices that another has failed
MOST_AT_ONCE = 8  # threads; they wait for the network, not for the processor


@dataclass
class Outcome:
    """How a run went. `states` maps step names to done, failed or not-run; `seconds` to their wall time."""

    states: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    error: BaseException | None = None


def run_plan(plan: Plan, context: StepContext) -> Outcome:
    """Run every step as soon as what it waits for is done.

    The first error ends the run: nothing new begins, and steps that are waiting stop waiting; what they began goes on
    over there, and the next run joins it. Errors are not raised but returned, so that the caller can say what exists.
    """
    context = replace(context, clock=(clock := _StoppableClock(context.clock)))
    by_name = {step.name: step for step in plan.steps}
    sorter: TopologicalSorter[str] = TopologicalSorter(plan.graph())
    sorter.prepare()
    outcome = Outcome()
    emit = _one_at_a_time(context.emit)
    under_way: dict[Future[str | None], tuple[Step, float]] = {}
    with ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="step") as threads:
        while sorter.is_active():
            if outcome.error is None and clock.pause(0):
                outcome.error, clock.stopped = Interrupted("stopped before everything was done"), True
            if outcome.error is None:
                for name in sorter.get_ready():
                    step = by_name[name]
                    emit(StepStarted(name, step.describe()))
                    future = threads.submit(step.run, _for_step(context, step, emit))
                    under_way[future] = (step, context.clock.now())
            if not under_way:
                break
            finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                step, started = under_way.pop(future)
                _record(future, step, context.clock.now() - started, outcome, emit)
                clock.stopped = outcome.error is not None
                if outcome.states[step.name] == "done":
                    sorter.done(step.name)
    _skip_the_rest(plan, outcome, emit)
    return outcome


def _skip_the_rest(plan: Plan, outcome: Outcome, emit: EventSink) -> None:
    why = "stopped before it began" if isinstance(outcome.error, Interrupted) else "an earlier step did not finish"
    for step in plan.steps:
        if step.name not in outcome.states:
            outcome.states[step.name] = "not-run"
            emit(StepSkipped(step.name, why))


@dataclass
class _StoppableClock:
    """The run's clock, whose pauses end when a step has failed."""

    inner: Clock
    stopped: bool = False

    def now(self) -> float:
        return self.inner.now()

    def pause(self, seconds: float) -> bool:
        if seconds <= 0:
            return self.stopped or self.inner.pause(0)
        end = self.now() + seconds
        while not self.stopped and (left := end - self.now()) > 0:
            if self.inner.pause(min(left, STOP_CHECK)):
                return True
        return self.stopped


def _record(future: Future[str | None], step: Step, seconds: float, outcome: Outcome, emit: EventSink) -> None:
    outcome.seconds[step.name] = seconds
    error = future.exception()
    if error is None:
        outcome.states[step.name] = "done"
        emit(StepFinished(step.name, seconds, future.result() or ""))
        return
    outcome.states[step.name] = "failed"
    emit(StepFailed(step.name, seconds, error.message if isinstance(error, AksWasmError) else "a bug in aks-wasm"))
    if outcome.error is None:
        outcome.error = error


def _for_step(context: StepContext, step: Step, emit: EventSink) -> StepContext:
    def on_state(state: str) -> None:
        emit(StepProgressed(step.name, state))

    return replace(context, on_state=on_state, emit=emit)


def _one_at_a_time(emit: EventSink) -> Callable[..., None]:
    lock = threading.Lock()

    def locked(event: object) -> None:
        with lock:
            emit(event)  # type: ignore[arg-type]

    return locked
