"""Nodes come and go with their pools; containers live and die with the agent."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from pathlib import Path

from aks_wasm.emulator.node.profile import NodePoolProfile, node_name, node_object
from aks_wasm.emulator.node.runtimes import Runtime
from tests.emulator.node.http_client import fetch
from tests.emulator.node.rehearsal import NODE, POOL, Rehearsal, container_processes, eventually, rehearse

REPOSITORY = Path(__file__).parents[3]


async def test_each_pool_has_as_many_nodes_as_it_counts(nodes: Rehearsal) -> None:
    system = NodePoolProfile(name="system", mode="System", resource_group="MC_test", count=2)
    await nodes.agents.converge((POOL, system))
    assert [node["metadata"]["name"] for node in nodes.store.list("nodes")] == [
        node_name(system, 0),
        node_name(system, 1),
        NODE,
    ]
    cidrs = {node["spec"]["podCIDR"] for node in nodes.store.list("nodes")}
    assert len(cidrs) == 3
    await nodes.agents.converge((POOL, replace(system, count=1)))
    assert len(nodes.store.list("nodes")) == 2


async def test_labels_and_taints_of_a_pool_change_in_place_and_others_stay(nodes: Rehearsal) -> None:
    nodes.store.mutate("nodes", NODE, None, lambda node: node["metadata"]["labels"].update(own="mine"))
    first = replace(POOL, labels={"a": "1"}, taints=("wasm=true:NoSchedule",))
    await nodes.agents.converge((first,))
    before = nodes.store.get("nodes", NODE)
    assert before is not None
    assert before["spec"]["taints"] == [{"key": "wasm", "value": "true", "effect": "NoSchedule"}]
    await nodes.agents.converge((replace(POOL, labels={"b": "2"}),))
    after = nodes.store.get("nodes", NODE)
    assert after is not None
    labels = after["metadata"]["labels"]
    assert ("a" in labels, labels["b"], labels["own"]) == (False, "2", "mine")
    assert "taints" not in after["spec"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


def test_a_node_is_named_and_labelled_as_aks_does() -> None:
    pool = NodePoolProfile(
        name="wasm", arch="arm64", vm_size="Standard_D2ps_v5", spot=True, zones=("1", "2"), labels={"own": "yes"},
        subscription="5b0f", resource_group="MC_a",
    )  # fmt: skip
    node = node_object(pool, 37)
    assert node["spec"]["providerID"].startswith("azure:///subscriptions/5b0f/resourceGroups/mc_a/providers/Microsoft.")
    name = node["metadata"]["name"]
    assert name.startswith("aks-wasm-")
    assert name.endswith("-vmss000011")  # 37 in base 36
    labels = node["metadata"]["labels"]
    assert labels["kubernetes.azure.com/agentpool"] == "wasm"
    assert labels["kubernetes.azure.com/scalesetpriority"] == "spot"
    assert labels["topology.kubernetes.io/zone"] == "westeurope-2"
    assert labels["kubernetes.io/arch"] == "arm64"
    assert node["spec"]["taints"][0]["key"] == "kubernetes.azure.com/scalesetpriority"
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"] == "containerd://2.3.2-1"
    assert node["status"]["capacity"]["cpu"] == "2"
    assert node["status"]["allocatable"]["cpu"] == "1900m"


async def test_containers_end_with_the_agent_and_come_back_with_it(tmp_path: Path, hello: dict[str, bytes]) -> None:
    async with rehearse(tmp_path) as nodes:
        nodes.install(Runtime("spin", "spin", "v0.25.1"))
        nodes.runtime_class("spin", "spin")
        nodes.image("hello:1", hello)
        nodes.pod("hello", "hello:1", spec={"runtimeClassName": "spin", "restartPolicy": "Always"}, command=["/"])
        nodes.pod("once", "hello:1", spec={"runtimeClassName": "spin"}, command=["/"])
        await nodes.ready("hello", "once")
        nodes.service("hello", 18096, 80, "hello")
        address = await nodes.address("hello")
        assert container_processes(tmp_path) != []
    assert container_processes(tmp_path) == []
    async with rehearse(tmp_path) as nodes:
        await nodes.until(lambda: nodes.get("hello")["status"]["containerStatuses"][0]["restartCount"] == 1)
        await nodes.ready("hello")
        lost = nodes.get("hello")["status"]["containerStatuses"][0]["lastState"]["terminated"]
        assert (lost["exitCode"], lost["reason"]) == (255, "Unknown")
        assert (await fetch(address, "/")).status == 200
        await nodes.phase("once", "Failed")


AGENT = """
import asyncio, sys
from pathlib import Path
from tests.emulator.node.rehearsal import ENDLESS, rehearse
from aks_wasm.emulator.node.runtimes import Runtime

async def main():
    async with rehearse(Path(sys.argv[1])) as nodes:
        nodes.install(Runtime("wasmtime", "wasmtime"))
        nodes.runtime_class("wasmtime", "wasmtime")
        nodes.module("loop:1", ENDLESS)
        nodes.pod("loop", "loop:1", resources={"limits": {"cpu": "50m"}})
        await nodes.phase("loop", "Running")
        print("running", flush=True)
        await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""


async def test_containers_do_not_outlive_an_agent_that_is_killed(tmp_path: Path) -> None:
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", AGENT, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY
    )
    assert agent.stdout is not None
    assert await agent.stdout.readline() == b"running\n"
    assert [process for process in container_processes(tmp_path) if process != agent.pid] != []
    agent.send_signal(signal.SIGKILL)
    await agent.communicate()
    await eventually(lambda: container_processes(tmp_path) == [])
