"""What the user gets who mistypes, and what the program looks like to who reads its code."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import aks_wasm.cli
from aks_wasm.cli.kinds import kind_of
from aks_wasm.cli.main import COMMANDS
from aks_wasm.display.results import render_result
from tests.cli.conftest import CommandLine

FOLDER = Path(aks_wasm.cli.__file__).parent
NOUNS = {
    "feature": ("show", "register", "unregister"),
    "nodepool": ("list", "add", "scale", "delete"),
    "runtime": ("list", "install", "verify", "upgrade", "remove"),
    "workload": ("list", "logs", "delete"),
    "emulator": ("start", "stop", "status", "env"),
}


@pytest.mark.parametrize(
    ("arguments", "wrong", "meant"),
    [
        (["up", "--traget", "local"], "there is no option `--traget`", "did you mean `--target`?"),
        (["statsu"], "`aks-wasm` has no command `statsu`", "did you mean `status`?"),
        (["nodepools", "list"], "has no command `nodepools`", "did you mean `nodepool`?"),
        (["nodepool", "lst"], "`aks-wasm nodepool` has no command `lst`", "did you mean `list`?"),
        (["frobnicate"], "has no command `frobnicate`", "`aks-wasm --help` shows what there is"),
        (["up", "--tmeout", "3m"], "there is no option `--tmeout`", "`--timeout`"),
        (["up", "-o", "jsn"], "`jsn` is not one of", "`aks-wasm up --help`"),
        (["up", "--timeout", "45"], "`--timeout` is `45`, which is not a duration", "write it like 90s, 45m or 1h30m"),
        (["up", "--timeout", "0s"], "leaves no time at all", "write it like"),
        (["up", "-f", "absent.yaml"], "there is no file `absent.yaml`", "give another with `-f FILE`"),
        (["up", "extra"], "got unexpected extra argument", "`aks-wasm up --help`"),
        (["workload", "logs"], "missing argument", "`aks-wasm workload logs --help`"),
    ],
)
def test_mistyped_command_lines_say_what_was_meant(
    cli: CommandLine, arguments: list[str], wrong: str, meant: str
) -> None:
    result = cli(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert wrong in result.stderr
    assert meant in result.stderr.partition("hint:")[2]
    assert cli.world.runs == []


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["up", "-o", "json", "--bad"], "UpResult"),
        (["--output=json", "up", "--bad"], "UpResult"),
        (["nodepool", "ad", "-ojson"], "NodePoolResult"),
        (["nodepool", "list", "--bad", "--output", "json"], "NodePoolList"),
        (["statsu", "-o", "json"], "ErrorResult"),
    ],
)
def test_usage_errors_are_a_document_when_one_was_asked_for(cli: CommandLine, arguments: list[str], kind: str) -> None:
    result = cli(*arguments)
    document = json.loads(result.stdout)
    assert (result.exit_code, document["kind"], document["ok"]) == (2, kind, False)
    assert document["error"]["code"] == "UsageError"
    assert document["error"]["hint"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AKS_WASM_OUTPUT", "xml"),
        ("AKS_WASM_PROGRESS", "loud"),
        ("AKS_WASM_TIMEOUT", "soon"),
        ("AKS_WASM_TARGET", "gcp"),
    ],
)
def test_a_variable_that_is_off_is_named_before_anything_is_done(cli: CommandLine, variable: str, value: str) -> None:
    cli.environment = {variable: value}
    result = cli("up")
    assert result.exit_code == 2
    assert value in result.stderr
    assert cli.world.runs == []


def test_nothing_shows_help(cli: CommandLine) -> None:
    result = cli()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nodepool" in result.stderr
    assert cli("nodepool").stderr.count("Usage: aks-wasm nodepool") == 1


def test_help_fits_80_columns_and_says_of_each_command_what_its_own_help_says(cli: CommandLine) -> None:
    overview = cli("--help").stdout
    assert max(map(len, overview.splitlines())) <= 80
    for name, entry in COMMANDS.items():
        assert name in overview
        own = cli(name, "--help")
        assert own.exit_code == 0
        assert entry.summary in " ".join(own.stdout.split())
        assert max(map(len, own.stdout.splitlines())) <= 80


def test_every_command_is_there_and_no_other() -> None:
    assert set(COMMANDS) == {
        "up",
        "plan",
        "down",
        "status",
        "doctor",
        "kubeconfig",
        "kube-token",
        "schema",
        "version",
        *NOUNS,
    }


@pytest.mark.parametrize("noun", NOUNS)
def test_nouns_have_their_verbs(cli: CommandLine, noun: str) -> None:
    for verb in NOUNS[noun]:
        assert cli(noun, verb, "--help").exit_code == 0
        assert kind_of(f"{noun} {verb}") != "ErrorResult"


def _commands() -> list[tuple[str, ast.FunctionDef]]:
    found = []
    for entry in COMMANDS.values():
        path = FOLDER / f"{entry.module.rpartition('.')[2]}.py"
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any("command" in ast.unparse(d) for d in node.decorator_list):
                found.append((f"{path.stem}.{node.name}", node))
    return found


def test_commands_are_short_and_leave_errors_and_printing_to_others() -> None:
    commands = _commands()
    assert len(commands) >= 20
    for name, node in commands:
        assert node.end_lineno is not None
        assert node.end_lineno - node.lineno < 25, name
        for inner in ast.walk(node):
            assert not isinstance(inner, ast.Try), name
            assert not (isinstance(inner, ast.Name) and inner.id == "print"), name


def test_every_result_can_be_rendered_in_every_format(cli: CommandLine) -> None:
    cli("up")
    run = cli.world.runs[0]
    from tests.cli.fakes import WorldUseCases

    result = WorldUseCases(cli.world).status(run)
    for output in ("table", "json", "yaml", "name"):
        assert "hello" in render_result(result, output, 80)
