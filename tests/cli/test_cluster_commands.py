"""up, plan, down, status: what they ask, do, print and exit with."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from aks_wasm.display.terminal import Terminal
from aks_wasm.errors import (
    AksWasmError,
    Interrupted,
    NoCapacity,
    NotSignedIn,
    OperationInProgress,
    Refused,
    SpecInvalid,
    TimedOut,
    Unreachable,
    UsageError,
)
from tests.cli.conftest import CommandLine
from tests.unit.clocks import FakeClock


def test_up_prints_where_workloads_answer(cli: CommandLine) -> None:
    result = cli("up", "--target", "emulator")
    assert result.exit_code == 0
    assert "http://127.0.0.1:8080" in result.stdout
    assert "`hello` answers at http://127.0.0.1:8080" in result.stderr
    assert "\x1b" not in result.output


def test_up_as_json_is_one_document_and_progress_is_talk(cli: CommandLine) -> None:
    result = cli("up", "-o", "json")
    document = json.loads(result.stdout)
    assert document["apiVersion"] == "aks-wasm/v1"
    assert (document["kind"], document["ok"], document["error"]) == ("UpResult", True, None)
    assert document["workloads"][0]["endpoint"] == "http://127.0.0.1:8080"
    assert "(✓) cluster/c" in result.stderr


def test_the_connection_is_closed_when_the_command_ends(cli: CommandLine) -> None:
    cli("status")
    assert cli.world.closed == 1


def test_a_dry_run_shows_the_plan_and_changes_nothing(cli: CommandLine) -> None:
    document = cli.document("up", "--dry-run")
    assert (document["kind"], document["steps"][0]["state"]) == ("PlanResult", "planned")
    assert not cli.world.exists


@pytest.mark.parametrize(("exists", "code"), [(False, 8), (True, 0)])
def test_plan_tells_changes_by_its_exit_code_when_asked_to(cli: CommandLine, exists: bool, code: int) -> None:
    cli.world.exists = exists
    assert cli("plan", "--detailed-exitcode").exit_code == code
    assert cli("plan").exit_code == 0


def test_up_that_costs_money_asks_for_yes_where_nobody_can_answer(cli: CommandLine) -> None:
    cli.world.costs_money = True
    result = cli("up")
    assert result.exit_code == 2
    assert "`--yes` is needed when not on a terminal" in result.stderr
    assert not cli.world.exists
    assert cli("up", "--yes").exit_code == 0


def test_up_that_costs_money_shows_its_plan_and_takes_no_for_an_answer(cli: CommandLine) -> None:
    cli.world.costs_money, cli.terminal = True, Terminal(prompts=True)
    refused = cli("up", answer="n\n")
    assert (refused.exit_code, cli.world.exists) == (7, False)
    assert "create cluster `hello`" in refused.stderr
    assert cli("up", answer="y\n").exit_code == 0


def test_up_with_nothing_to_do_asks_nothing(cli: CommandLine) -> None:
    cli.world.costs_money = cli.world.exists = True
    assert cli("up").exit_code == 0


def test_down_asks_before_it_deletes_and_not_when_nothing_is_there(cli: CommandLine) -> None:
    cli.world.exists = True
    assert cli("down").exit_code == 2
    assert cli.world.exists
    assert cli("down", "--yes", "--no-wait").exit_code == 0
    assert cli.world.calls[-1] == ("down", False)
    assert cli("down").exit_code == 0


def test_down_expired_asks_too(cli: CommandLine) -> None:
    cli.world.exists = True
    assert cli("down", "--expired").exit_code == 2
    assert cli("down", "--expired", "--yes").exit_code == 0
    assert cli.world.calls == [("down_expired", True)]


def test_a_refusal_is_never_zero(cli: CommandLine) -> None:
    cli.world.exists = cli.world.foreign = True
    result = cli("down", "--yes")
    assert result.exit_code == 7
    assert "error: group `hello` carries another owner's mark" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AksWasmError("x"), 1),
        (UsageError("x"), 2),
        (SpecInvalid("f", []), 2),
        (NotSignedIn("x"), 3),
        (NoCapacity("x"), 4),
        (TimedOut("x"), 5),
        (OperationInProgress("x"), 6),
        (Refused("x"), 7),
        (Interrupted("x"), 130),
    ],
)
def test_exit_codes_are_by_meaning(cli: CommandLine, error: AksWasmError, code: int) -> None:
    cli.world.trouble = error
    assert cli("up").exit_code == code


def test_a_failed_up_as_json_still_is_one_document_with_what_is_known(cli: CommandLine) -> None:
    cli.world.trouble = NoCapacity("no room", code="AllocationFailed", details="raw words")
    document = cli.document("up", code=4)
    assert (document["kind"], document["ok"]) == ("UpResult", False)
    assert document["cluster"]["state"] == "Creating"
    assert document["steps"] == [
        {"name": "cluster/c", "state": "interrupted", "seconds": 0.0, "summary": "create cluster `hello`"}
    ]
    assert document["error"]["code"] == "AllocationFailed"
    assert "vmSize" in document["error"]["hint"]
    assert document["error"]["details"] == "raw words"


def test_a_failed_up_ends_with_what_exists_and_the_two_commands(cli: CommandLine) -> None:
    spec = Path("my clusters") / "a b.yaml"
    spec.parent.mkdir()
    spec.write_text("metadata: {name: demo}\n")
    cli.world.trouble = TimedOut("cluster `demo` was not ready")
    result = cli("up", "-f", str(spec), "--target", "emulator", "--set", "azure.location=a b", "--yes")
    assert result.exit_code == 5
    lines = result.stderr.splitlines()
    assert "  resource group `demo` in a b" in lines
    assert "  cluster `demo` (Creating)" in lines
    again = next(line for line in lines if line.startswith("go on:")).partition(":")[2]
    given = ["up", "-f", str(spec), "--target", "emulator", "--set", "azure.location=a b"]
    assert shlex.split(again) == ["aks-wasm", *given, "--yes"]
    clean = next(line for line in lines if line.startswith("clean up:")).partition(":")[2]
    assert shlex.split(clean) == ["aks-wasm", "down", *given[1:]]


def test_when_nobody_can_look_the_steps_that_are_done_are_told(cli: CommandLine) -> None:
    cli.world.trouble, cli.world.observable = TimedOut("too long"), False
    result = cli("up")
    assert "go on:" in result.stderr
    assert result.stderr.count("error:") == 1


def test_an_endpoint_that_does_not_answer_is_not_asked_again(cli: CommandLine) -> None:
    cli.world.trouble, cli.world.costs_money = Unreachable("nothing answers"), True
    assert "what exists" not in cli("up", "--yes").stderr


def test_a_spec_that_is_off_makes_nothing_and_lists_every_problem(cli: CommandLine) -> None:
    Path("aks-wasm.yaml").write_text("metadata: {name: demo}\nnodePools: [{name: Wasm1}, {name: b, cuont: 1}]\n")
    document = cli.document("up", code=2)
    assert {problem["field"] for problem in document["error"]["problems"]} == {"nodePools.0.name", "nodePools.1.cuont"}
    assert (document["cluster"], cli.world.runs) == (None, [])


def test_flag_wins_over_variable_wins_over_file_wins_over_default(cli: CommandLine) -> None:
    Path("aks-wasm.yaml").write_text("metadata: {name: demo}\ntarget: local\n")
    cli("status")
    cli.environment = {"AKS_WASM_TARGET": "emulator", "AKS_WASM_TIMEOUT": "90s", "AKS_WASM_OUTPUT": "name"}
    by_variable = cli("status")
    by_flag = cli("status", "--target", "azure", "--timeout", "1h30m", "-o", "yaml")
    targets = [run.spec.target for run in cli.world.runs]
    assert targets == ["local", "emulator", "azure"]
    assert [run.timeout for run in cli.world.runs] == [2700.0, 90.0, 5400.0]
    assert by_variable.stdout == "cluster/demo\n"
    assert by_flag.stdout.startswith("apiVersion: aks-wasm/v1\nkind: StatusResult\n")


def test_local_is_a_target_and_contradicts_another(cli: CommandLine) -> None:
    cli("status", "--local", "--set", "nodePools.0.count=3", "--set", "metadata.name=other")
    (run,) = cli.world.runs
    assert (run.spec.target, run.spec.name, run.spec.node_pools[0].count) == ("local", "other", 3)
    assert "contradict" in cli("status", "--local", "--target", "azure").stderr


def test_shared_options_may_stand_before_the_command(cli: CommandLine) -> None:
    assert json.loads(cli("-o", "json", "status").stdout)["kind"] == "StatusResult"


def test_status_watch_prints_what_changes_until_interrupted(cli: CommandLine) -> None:
    def on_pause(time: float) -> bool:
        cli.world.exists = time > 2
        return time > 6

    cli.clock = FakeClock(on_pause)
    result = cli("status", "--watch")
    assert result.exit_code == 130
    assert (result.stdout.count("absent"), result.stdout.count("Succeeded")) == (1, 1)
    assert "\x1b" not in result.stdout


def test_status_watch_redraws_a_terminal_and_refuses_documents(cli: CommandLine) -> None:
    cli.clock, cli.terminal = FakeClock(lambda time: time > 2), Terminal(redraws_output=True)
    assert cli("status", "--watch").stdout.count("\x1b[H\x1b[2J") == 2
    assert cli("status", "--watch", "-o", "json").exit_code == 2


@pytest.mark.parametrize("trouble", [NoCapacity("no room"), Unreachable("kind cannot be fetched")])
def test_a_failed_up_that_left_nothing_has_nothing_to_clean_up(cli: CommandLine, trouble: AksWasmError) -> None:
    cli.world.trouble = trouble

    def clean_up() -> None:
        cli.world.exists = False

    cli.world.half_way = clean_up
    stderr = cli("up", "--local").stderr
    assert "nothing was left behind\ngo on:     aks-wasm up --local" in stderr
    assert "clean up:" not in stderr
