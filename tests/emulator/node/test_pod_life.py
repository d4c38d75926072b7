"""The life of a pod: phases, restarts, back-off, probes, deletion."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aks_wasm.emulator.cluster.logs import LogQuery
from tests.emulator.node.http_client import fetch
from tests.emulator.node.rehearsal import (
    ENDLESS,
    NODE,
    TRAPS,
    Rehearsal,
    container_processes,
    eventually,
    exits_with,
)


def conditions(pod: dict[str, Any]) -> dict[str, str]:
    return {row["type"]: row["status"] for row in pod["status"]["conditions"]}


async def test_a_pod_goes_from_pending_over_running_to_succeeded(nodes: Rehearsal, task_image: str) -> None:
    seen: list[tuple[str, str]] = []
    subscription = nodes.store.subscribe("pods")
    nodes.pod("task", task_image)
    async for _, _, pod in subscription:
        status = pod.get("status") or {}
        if status.get("containerStatuses"):
            state = next(iter(status["containerStatuses"][0]["state"]))
            if (status["phase"], state) not in seen:
                seen.append((status["phase"], state))
        if status.get("phase") == "Succeeded":
            break
    subscription.close()
    assert seen == [("Pending", "waiting"), ("Running", "running"), ("Succeeded", "terminated")]
    pod = nodes.get("task")
    assert conditions(pod) == {
        "Initialized": "True",
        "Ready": "False",
        "ContainersReady": "False",
        "PodReadyToStartContainers": "True",
    }
    assert pod["status"]["podIP"].startswith("10.244.0.")
    assert pod["status"]["qosClass"] == "BestEffort"
    assert {reason for reason, _ in nodes.events("task")} == {"Pulled", "Created", "Started"}


async def test_a_crashing_container_is_restarted_at_once_and_then_with_back_off(nodes: Rehearsal) -> None:
    nodes.module("crash:1", exits_with(3))
    nodes.pod("crash", "crash:1", spec={"restartPolicy": "Always"})
    await nodes.until(lambda: nodes.state("crash")["waiting"]["reason"] == "CrashLoopBackOff")
    pod = nodes.get("crash")
    entry = pod["status"]["containerStatuses"][0]
    uid = pod["metadata"]["uid"]
    assert entry["restartCount"] == 1
    assert entry["lastState"]["terminated"]["exitCode"] == 3
    assert entry["state"]["waiting"]["message"] == (
        f"back-off 10s restarting failed container=main pod=crash_default({uid})"
    )
    assert pod["status"]["phase"] == "Running"
    backing_off = f"Back-off restarting failed container main in pod crash_default({uid})"
    assert ("BackOff", backing_off) in nodes.events("crash")
    await nodes.until(lambda: nodes.get("crash")["status"]["containerStatuses"][0]["restartCount"] >= 2)


async def test_on_failure_stops_at_success(nodes: Rehearsal) -> None:
    nodes.module("fine:1", exits_with(0))
    nodes.pod("fine", "fine:1", spec={"restartPolicy": "OnFailure"})
    pod = await nodes.phase("fine", "Succeeded")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


async def test_init_containers_run_first_and_one_after_another(nodes: Rehearsal, task_image: str) -> None:
    inits = [{"name": name, "image": task_image} for name in ("first", "second")]
    nodes.pod("init", task_image, spec={"initContainers": inits})
    pod = await nodes.phase("init", "Succeeded")
    ends = [entry["state"]["terminated"]["exitCode"] for entry in pod["status"]["initContainerStatuses"]]
    assert ends == [0, 0]
    assert conditions(pod)["Initialized"] == "True"
    assert "Hello from a WebAssembly job" in await nodes.log("init", container="second")


async def test_a_failed_init_container_fails_a_pod_that_never_restarts(nodes: Rehearsal, task_image: str) -> None:
    inits = [{"name": "first", "image": task_image, "args": ["--exit", "4"]}]
    nodes.pod("init", task_image, spec={"initContainers": inits})
    pod = await nodes.phase("init", "Failed")
    assert "waiting" in pod["status"]["containerStatuses"][0]["state"]


async def test_a_sidecar_runs_beside_the_containers_and_ends_with_them(
    nodes: Rehearsal, task_image: str, hello_image: str
) -> None:
    sidecar = {"name": "side", "image": hello_image, "command": ["/"], "restartPolicy": "Always"}
    spec = {"runtimeClassName": "spin", "initContainers": [sidecar]}
    nodes.pod("pair", task_image, spec=spec, command=["/"])
    pod = await nodes.phase("pair", "Succeeded")
    await nodes.until(lambda: "terminated" in nodes.get("pair")["status"]["initContainerStatuses"][0]["state"])
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


async def test_a_container_without_a_command_cannot_be_created(nodes: Rehearsal, hello_image: str) -> None:
    nodes.pod("bare", hello_image, spec={"runtimeClassName": "spin"})
    await nodes.until(lambda: nodes.state("bare")["waiting"]["reason"] == "CreateContainerError")
    assert nodes.state("bare")["waiting"]["message"].endswith("failed to generate spec: no command specified")


async def test_readiness_follows_the_probe(nodes: Rehearsal, hello_image: str) -> None:
    probe = {"httpGet": {"path": "/missing", "port": "web"}, "failureThreshold": 1}
    ports = [{"name": "web", "containerPort": 80}]
    spec = {"runtimeClassName": "spin"}
    nodes.pod("unready", hello_image, spec=spec, command=["/"], readinessProbe=probe, ports=ports)
    unhealthy = ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404")
    await nodes.until(lambda: unhealthy in nodes.events("unready"))
    pod = nodes.get("unready")
    assert not pod["status"]["containerStatuses"][0]["ready"]
    ready = next(row for row in pod["status"]["conditions"] if row["type"] == "Ready")
    assert (ready["reason"], ready["message"]) == (
        "ContainersNotReady",
        "containers with unready status: [main]",
    )
    probe = {"httpGet": {"path": "/", "port": "web"}}
    nodes.pod("ready", hello_image, spec=spec, command=["/"], readinessProbe=probe, ports=ports)
    await nodes.ready("ready")
    assert conditions(nodes.get("ready"))["Ready"] == "True"


async def test_a_failing_liveness_probe_restarts_the_container(nodes: Rehearsal, hello_image: str) -> None:
    probe = {"tcpSocket": {"port": 81}, "failureThreshold": 2}
    spec = {"runtimeClassName": "spin", "restartPolicy": "Always"}
    nodes.pod("dead", hello_image, spec=spec, command=["/"], livenessProbe=probe)
    await nodes.until(lambda: nodes.get("dead")["status"]["containerStatuses"][0]["restartCount"] > 0)
    address = nodes.get("dead")["status"]["podIP"]
    events = nodes.events("dead")
    refused = f"Liveness probe failed: dial tcp {address}:81: connect: connection refused"
    assert ("Unhealthy", refused) in events
    assert ("Killing", "Container main failed liveness probe, will be restarted") in events


async def test_a_startup_probe_holds_the_container_unready_until_it_succeeds(
    nodes: Rehearsal, hello_image: str
) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}}
    nodes.pod("starts", hello_image, spec={"runtimeClassName": "spin"}, command=["/"], startupProbe=probe)
    await nodes.ready("starts")
    assert nodes.get("starts")["status"]["containerStatuses"][0]["started"] is True


async def test_an_exec_probe_says_that_wasm_shims_cannot_exec(nodes: Rehearsal, hello_image: str) -> None:
    probe = {"exec": {"command": ["true"]}, "failureThreshold": 1}
    nodes.pod("exec", hello_image, spec={"runtimeClassName": "spin"}, command=["/"], readinessProbe=probe)
    said = "/containerd.task.v2.Task/Exec is not supported"
    await nodes.until(lambda: any(said in message for _, message in nodes.events("exec")))


async def test_deleting_a_pod_whose_module_ignores_sigterm_kills_it_after_the_grace(nodes: Rehearsal) -> None:
    nodes.module("loop:1", ENDLESS)
    nodes.pod("loop", "loop:1", spec={"terminationGracePeriodSeconds": 6}, resources={"limits": {"cpu": "50m"}})
    await nodes.phase("loop", "Running")
    ended: list[dict[str, Any]] = []
    subscription = nodes.store.subscribe("pods")
    nodes.store.delete("pods", "loop", "default")
    async for _, kind, pod in subscription:
        ended.append(pod["status"]["containerStatuses"][0]["state"].get("terminated", {}))
        if kind == "DELETED":
            break
    subscription.close()
    assert ended[-1]["exitCode"] == 137


async def test_a_pod_removed_by_force_leaves_nothing_behind(nodes: Rehearsal) -> None:
    nodes.module("loop:1", ENDLESS)
    pod = nodes.pod("loop", "loop:1", resources={"limits": {"cpu": "50m"}})
    await nodes.phase("loop", "Running")
    (process,) = container_processes(nodes.folder)
    nodes.store.delete("pods", "loop", "default", grace_seconds=0)
    folder = nodes.folder / "nodes" / "pods" / pod["metadata"]["uid"]
    await eventually(lambda: not folder.exists() and process not in container_processes(nodes.folder))


@pytest.mark.parametrize("previous", [False, True])
async def test_logs_are_kept_for_this_attempt_and_the_one_before(nodes: Rehearsal, previous: bool) -> None:
    nodes.module("trap:1", TRAPS)
    nodes.pod("trap", "trap:1", spec={"restartPolicy": "Always"})
    await nodes.until(lambda: nodes.get("trap")["status"]["containerStatuses"][0]["restartCount"] >= 1)
    assert "unreachable" in await nodes.log("trap", previous=previous, follow=not previous)


async def test_a_followed_log_brings_lines_as_they_are_written_and_ends_with_the_pod(
    nodes: Rehearsal, hello_image: str
) -> None:
    nodes.pod("hello", hello_image, spec={"runtimeClassName": "spin", "restartPolicy": "Always"}, command=["/"])
    await nodes.ready("hello")
    nodes.service("hello", 18081, 80, "hello")
    address = await nodes.address("hello")
    lines = nodes.agents.open_log("default", "hello", "main", LogQuery(follow=True))
    async with asyncio.timeout(20):
        await read_to(lines, b"Available Routes")
        await fetch(address, "/while-followed")
        await read_to(lines, b"GET /while-followed")
        nodes.store.delete("pods", "hello", "default")
        assert b"GET" not in b"".join([line async for line in lines])


async def read_to(lines: AsyncIterator[bytes], wanted: bytes) -> None:
    async for line in lines:
        if wanted in line:
            return
    raise AssertionError(f"the log ended without {wanted!r}")


async def test_a_pod_of_a_node_that_is_gone_goes_too(nodes: Rehearsal, hello_image: str) -> None:
    nodes.pod("hello", hello_image, spec={"runtimeClassName": "spin", "restartPolicy": "Always"}, command=["/"])
    await nodes.ready("hello")
    await nodes.agents.converge(())
    assert nodes.store.get("nodes", NODE) is None
    await nodes.gone("hello")
