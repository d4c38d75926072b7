"""What happens while a plan runs, as data; each display renders the same events in its own way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class StepStarted:
    """A step began. `summary` is the sentence the plan shows for it."""

    step: str
    summary: str


@dataclass(frozen=True)
class StepProgressed:
    """A running step has news: the state last seen, in the words of whoever is asked."""

    step: str
    message: str


@dataclass(frozen=True)
class StepSkipped:
    """A step was not run, and why."""

    step: str
    reason: str


@dataclass(frozen=True)
class StepFinished:
    """A step is done. `seconds` is its wall time."""

    step: str
    seconds: float
    message: str = ""


@dataclass(frozen=True)
class StepFailed:
    """A step ended with an error; the error itself is raised by the runner."""

    step: str
    seconds: float
    message: str


@dataclass(frozen=True)
class Warned:
    """Something the user should know that stops nothing."""

    message: str


Event: TypeAlias = StepStarted | StepProgressed | StepSkipped | StepFinished | StepFailed | Warned
EventSink: TypeAlias = Callable[[Event], None]
Progress: TypeAlias = Callable[[str], None]
"""What a provider or a wait calls with the state it has just seen."""
