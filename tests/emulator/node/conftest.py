"""A cluster with one node that has the wasmtime and spin shims."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aks_wasm.emulator.node.runtimes import Runtime
from aks_wasm.spec.builtin import HELLO
from tests.emulator.node.rehearsal import Rehearsal, rehearse


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Rehearsal]:
    async with rehearse(tmp_path) as rehearsal:
        rehearsal.install(Runtime("wasmtime", "wasmtime", "v0.6.0"), Runtime("spin", "spin", "v0.25.1"))
        rehearsal.runtime_class("wasmtime", "wasmtime")
        rehearsal.runtime_class("spin", "spin")
        yield rehearsal


@pytest.fixture
def hello() -> dict[str, bytes]:
    """The files of the built-in service."""
    return {path.name: path.read_bytes() for path in (HELLO / "service").iterdir() if path.suffix != ".c"}


@pytest.fixture
def hello_image(nodes: Rehearsal, hello: dict[str, bytes]) -> str:
    nodes.image("hello:1", hello)
    return "hello:1"


@pytest.fixture
def task_image(nodes: Rehearsal) -> str:
    content = {path.name: path.read_bytes() for path in (HELLO / "job").iterdir() if path.suffix != ".c"}
    nodes.image("task:1", content, config={"Entrypoint": ["/task.wasm"]})
    return "task:1"
