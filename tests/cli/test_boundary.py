"""What is said when a command fails in ways that nobody planned."""

from __future__ import annotations

import json
import signal
import stat

import pytest
import typer

from aks_wasm.cli.boundary import guard
from aks_wasm.cli.context import AppContext
from aks_wasm.cli.interrupts import Interrupts
from aks_wasm.display.terminal import OutputClosed, Terminal
from aks_wasm.errors import ServiceError
from aks_wasm.settings import Settings
from aks_wasm.waits import Patience, Seen, SystemClock, wait_until
from tests.cli.conftest import CommandLine

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ0ZXN0In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


def test_a_bug_is_one_line_and_a_log_that_only_the_user_reads(cli: CommandLine) -> None:
    cli.world.trouble = ZeroDivisionError(f"with {TOKEN}")
    result = cli("up", "--set", "workloads.0.env.PASSWORD=hunter2hunter2")
    (log,) = (cli.home / "logs").iterdir()
    assert result.exit_code == 1
    assert result.stderr.count("\nerror: this is a bug in aks-wasm: ZeroDivisionError") == 1
    assert str(log) in result.stderr
    assert "Traceback" not in result.output
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "Traceback" in log.read_text()
    for secret in (TOKEN, "hunter2"):
        assert secret not in log.read_text()
    assert TOKEN not in result.output


def test_a_bug_keeps_its_traceback_with_debug(cli: CommandLine) -> None:
    cli.world.trouble = ZeroDivisionError("here")
    result = cli("up", "--debug", "-o", "json")
    assert "Traceback" in result.stderr
    assert json.loads(result.stdout)["error"]["code"] == "InternalError"


def test_a_bug_is_told_when_the_log_can_not_be_written(cli: CommandLine) -> None:
    cli.home.write_text("a file, not a folder")
    cli.world.trouble = ZeroDivisionError("here")
    result = cli("up")
    assert "ZeroDivisionError: here" in result.stderr
    assert "traceback is in" not in result.stderr


def test_details_are_for_verbose(cli: CommandLine) -> None:
    cli.world.trouble = ServiceError("Azure said no", details="{raw\x1b[31m}")
    assert "raw" not in cli("up").stderr
    cli.world.exists = False
    verbose = cli("up", "--verbose").stderr
    assert "details:\n  {raw" in verbose
    assert "\x1b" not in verbose


def test_jsonl_progress_keeps_stderr_for_programs(cli: CommandLine) -> None:
    cli.environment = {"GITHUB_ACTIONS": "true"}
    cli.world.trouble = ServiceError("Azure said no", hint="ask again")
    events = [json.loads(line) for line in cli("up", "--progress", "jsonl").stderr.splitlines()]
    assert [event["event"] for event in events] == ["StepStarted", "StepProgressed", "Error", "Note"]
    assert events[2]["hint"] == "ask again"
    assert all(event["time"].endswith("Z") for event in events)


def test_none_shows_no_progress_but_errors(cli: CommandLine) -> None:
    cli.world.trouble = ServiceError("Azure said no")
    stderr = cli("up", "--progress", "none").stderr
    assert stderr.startswith("error: Azure said no")


def test_ctrl_c_stops_waiting_says_what_exists_and_exits_with_130(cli: CommandLine) -> None:
    clock = SystemClock()
    cli.clock = clock

    def wait_for_what_never_comes() -> None:
        signal.raise_signal(signal.SIGINT)
        wait_until(lambda: Seen("Creating"), what="cluster `hello`", patience=Patience(60, clock))

    cli.world.half_way = wait_for_what_never_comes
    result = cli("up", "-o", "json")
    assert result.exit_code == 130
    assert "press Ctrl+C again to leave at once" in result.stderr
    assert "  cluster `hello` (Creating)" in result.stderr
    assert "clean up:  aks-wasm down" in result.stderr
    assert json.loads(result.stdout)["error"]["code"] == "Interrupted"
    assert cli.world.exists


def test_the_second_signal_leaves_at_once() -> None:
    left: list[int] = []
    said: list[str] = []
    interrupts = Interrupts(lambda: None, said.append, left.append)
    interrupts.in_order = True
    with interrupts.watched():
        signal.raise_signal(signal.SIGINT)
    assert (left, len(said)) == ([], 1)
    with interrupts.watched():
        signal.raise_signal(signal.SIGTERM)
    assert left == [130]


def test_handlers_are_put_back(cli: CommandLine) -> None:
    before = signal.getsignal(signal.SIGINT)
    cli("status")
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_at_a_question_changes_nothing(cli: CommandLine) -> None:
    cli.world.exists, cli.terminal = True, Terminal(prompts=True)
    assert cli("down", answer="").exit_code == 130
    assert cli.world.exists


@pytest.mark.parametrize(
    ("raised", "code"),
    [(OutputClosed(), 141), (KeyboardInterrupt(), 130), (typer.Abort(), 130), (OSError(28, "full"), 1)],
)
def test_whatever_ends_a_command_has_an_exit_code(
    raised: BaseException, code: int, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> object:
        raise raised

    app = AppContext(Settings.from_environment({"AKS_WASM_HOME": f"{tmp_path}/home"}))
    assert guard(app, command) == code
    assert capsys.readouterr().out == ""
