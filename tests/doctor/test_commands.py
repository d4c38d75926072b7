"""The commands of our own that doctor gives can be typed: every option of them is known where it stands."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from aks_wasm.workflows.doctor.ways import Ways
from tests.cli.conftest import CommandLine
from tests.doctor.demands import DEMANDS
from tests.unit.workflows.doctor.scenes import GIVEN, OURS, found, view


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.mark.parametrize("ways", [GIVEN, OURS], ids=["given", "ours"])
@pytest.mark.parametrize("demand", DEMANDS)
def test_our_own_commands_parse(cli: CommandLine, ways: Ways, demand: int) -> None:
    for finding in found(view(*DEMANDS[demand][1](), ways=ways)):
        for command in str(finding.command).replace(" | ", " && ").split(" && "):
            words = shlex.split(command)
            if words[0] == "aks-wasm":
                result = cli(*words[1:], "--help")
                assert result.exit_code == 0, f"{command}\n{result.output}"
