"""WASI commands on a node: exit codes, traps, limits, environment, volumes."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path

import pytest

from tests.emulator.node.http_client import fetch
from tests.emulator.node.rehearsal import (
    ENDLESS,
    MEMORY_HOG,
    TRAPS,
    Rehearsal,
    container_processes,
    eventually,
    exits_with,
    shows_files,
    wat,
)

COMPONENT = """(component
  (core module $m (func (export "run") (result i32) i32.const {result}))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $r (export "run" (func $run)))
  (export "{interface}" (instance $r)))"""


async def test_the_exit_code_of_a_module_is_the_containers(nodes: Rehearsal) -> None:
    nodes.module("seven:1", exits_with(7))
    nodes.pod("seven", "seven:1")
    pod = await nodes.phase("seven", "Failed")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (7, "Error")
    assert ended["containerID"].startswith("containerd://")
    assert pod["status"]["containerStatuses"][0]["imageID"].startswith("docker.io/library/seven@sha256:")


async def test_a_trap_fails_the_container_and_leaves_its_trace_in_the_log(nodes: Rehearsal) -> None:
    nodes.module("trap:1", TRAPS)
    nodes.pod("trap", "trap:1", terminationMessagePolicy="FallbackToLogsOnError")
    pod = await nodes.phase("trap", "Failed")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["exitCode"] != 0
    assert "wasm `unreachable` instruction executed" in await nodes.log("trap")
    assert "wasm `unreachable` instruction executed" in ended["message"]


async def test_more_memory_than_the_limit_ends_with_137_and_reason_error(nodes: Rehearsal) -> None:
    nodes.module("hog:1", MEMORY_HOG)
    nodes.pod("hog", "hog:1", resources={"limits": {"memory": "32Mi"}})
    pod = await nodes.phase("hog", "Failed")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "Error")


async def test_an_endless_loop_is_ended_by_the_active_deadline(nodes: Rehearsal) -> None:
    nodes.module("loop:1", ENDLESS)
    nodes.pod("loop", "loop:1", spec={"activeDeadlineSeconds": 1}, resources={"limits": {"cpu": "200m"}})
    pod = await nodes.phase("loop", "Failed")
    assert pod["status"]["reason"] == "DeadlineExceeded"
    assert ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline") in nodes.events("loop")


async def test_arguments_and_every_kind_of_environment_reach_the_module(nodes: Rehearsal, task_image: str) -> None:
    meta = {"name": "settings", "namespace": "default"}
    nodes.store.create("configmaps", {"kind": "ConfigMap", "metadata": meta, "data": {"word": "configured"}})
    secret = base64.b64encode(b"hidden").decode()
    nodes.store.create("secrets", {"kind": "Secret", "metadata": meta, "data": {"GREETING": secret}})
    nodes.pod(
        "given",
        task_image,
        args=["$(POD_NAME)", "$(WORD)-$(CPUS)", "$$(WORD)", "$(MISSING)"],
        envFrom=[{"secretRef": {"name": "settings"}}, {"configMapRef": {"name": "none", "optional": True}}],
        env=[
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "WORD", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "word"}}},
            {"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
        ],
        resources={"limits": {"cpu": "1500m"}},
    )
    await nodes.phase("given", "Succeeded")
    log = await nodes.log("given")
    assert "argument 1: given\nargument 2: configured-1500\nargument 3: $(WORD)\nargument 4: $(MISSING)\n" in log
    assert "greeting: hidden\npod: given\n" in log


async def test_a_missing_config_map_holds_the_container_until_it_is_there(nodes: Rehearsal, task_image: str) -> None:
    nodes.pod("waits", task_image, envFrom=[{"configMapRef": {"name": "late"}}])
    await nodes.until(lambda: nodes.state("waits")["waiting"]["reason"] == "CreateContainerConfigError")
    assert nodes.state("waits")["waiting"]["message"] == 'configmap "late" not found'
    assert ("Failed", 'Error: configmap "late" not found') in nodes.events("waits")
    meta = {"name": "late", "namespace": "default"}
    nodes.store.create("configmaps", {"kind": "ConfigMap", "metadata": meta, "data": {"GREETING": "at last"}})
    await nodes.phase("waits", "Succeeded")
    assert "greeting: at last" in await nodes.log("waits")


async def test_volumes_show_up_as_folders_and_single_files_in_the_root(nodes: Rehearsal) -> None:
    nodes.module("reader:1", shows_files((4, "word"), (3, "etc/settings/word")))
    meta = {"name": "settings", "namespace": "default"}
    nodes.store.create("configmaps", {"kind": "ConfigMap", "metadata": meta, "data": {"word": "mounted "}})
    volumes = [{"name": "settings", "configMap": {"name": "settings"}}, {"name": "scratch", "emptyDir": {}}]
    mounts = [
        {"name": "settings", "mountPath": "/settings", "readOnly": True},
        {"name": "settings", "mountPath": "/etc/settings/word", "subPath": "word"},
        {"name": "scratch", "mountPath": "/scratch"},
    ]
    nodes.pod("reads", "reader:1", spec={"volumes": volumes}, volumeMounts=mounts)
    await nodes.phase("reads", "Succeeded", "Failed")
    assert await nodes.log("reads") == "mounted mounted "


async def test_a_missing_volume_source_is_a_failed_mount_until_it_is_there(nodes: Rehearsal, task_image: str) -> None:
    volumes = [{"name": "keys", "secret": {"secretName": "keys"}}]
    nodes.pod("mounts", task_image, spec={"volumes": volumes}, volumeMounts=[{"name": "keys", "mountPath": "/keys"}])
    failed = ("FailedMount", 'MountVolume.SetUp failed for volume "keys" : secret "keys" not found')
    await nodes.until(lambda: failed in nodes.events("mounts"))
    nodes.store.create("secrets", {"kind": "Secret", "metadata": {"name": "keys", "namespace": "default"}, "data": {}})
    await nodes.phase("mounts", "Succeeded")


async def test_volumes_that_would_reach_the_machine_are_refused(nodes: Rehearsal, task_image: str) -> None:
    nodes.pod("host", task_image, spec={"volumes": [{"name": "etc", "hostPath": {"path": "/etc"}}]})
    refused = 'MountVolume.SetUp failed for volume "etc" : hostPath is not emulated'
    await nodes.until(lambda: ("FailedMount", refused) in nodes.events("host"))


@pytest.mark.parametrize(("result", "phase"), [(0, "Succeeded"), (1, "Failed")])
async def test_a_wasip2_command_component_runs(nodes: Rehearsal, result: int, phase: str) -> None:
    text = COMPONENT.format(result=result, interface="wasi:cli/run@0.2.0")
    nodes.module("p2:1", wat(text))
    nodes.pod("p2", "p2:1")
    assert (await nodes.phase("p2", "Succeeded", "Failed"))["status"]["phase"] == phase


async def test_a_wasi_http_component_without_a_program_that_serves_it_says_what_is_missing(
    nodes: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    text = COMPONENT.format(result=0, interface="wasi:http/incoming-handler@0.2.0")
    nodes.module("http:1", wat(text))
    nodes.pod("http", "http:1", terminationMessagePolicy="FallbackToLogsOnError")
    pod = await nodes.phase("http", "Failed")
    message = pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"]
    assert "with the `wasmtime` program, which is not installed on this machine" in message


# Takes wasmtime's place: answers every request with its own arguments.
SERVER = """#!{python}
import http.server, json, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps([sys.argv[1:], os.environ.get("WORD")]).encode())

