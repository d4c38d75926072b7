"""doctor: which cluster it is sent to, what it prints and exits with."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CommandLine


def test_nothing_found_is_told_with_what_was_looked_at(cli: CommandLine) -> None:
    result = cli("doctor")
    assert result.exit_code == 0
    assert "Nothing wrong was found" in result.stdout
    assert "cluster" in result.stdout


def test_findings_are_the_exit_code_and_the_document(cli: CommandLine) -> None:
    cli.world.foreign = True
    document = cli.document("doctor", code=1)
    assert (document["kind"], document["ok"], document["error"]) == ("DoctorResult", False, None)
    assert document["findings"][0]["command"] == "aks-wasm status"
    assert cli("doctor", "-o", "name").stdout == "NotOurs cluster hello\n"


def test_commands_name_the_same_file_again(cli: CommandLine) -> None:
    cli("doctor", "--local", "--set", "metadata.name=a")
    assert cli.world.calls == [("doctor", "--local", "--set", "metadata.name=a")]


def test_a_kubeconfig_leads_to_any_cluster(cli: CommandLine) -> None:
    assert cli("doctor", "--kubeconfig", "k", "--context", "c").exit_code == 0
    assert cli.world.calls == [("doctor_of", "--kubeconfig", "k", "--context", "c")]


@pytest.mark.parametrize("arguments", [("--context", "c"), ("--kubeconfig", "k", "--local")])
def test_options_that_leave_the_cluster_open_are_refused(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    assert cli("doctor", *arguments).exit_code == 2
    assert cli.world.calls == []
