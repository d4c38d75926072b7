"""The commands about one thing: feature, nodepool, workload, kubeconfig, emulator, schema, version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from aks_wasm import __version__
from tests.cli.conftest import CommandLine


def test_the_feature_is_registered_and_shown(cli: CommandLine) -> None:
    assert cli.document("feature", "register")["state"] == "Registered"
    assert "Registered" in cli("feature", "show").stdout
    assert cli.document("feature", "unregister")["state"] == "Unregistered"


def test_a_node_pool_is_added_scaled_listed_and_deleted(cli: CommandLine) -> None:
    added = cli.document("nodepool", "add", "arm", "--arch", "arm64", "--count", "2")
    assert (added["kind"], added["name"], added["arch"]) == ("NodePoolResult", "arm", "arm64")
    cli("nodepool", "scale", "arm", "--count", "5")
    assert cli.document("nodepool", "list")["items"][0]["count"] == 5
    assert cli("nodepool", "list", "-o", "name").stdout == "nodepool/arm\n"
    assert cli("nodepool", "delete", "arm").exit_code == 2
    assert cli("nodepool", "delete", "arm", "--yes").exit_code == 0
    assert cli.world.pools == {}


def test_what_is_not_given_for_a_pool_comes_from_the_file(cli: CommandLine) -> None:
    Path("aks-wasm.yaml").write_text(
        "metadata: {name: demo}\nnodePools: [{name: wasm, arch: arm64, count: 3, route: shim}]\n"
    )
    cli("nodepool", "add", "wasm", "--vm-size", "Standard_D4s_v5", "--min", "0", "--max", "4")
    pool = cli.world.pools["wasm"]
    assert (pool.vm_size, pool.arch, pool.route, pool.min, pool.max) == ("Standard_D4s_v5", None, "shim", 0, 4)


@pytest.mark.parametrize("arguments", [("add", "Wasm"), ("scale", "x"), ("scale", "x", "--count", "1", "--max", "2")])
def test_a_pool_that_is_off_is_a_usage_error(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    assert cli.document("nodepool", *arguments, code=2)["kind"] == "NodePoolResult"
    assert cli.world.calls == []


def test_logs_are_streamed_as_they_are(cli: CommandLine) -> None:
    cli("up")
    assert cli("workload", "logs", "hello", "--tail", "1", "--previous", "-f").stdout == "two\n"
    assert cli.world.calls[-1] == ("logs", "hello", True, 1, True)


def test_logs_as_a_document(cli: CommandLine) -> None:
    cli("up")
    assert cli.document("workload", "logs", "hello")["lines"] == ["one", "two"]
    assert cli.document("workload", "logs", "hello", "--follow", code=2)["kind"] == "WorkloadLogs"


def test_workloads_are_listed_and_deleted(cli: CommandLine) -> None:
    cli("up")
    assert "http://127.0.0.1:8080" in cli("workload", "list").stdout
    assert cli("workload", "delete", "hello", "--yes").exit_code == 0
    assert cli.document("workload", "list")["items"] == []


def test_a_kubeconfig_is_printed_written_or_merged(cli: CommandLine) -> None:
    assert yaml.safe_load(cli("kubeconfig").stdout)["kind"] == "Config"
    assert json.loads(cli("kubeconfig", "-o", "json").stdout)["kind"] == "Config"
    assert cli("kubeconfig", "--file", "k.yaml").exit_code == 0
    assert yaml.safe_load(Path("k.yaml").read_text())["kind"] == "Config"
    assert cli.document("kubeconfig", "--merge")["context"] == "aks-wasm-hello"
    assert cli("kubeconfig", "--merge", "--file", "k").exit_code == 2


def test_a_token_is_printed_as_kubectl_wants_it(cli: CommandLine) -> None:
    cli.environment = {"AKS_WASM_OUTPUT": "yaml"}
    assert json.loads(cli("kube-token").stdout) == {"kind": "ExecCredential"}


def test_the_schema_is_a_json_schema(cli: CommandLine) -> None:
    schema = json.loads(cli("schema").stdout)
    assert "nodePools" in schema["properties"]
    assert yaml.safe_load(cli("schema", "-o", "yaml").stdout) == schema


def test_versions(cli: CommandLine) -> None:
    assert cli("--version").stdout == f"aks-wasm {__version__}\n"
    assert cli.document("version")["version"] == __version__
    assert __version__ in cli("version").stdout


def test_an_emulator_that_does_not_run_says_so(cli: CommandLine) -> None:
    assert cli.document("emulator", "status")["state"] == "not running"
    assert cli.document("emulator", "stop")["state"] == "not running"
    environment = cli.document("emulator", "env", code=1)
    assert (environment["kind"], environment["error"]["code"]) == ("EmulatorResult", "EmulatorNotRunning")


@pytest.mark.parametrize("arguments", [("--pace", "fast"), ("--service-age", "2019"), ("--port", "70000")])
def test_an_emulator_with_bad_options_is_not_started(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    assert cli("emulator", "start", *arguments).exit_code == 2
    assert not (cli.home / "emulator" / "daemon.json").exists()


def test_the_emulator_starts_tells_how_to_reach_it_and_stops(cli: CommandLine) -> None:
    try:
        started = cli.document("emulator", "start", "--pace", "0", "--service-age", "2022")
        again = cli.document("emulator", "start")
        found = cli.document("emulator", "status")
        shell = cli("emulator", "env")
        variables = json.loads(cli("emulator", "env", "--format", "json").stdout)
        same = [cli("emulator", "env", "-o", output).stdout for output in ("json", "yaml")]
    finally:
        stopped = cli.document("emulator", "stop")
    assert (started["state"], started["started"], again["started"]) == ("running", True, False)
    assert (found["url"], found["serviceAge"], found["pace"]) == (started["url"], "2022", 0)
    assert "started" not in found
    assert variables["AKS_WASM_ARM_ENDPOINT"] == started["url"]
    assert [yaml.safe_load(document) for document in same] == [variables, variables]
    assert f"export AKS_WASM_ARM_ENDPOINT={started['url']}" in shell.stdout
    assert stopped["state"] == "stopped"