host, _, port = sys.argv[sys.argv.index("--addr") + 1].partition(":")
http.server.HTTPServer((host, int(port)), Handler).serve_forever()
"""


async def test_a_wasi_http_component_is_handed_to_the_wasmtime_of_the_machine(
    nodes: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = nodes.folder / "bin" / "wasmtime"
    program.parent.mkdir()
    program.write_text(SERVER.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    nodes.module("http:1", wat(COMPONENT.format(result=0, interface="wasi:http/incoming-handler@0.2.0")))
    probe = {"tcpSocket": {"port": 8080}}
    nodes.pod("http", "http:1", readinessProbe=probe, env=[{"name": "WORD", "value": "given"}])
    await nodes.ready("http")
    nodes.service("http", 18085, 8080, "http")
    arguments, word = json.loads((await fetch(await nodes.address("http"), "/")).text)
    assert arguments[0] == "serve"
    assert "WORD=given" in arguments
    assert arguments[-1].endswith("/app.wasm")
    assert word == "given"


async def test_a_cpu_limit_holds_a_busy_module_back(nodes: Rehearsal) -> None:
    nodes.module("loop:1", ENDLESS)
    processes = {}
    for name, limit in (("held", "20m"), ("free", "1")):
        nodes.pod(name, "loop:1", resources={"limits": {"cpu": limit}})
        await nodes.phase(name, "Running")
        (processes[name],) = set(container_processes(nodes.folder)) - set(processes.values())
    start = {name: cpu_seconds(process) for name, process in processes.items()}

    def used(name: str) -> float:
        return cpu_seconds(processes[name]) - start[name]

    await eventually(lambda: used("free") > 0.6)
    assert used("held") < used("free") / 2


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"#!/bin/sh\n", "`/app.wasm` is not a WebAssembly file"),
        (b"\0asm\1\0\0\0garbage", "failed to compile the module"),
        (wat('(module (import "env" "gone" (func)) (func (export "_start")))'), "unknown import: `env::gone`"),
        (wat("(module)"), "the module exports no function `_start`"),
    ],
)
async def test_what_the_shim_cannot_run_says_so_in_the_log(nodes: Rehearsal, content: bytes, complaint: str) -> None:
    nodes.module("bad:1", content)
    nodes.pod("bad", "bad:1")
    pod = await nodes.phase("bad", "Failed")
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137
    assert complaint in await nodes.log("bad")


async def test_another_function_of_the_module_can_be_the_entrypoint(nodes: Rehearsal) -> None:
    nodes.module("two:1", wat('(module (func (export "_start") unreachable) (func (export "other")))'))
    nodes.pod("two", "two:1", command=["/app.wasm#other"])
    await nodes.phase("two", "Succeeded")
