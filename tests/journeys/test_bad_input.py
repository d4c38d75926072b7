"""Wrong input and a wrong environment: the documented exit code, the field, the value and the way out; nothing made."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from wasmtime import wat2wasm

from aks_wasm.emulator.identity import READER, TokenAuthority
from aks_wasm.emulator.layout import Layout
from aks_wasm.emulator.state import Documents
from tests.journeys.conftest import Tool, fields_of
from tests.running_emulator import RunningEmulator

NOBODYS = "00000000-0000-0000-0000-00000000dead"
CLOSED = "https://localhost:9"


@pytest.fixture
def tool(emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """The tool on the shared emulator, where nothing here leaves anything behind."""
    monkeypatch.chdir(tmp_path)
    return Tool(emulator, tmp_path, "bad")


def refused(tool: Tool, *arguments: str, code: int = 2) -> dict[str, Any]:
    """Run `up`, which must fail without having written anything; return its error."""
    since = tool.mark()
    document = tool.up(*arguments, code=code)
    assert document["ok"] is False
    assert tool.every_write(since) == []
    error: dict[str, Any] = document["error"]
    assert error["hint"]
    return error


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["nodePools.0.vmsize=x"], "nodePools.0.vmsize: there is no such field (did you mean `vmSize`?)"),
        (["nodepools=[]"], "nodepools: there is no such field (did you mean `nodePools`?)"),
        (["nodePools.0.frobs=1"], "nodePools.0.frobs: there is no such field"),
        (["nodePools.0.count=many"], "nodePools.0.count: `many` is not a whole number"),
        (["nodePools.0.count=true"], "nodePools.0.count: `true` is not a whole number"),
        (["workloads.0.replicas=1.5"], "workloads.0.replicas: `1.5` is not a whole number"),
        (["azure.tags=[a]"], "azure.tags: a list is not fields, one `name: value` a line"),
        (["shims=spin"], "shims: `spin` is not a list"),
        (["azure.tags.year=2026"], 'azure.tags.year: `2026` is not text (put it in quotes: "2026")'),
        (["cluster="], "cluster: nothing is not fields, one `name: value` a line"),
        (["nodePools.1={name: wasm}"], "nodePools: `wasm` is there 2 times (names must differ)"),
        (["nodePools.0.name=averylongname1"], "nodePools.0.name: `averylongname1` is not allowed (it is at most 12"),
        (["nodePools.0.name=Wasm"], "nodePools.0.name: `Wasm` is not allowed (it is at most 12 lower-case"),
        (["nodePools.0.name=1wasm"], "nodePools.0.name: `1wasm` is not allowed"),
        (["nodePools.0.name=system"], "nodePools.0.name: `system` is the pool that AKS keeps its own pods on (choose"),
        (["nodePools.0.osType=Windows"], "nodePools.0.osType: `Windows` nodes can't run Wasm shims (use Linux)"),
        (["nodePools.0.mode=System"], "nodePools.0.mode: a `System` pool can't run Wasm (use mode User"),
        (["nodePools.0.count=0"], "nodePools.0.count: `0` nodes and no autoscaler would run nothing (set `min: 0`"),
        (["shims=[spin, spim]"], "shims.1: there is no shim `spim` (did you mean `spin`?)"),
        (["workloads.0.shim=spim"], "workloads.0.shim: `spim` is not among the cluster's shims (`spin`) (take one"),
        (["shims=[spin@v9.9.9]"], "shims.0: `spin` has no version `v9.9.9` here (known are v0.25.1"),
        (["workloads.0.env.A.fromEnvironment=NOT_SET"], "`NOT_SET` is not set (export it and run again)"),
    ],
)
def test_a_wrong_file_is_told_by_field_and_value_without_a_request(
    tool: Tool, overrides: list[str], problem: str
) -> None:
    since = tool.mark()
    error = refused(tool, *fields_of(*overrides))
    assert problem in error["message"]
    assert tool.mark() == since  # not even a question


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["nodePools.0.vmSize=Standard_D2s_v5"], "nodePools.0.vmSize: `Standard_D2s_v5` is amd64, but `arch` is arm64"),
        (
            ["nodePools.0.vmSize=Standard_D2ps_v55"],
            "nodePools.0.vmSize: `Standard_D2ps_v55` is not a machine size in westeurope (did you mean `Standard_",
        ),
        (["azure.location=westeurop"], "azure.location: `westeurop` is not a location of the subscription (did you"),
        (["cluster.kubernetesVersion=1.12"], "cluster.kubernetesVersion: AKS does not offer Kubernetes 1.12 in west"),
        (["nodePools.0.zones=['9']"], "nodePools.0.zones: `Standard_D2ps_v5` is not in zone 9 of westeurope (zones it"),
        (["cluster.systemPool.vmSize=Standard_B1s"], "cluster.systemPool.vmSize: `Standard_B1s` is too small"),
    ],
)
def test_what_the_service_does_not_have_is_found_beforehand(tool: Tool, overrides: list[str], problem: str) -> None:
    assert problem in refused(tool, *fields_of(*overrides))["message"]


def test_everything_the_service_does_not_have_is_told_at_once(tool: Tool) -> None:
    error = refused(tool, *fields_of("nodePools.0.vmSize=Standard_X", "cluster.kubernetesVersion=1.12"))
    assert [problem["field"] for problem in error["problems"]] == ["cluster.kubernetesVersion", "nodePools.0.vmSize"]


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["nodePools.0.count=500"], "nodePools.0: 1000 vCPUs are needed"),
        (["nodePools.0={name: spot, spot: true, count: 900}"], "of the spot quota in westeurope"),
    ],
)
def test_quota_is_missed_before_anything_is_written(tool: Tool, overrides: list[str], problem: str) -> None:
    error = refused(tool, *fields_of(*overrides), code=4)
    assert error["code"] == "QuotaExceeded"
    assert problem in error["message"]
    assert "https://aka.ms/aks/quota" in error["hint"]


MODULES = {
    "elf": b"\x7fELF\x02\x01\x01" + bytes(60),
    "text.wasm": b"(module)",
    "empty.wasm": b"",
    "short.wasm": wat2wasm('(module (func (export "_start")))')[:-4],
    "browser.wasm": wat2wasm('(module (import "env" "magic" (func)) (func (export "_start")))'),
    "library.wasm": wat2wasm('(module (func (export "add")))'),
}


@pytest.mark.parametrize(
    ("module", "words", "way_out"),
    [
        ("nowhere.wasm", "there is no file `{path}`", "relative to the file itself"),
        ("elf", "`{path}` is not WebAssembly: it is a Linux (ELF) program", "wasm32-wasip1"),
        ("text.wasm", "it is WebAssembly text (WAT)", "wasm-tools parse"),
        ("empty.wasm", "`{path}` is not WebAssembly: it is empty", "wasm32-wasip1"),
        ("short.wasm", "`{path}` is cut short", "build or download it again"),
        ("browser.wasm", "imports `env`, which `wasmtime`", "build it for wasm32-wasip1"),
        ("library.wasm", "`_start`", ""),
        ("", "is a folder, not a WebAssembly file", ""),
    ],
)
def test_a_module_that_can_not_run_is_told(tool: Tool, module: str, words: str, way_out: str) -> None:
    path = tool.folder / module
    if module in MODULES:
        path.write_bytes(MODULES[module])
    workload = f"{{name: a, shim: wasmtime, kind: job, module: './{module}'}}"
    error = refused(tool, *fields_of("shims=[wasmtime]", f"workloads=[{workload}]"))
    (problem,) = error["problems"]
    assert problem["field"] == "workloads.0.module"
    assert words.format(path=path) in problem["message"]
    assert way_out in (problem["hint"] or "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no Spin manifest"),
        ("spin_manifest_version = 9", "spin_manifest_version"),
        ("(module)", "is not TOML"),
    ],
)
def test_a_spin_manifest_that_is_none_is_told(tool: Tool, text: str | None, words: str) -> None:
    if text is not None:
        tool.write("app.toml", text)
    error = refused(tool, *fields_of("workloads=[{name: a, source: app.toml}]"))
    assert "workloads.0.source" in error["message"]
    assert words in error["message"]


def test_a_version_in_a_file_needs_no_quotes(tool: Tool) -> None:
    spec = tool.write("c.yaml", "metadata: {name: x}\ncluster: {kubernetesVersion: 1.30}\nworkloads: []\n")
    assert "Kubernetes 1.30 in" in refused(tool, "-f", spec)["message"]


# Azure itself: unreachable, not signed in, not allowed, not there.


def test_an_endpoint_where_nothing_answers_is_told_soon(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.sign_in(monkeypatch, AKS_WASM_ARM_ENDPOINT=CLOSED)
    start = time.monotonic()
    error = refused(tool, code=1)
    assert time.monotonic() - start < 6
    assert (error["code"], "does not answer" in error["message"]) == ("Unreachable", True)
    assert "HTTPS_PROXY" in error["hint"]


def test_an_endpoint_without_tls_is_never_sent_a_token(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.sign_in(monkeypatch, AKS_WASM_ARM_ENDPOINT="http://localhost:9")
    assert "`http://localhost:9` is not an https URL" in refused(tool)["message"]


def test_nobody_is_signed_in(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.target = "azure"
    tool.environment["AKS_WASM_ARM_ENDPOINT"] = tool.emulator.url
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tool.emulator.ca_file))
    monkeypatch.setenv("PATH", str(tool.folder))
    start = time.monotonic()
    error = refused(tool, code=3)
    assert time.monotonic() - start < 6
    assert (error["code"], "az login" in error["hint"]) == ("NotSignedIn", True)
    assert "\n" not in error["message"]


def test_a_wrong_secret_is_told_and_not_shown(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.sign_in(monkeypatch, AZURE_CLIENT_SECRET="wrong-and-private")
    result = tool("up", "--yes", "-v", "-o", "json")
    assert result.exit_code == 3
    assert "wrong-and-private" not in result.output


def test_who_may_only_read_makes_nothing(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Documents(Layout.of(tool.emulator.home).state)) as documents:
        reader = TokenAuthority(documents).environment(READER)
    tool.sign_in(monkeypatch, **reader)
    since = tool.mark()
    document = tool.up(code=3)
    assert document["error"]["code"] == "RightsMissing"
    assert "Microsoft.ContainerService/managedClusters/write` is not granted" in document["error"]["message"]
    assert "Contributor" in document["error"]["hint"]
    assert tool.writes(since) == []
    planned = tool("plan")
    assert planned.exit_code == 0, "whoever may only read may still see what would be done"
    assert "can't do this" in planned.stderr
    assert tool.document("status")["cluster"]["state"] == "absent"


def test_an_unknown_subscription_is_named(tool: Tool) -> None:
    error = refused(tool, *fields_of(f"azure.subscription={NOBODYS}"))
    assert NOBODYS in error["message"]
    assert "AZURE_SUBSCRIPTION_ID" in error["hint"]


# This machine.


@pytest.mark.parametrize("target", ["emulator", "local"])
def test_a_home_that_can_not_be_made_is_told(tool: Tool, target: str) -> None:
    """Root may write anywhere, but not below a file."""
    file = Path(tool.write("file", ""))
    tool.target = target
    tool.environment["AKS_WASM_HOME"] = str(file / "home")
    error = refused(tool, code=1)
    assert f"`{file / 'home'}" in error["message"]
    assert "AKS_WASM_HOME" in error["hint"]


def test_a_home_below_a_file_hurts_azure_no_less(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(tool.write("file", ""))
    tool.sign_in(monkeypatch)
    tool.environment["AKS_WASM_HOME"] = str(file / "home")
    error = refused(tool, code=1)
    assert "AKS_WASM_HOME" in error["hint"]


def test_a_full_disk_is_told(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that may not grow stand in for a disk without room: the write itself fails."""
    tool.sign_in(monkeypatch)
    tool.environment["AKS_WASM_HOME"] = str(tool.folder / "home")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    since = tool.mark()
    result = subprocess.run(
        [sys.executable, "-m", "aks_wasm", "up", "--yes", "-o", "json", "--set", "metadata.name=bad"],
        env={**os.environ, **tool.environment, "AKS_WASM_TARGET": "azure"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == (soft, hard)
    assert result.returncode == 1, result
    assert "AKS_WASM_HOME" in result.stdout + result.stderr
    assert "bug" not in result.stderr
    assert tool.every_write(since) == []


@pytest.mark.parametrize("arguments", [["version"], ["version", "-o", "json"], ["up", "--bad", "-o", "json"]])
def test_an_answer_that_can_not_be_kept_is_no_bug(tool: Tool, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "aks_wasm", *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert result.returncode == (2 if "--bad" in arguments else 1)
    assert "bug" not in result.stderr
    assert "--bad" in arguments or "can't be written to stdout: No space left on device" in result.stderr


def test_a_port_that_is_taken_is_told(tool: Tool) -> None:
    tool.environment["AKS_WASM_HOME"] = str(tool.folder / "home")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = tool("emulator", "start", "--port", str(port), "-o", "json", name=False)
    assert result.exit_code == 1
    assert f"port {port}" in result.stdout
    assert tool("emulator", "status", name=False).stdout.count("not running") == 1
