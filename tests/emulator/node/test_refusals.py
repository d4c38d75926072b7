"""What a real node refuses, refused with the same words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aks_wasm.emulator.node.profile import NodePoolProfile, node_name
from aks_wasm.emulator.node.runtimes import Runtime
from tests.emulator.node.rehearsal import Rehearsal, exits_with, rehearse


async def test_a_handler_that_is_not_configured_holds_the_sandbox_until_it_is(
    nodes: Rehearsal, task_image: str
) -> None:
    nodes.runtime_class("late", "spin-v2")
    nodes.pod("late", task_image, spec={"runtimeClassName": "late"}, command=["/"])
    words = re.compile(
        r"Failed to create pod sandbox: rpc error: code = Unknown desc = "
        r'unable to get OCI runtime for sandbox "[0-9a-f]{64}": no runtime for "spin-v2" is configured'
    )

    def refused() -> bool:
        return any(
            reason == "FailedCreatePodSandBox" and words.fullmatch(text) for reason, text in nodes.events("late")
        )

    await nodes.until(refused)
    pod = nodes.get("late")
    assert pod["status"]["phase"] == "Pending"
    assert pod["status"]["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    nodes.install(Runtime("spin-v2", "spin", "v0.25.1"))
    await nodes.phase("late", "Succeeded")


async def test_containerd_1_says_it_in_its_own_words(tmp_path: Path) -> None:
    pool = NodePoolProfile(name="old", os_sku="Ubuntu2204")
    async with rehearse(tmp_path, pool) as nodes:
        nodes.runtime_class("none", "none")
        nodes.pod("none", "x:1", spec={"runtimeClassName": "none", "nodeName": node_name(pool, 0)})
        words = (
            "Failed to create pod sandbox: rpc error: code = Unknown desc = "
            'failed to get sandbox runtime: no runtime for "none" is configured'
        )
        await nodes.until(lambda: ("FailedCreatePodSandBox", words) in nodes.events("none"))


@pytest.mark.parametrize("shim", ["wws", "lunatic"])
async def test_a_shim_that_is_not_emulated_is_a_start_error(nodes: Rehearsal, task_image: str, shim: str) -> None:
    nodes.install(Runtime(shim, shim))
    nodes.runtime_class(shim, shim)
    nodes.pod("shim", task_image, spec={"runtimeClassName": shim})
    pod = await nodes.phase("shim", "Failed")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert f"the `{shim}` shim is not emulated" in ended["message"]


async def test_slight_runs_core_modules(nodes: Rehearsal, task_image: str) -> None:
    nodes.install(Runtime("slight", "slight", "v0.5.1"))
    nodes.runtime_class("slight", "slight")
    nodes.pod("slight", task_image, spec={"runtimeClassName": "slight"})
    await nodes.phase("slight", "Succeeded")


async def test_an_ordinary_container_is_refused_with_the_reason(nodes: Rehearsal) -> None:
    nodes.image("nginx:1", {"usr/sbin/nginx": b"\x7fELF"}, config={"Entrypoint": ["/usr/sbin/nginx"]})
    nodes.pod("nginx", "nginx:1", spec={"runtimeClassName": None, "restartPolicy": "Always"})
    shown = "this emulated node runs only WebAssembly containers, and `docker.io/library/nginx:1`"
    await nodes.until(lambda: any(r == "Failed" and shown in text for r, text in nodes.events("nginx")))
    await nodes.until(lambda: nodes.state("nginx")["waiting"]["reason"] in ("RunContainerError", "CrashLoopBackOff"))


async def test_a_wasm_image_without_runtime_class_is_an_exec_format_error(nodes: Rehearsal) -> None:
    nodes.module("wasm:1", exits_with(0))
    nodes.pod("plain", "wasm:1", spec={"runtimeClassName": None})
    await nodes.phase("plain", "Failed")
    assert await nodes.log("plain") == "exec /app.wasm: exec format error\n"


async def test_preview_nodes_have_the_previews_handlers(tmp_path: Path) -> None:
    pool = NodePoolProfile(name="wasi", workload_runtime="WasmWasi", os_sku="Ubuntu2204")
    async with rehearse(tmp_path, pool) as nodes:
        node = nodes.store.get("nodes", node_name(pool, 0))
        assert node is not None
        labels = node["metadata"]["labels"]
        assert labels["kubernetes.azure.com/wasmtime-spin-v2"] == "true"
        nodes.module("fine:1", exits_with(0))
        nodes.runtime_class("wasmtime-slight-v1", "slight")
        nodes.pod("fine", "fine:1", spec={"runtimeClassName": "wasmtime-slight-v1", "nodeName": node_name(pool, 0)})
        await nodes.phase("fine", "Succeeded")
