"""The built-in hello on an emulated node: its service answers, its job ends."""

from __future__ import annotations

from tests.emulator.node.http_client import fetch
from tests.emulator.node.rehearsal import Rehearsal


async def test_the_job_runs_to_completion(nodes: Rehearsal, task_image: str) -> None:
    nodes.pod("task", task_image, spec={"runtimeClassName": "spin"}, command=["/"], args=["a", "--exit", "0"])
    pod = await nodes.phase("task", "Succeeded", "Failed")
    assert pod["status"]["phase"] == "Succeeded"
    assert "Hello from a WebAssembly job\nargument 1: a\n" in await nodes.log("task")


async def test_the_service_answers_through_its_load_balancer(nodes: Rehearsal, hello_image: str) -> None:
    nodes.pod("hello", hello_image, spec={"runtimeClassName": "spin", "restartPolicy": "Always"}, command=["/"])
    await nodes.ready("hello")
    nodes.service("hello", 18080, 80, "hello")
    address = await nodes.address("hello")
    answer = await fetch(address, "/greet/me?x=1", body=b"ping")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Hello from WebAssembly\nmethod: POST\npath: /greet/me\nquery: x=1\n" in answer.text
    assert "body: ping" in answer.text
