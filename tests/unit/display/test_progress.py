"""The same events on each medium."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from aks_wasm.display.base import open_display
from aks_wasm.display.jsonl import JsonLinesDisplay
from aks_wasm.display.live import LiveDisplay
from aks_wasm.display.plain import PlainDisplay, SilentDisplay
from aks_wasm.display.terminal import Terminal
from aks_wasm.errors import ServiceError
from aks_wasm.events import Event, StepFailed, StepFinished, StepProgressed, StepSkipped, StepStarted, Warned

EVENTS: list[Event] = [
    StepStarted("cluster/demo", "create cluster `demo`"),
    StepProgressed("cluster/demo", "Creating\nstill"),
    Warned("WASI pools are retired"),
    StepFinished("cluster/demo", 222.0, "1.35.5"),
    StepStarted("node-pool/wasm", "create node pool `wasm`"),
    StepFailed("node-pool/wasm", 3.0, "no room \x1b[31m"),
    StepSkipped("workload/hello", "an earlier step did not finish"),
]


class Seconds:
    """A clock that is read, not waited for."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_plain_is_one_line_an_event_with_the_time_since_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = Seconds()
    display = PlainDisplay(seconds)
    for event in EVENTS:
        seconds.now += 30
        display.emit(event)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "     30 s  (…) cluster/demo: create cluster `demo`",
        "  1 m 0 s  (…) cluster/demo: Creating still",
        " 1 m 30 s  (!) WASI pools are retired",
        "  2 m 0 s  (✓) cluster/demo [3 m 42 s]: 1.35.5",
        " 2 m 30 s  (…) node-pool/wasm: create node pool `wasm`",
        "  3 m 0 s  (x) node-pool/wasm [3.0 s]: no room �[31m",
        " 3 m 30 s  (-) workload/hello: an earlier step did not finish",
    ]


def test_plain_tells_a_state_once(capsys: pytest.CaptureFixture[str]) -> None:
    display = PlainDisplay(Seconds())
    for event in (EVENTS[0], EVENTS[1], EVENTS[1], StepProgressed("cluster/demo", "Updating"), EVENTS[1]):
        display.emit(event)
    assert len(capsys.readouterr().err.splitlines()) == 4


def test_jsonl_is_one_object_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    display = JsonLinesDisplay()
    for event in EVENTS:
        display.emit(event)
    display.say("a remark")
    display.fail(ServiceError("Azure said no", code="QuotaExceeded"), verbose=False)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == [*(type(event).__name__ for event in EVENTS), "Note", "Error"]
    assert lines[3] | {"time": ""} == {
        "time": "",
        "event": "StepFinished",
        "step": "cluster/demo",
        "seconds": 222.0,
        "message": "1.35.5",
    }
    assert "quota" in lines[-1]["hint"]


def test_none_shows_warnings_only(capsys: pytest.CaptureFixture[str]) -> None:
    display = SilentDisplay()
    for event in EVENTS:
        display.emit(event)
    assert capsys.readouterr().err == "warning: WASI pools are retired\n"


def live(width: int, *, colour: bool = False) -> tuple[LiveDisplay, Console, Seconds]:
    seconds = Seconds()
    console = Console(
        file=io.StringIO(),
        force_terminal=True,
        width=width,
        height=24,
        no_color=not colour,
        highlight=False,
        legacy_windows=False,
    )
    return LiveDisplay(colour=colour, now=seconds, console=console), console, seconds


def rendered(display: LiveDisplay, console: Console) -> str:
    """Render on another console of that size, since on its own the display draws itself besides."""
    paper = Console(file=io.StringIO(), force_terminal=True, width=console.width, height=console.height)
    with paper.capture() as capture:
        paper.print(display)
    return capture.get()


def test_live_shows_what_runs_with_its_time_and_last_state() -> None:
    display, console, seconds = live(80)
    display.emit(EVENTS[0])
    display.emit(StepStarted("group/demo", "create resource group `demo`"))
    display.emit(EVENTS[1])
    seconds.now += 75
    text = rendered(display, console)
    display.close()
    assert "create cluster `demo` [1 m 15 s] Creating still" in text
    assert "create resource group `demo` [1 m 15 s]" in text


def test_live_cuts_the_state_off_not_the_name() -> None:
    display, console, _ = live(44)
    display.emit(EVENTS[0])
    display.emit(StepProgressed("cluster/demo", "Reconciling " * 9))
    text = rendered(display, console)
    display.close()
    assert "create cluster `demo` [0.0 s]" in text
    assert text.count("\n") <= 2
    assert "…" in text


def test_live_keeps_what_ended_in_one_of_four_states() -> None:
    display, console, _ = live(80)
    for event in EVENTS:
        display.emit(event)
    display.close()
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for line in (
        "(✓) Done     create cluster `demo` [3 m 42 s]: 1.35.5",
        "(!) Warning  WASI pools are retired",
        "(x) Failed   create node pool `wasm` [3.0 s]: no room �[31m",
        "(-) Skipped  workload/hello: an earlier step did not finish",
    ):
        assert line in text.replace("\x1b[0m", "").replace("\x1b[1m", "").replace("\x1b[2m", "")
    assert "\x1b[3" not in text.replace("�[31m", "")


def test_live_says_how_many_do_not_fit() -> None:
    display, console, _ = live(80)
    for number in range(40):
        display.emit(StepStarted(f"step/{number}", f"step {number}"))
    text = rendered(display, console)
    display.close()
    assert "more" in text
    assert len(text.splitlines()) <= 24


def test_live_tells_an_error_after_it_has_stopped_drawing() -> None:
    display, console, _ = live(80, colour=True)
    display.emit(EVENTS[0])
    display.fail(ServiceError("Azure said no", hint="ask again"), verbose=False)
    display.close()
    assert isinstance(console.file, io.StringIO)
    assert "ask again" in console.file.getvalue()


@pytest.mark.parametrize(
    ("mode", "redraws", "shown"),
    [
        ("auto", True, LiveDisplay),
        ("auto", False, PlainDisplay),
        ("live", False, LiveDisplay),
        ("plain", True, PlainDisplay),
        ("jsonl", True, JsonLinesDisplay),
        ("none", True, SilentDisplay),
    ],
)
def test_auto_is_live_where_the_terminal_can(mode: str, redraws: bool, shown: type) -> None:
    assert type(open_display(mode, Terminal(redraws=redraws))) is shown  # type: ignore[arg-type]


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "redraws", "colour"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"CI": "true"}, False, False),
    ],
)
def test_no_color_a_dumb_terminal_and_ci_are_honoured(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], redraws: bool, colour: bool
) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", Screen())
    terminal = Terminal.look(environment)
    assert (terminal.redraws, terminal.colour, terminal.prompts) == (redraws, colour, "CI" not in environment)


def test_pipes_are_no_terminals(capsys: pytest.CaptureFixture[str]) -> None:
    assert Terminal.look({}) == Terminal()
    assert capsys.readouterr().out == ""
