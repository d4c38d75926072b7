"""A probe that is under way when its container ends."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.node.container_worker import PodScene
from aks_wasm.emulator.node.images import ImageStore
from aks_wasm.emulator.node.node_context import NodeContext
from aks_wasm.emulator.node.probes import run_probes
from aks_wasm.emulator.node.process import ContainerProcess
from aks_wasm.emulator.node.runtimes import Runtime
from aks_wasm.emulator.state import Documents
from tests.emulator.node.rehearsal import Rehearsal

MOST_STEPS = 80  # of the event loop: more than one probe takes
CONTAINER = {"name": "main", "readinessProbe": {"httpGet": {"path": "/", "port": 80}}}


async def test_a_probe_ends_wherever_it_is_cancelled(tmp_path: Path) -> None:
    answers = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answers
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            answers += 1
        writer.close()

    documents = Documents(tmp_path / "state.db")
    context = NodeContext(Store(documents, "c"), ImageStore(tmp_path / "images"), Pace(0), tmp_path / "nodes")
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    context.network.listen("10.244.0.2", 80, server.sockets[0].getsockname()[1])
    pod = {"metadata": {"name": "web", "namespace": "default", "uid": "u"}, "spec": {}, "status": {}}
    scene = PodScene(context, pod, Runtime("spin", "spin", "v0.25.1"), "linux/amd64", "10.244.0.2")
    process = ContainerProcess(await asyncio.create_subprocess_exec("true"))
    async with server:
        for steps in range(MOST_STEPS):
            probing = asyncio.create_task(run_probes(scene, CONTAINER, process, pytest.fail))
            for _ in range(steps):
                await asyncio.sleep(0)
            probing.cancel()
            _, late = await asyncio.wait({probing}, timeout=2)
            for task in late:
                task.cancel()
            assert not late, f"cancelled after {steps} steps of the event loop, the probe went on"
    assert answers > 0
    documents.close()


async def test_a_pod_is_gone_though_it_is_being_probed(nodes: Rehearsal, hello_image: str) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}}
    nodes.pod("web", hello_image, spec={"runtimeClassName": "spin"}, command=["/"], readinessProbe=probe)
    await nodes.ready("web")
    nodes.store.delete("pods", "web", "default")
    await nodes.gone("web")
