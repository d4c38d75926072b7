"""Services of type LoadBalancer answer on loopback."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aks_wasm.emulator.node import load_balancer
from aks_wasm.emulator.node.runtimes import Runtime
from tests.emulator.node.http_client import fetch
from tests.emulator.node.rehearsal import Rehearsal, eventually, rehearse


async def two_pods(nodes: Rehearsal, image: str) -> None:
    for name in ("one", "two"):
        nodes.pod(name, image, spec={"runtimeClassName": "spin", "restartPolicy": "Always"}, command=["/"])
    await nodes.ready("one", "two")


async def test_connections_go_in_turn_to_the_ready_endpoints(nodes: Rehearsal, hello_image: str) -> None:
    await two_pods(nodes, hello_image)
    nodes.service("hello", 18090, 80, "one", "two")
    address = await nodes.address("hello")
    for _ in range(4):
        assert (await fetch(address, "/")).status == 200
    for name in ("one", "two"):
        assert (await nodes.log(name)).count("GET /") == 2
    nodes.endpoints("hello", 80, "two")
    for _ in range(2):
        assert (await fetch(address, "/")).status == 200
    assert (await nodes.log("two")).count("GET /") == 4


async def test_the_address_is_a_loopback_one_and_said_in_status_and_events(nodes: Rehearsal, hello_image: str) -> None:
    nodes.service("hello", 18091, 80)
    await nodes.address("hello")
    service = nodes.store.get("services", "hello", "default")
    assert service is not None
    ingress = service["status"]["loadBalancer"]["ingress"]
    assert re.fullmatch(r"127\.\d+\.\d+\.\d+", ingress[0]["ip"])
    assert "annotations" not in service["metadata"]
    await nodes.until(
        lambda: (
            {("EnsuringLoadBalancer", "Ensuring load balancer"), ("EnsuredLoadBalancer", "Ensured load balancer")}
            <= set(nodes.events("hello"))
        )
    )


async def test_without_ready_endpoints_the_connection_is_cut(nodes: Rehearsal) -> None:
    nodes.service("nobody", 18092, 80)
    with pytest.raises(aiohttp.ClientConnectionError):
        await fetch(await nodes.address("nobody"), "/")


async def test_a_deleted_service_frees_its_port(nodes: Rehearsal) -> None:
    nodes.service("gone", 18093, 80)
    address = await nodes.address("gone")
    nodes.store.delete("services", "gone", "default")

    await eventually(lambda: not nodes.agents.balanced())
    with pytest.raises(aiohttp.ClientConnectorError):
        await fetch(address, "/")


async def test_a_service_that_becomes_cluster_ip_gives_its_address_back(nodes: Rehearsal) -> None:
    nodes.service("inner", 18094, 80)
    await nodes.address("inner")
    nodes.store.mutate("services", "inner", "default", lambda service: service["spec"].update(type="ClusterIP"))

    def cleared() -> bool:
        service = nodes.store.get("services", "inner", "default")
        return service is not None and service["status"]["loadBalancer"] == {}

    await nodes.until(cleared)


async def test_a_port_that_cannot_be_bound_is_answered_elsewhere_and_said(
    nodes: Rehearsal, hello_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = load_balancer.asyncio.start_server

    async def unprivileged(handler: Any, host: str, port: int, **options: Any) -> Any:
        if 0 < port < 1024:
            raise PermissionError(errno.EACCES, "Permission denied")
        return await real(handler, host, port, **options)

    monkeypatch.setattr(load_balancer.asyncio, "start_server", unprivileged)
    await two_pods(nodes, hello_image)
    nodes.service("low", 80, 80, "one")
    address = await nodes.address("low")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
    assert (await fetch(address, "/")).status == 200
    await nodes.until(
        lambda: any(address in text for reason, text in nodes.events("low") if reason == "EnsuredLoadBalancer")
    )


async def test_the_address_stays_the_same_over_a_restart(tmp_path: Path) -> None:
    async with rehearse(tmp_path) as nodes:
        nodes.service("kept", 18095, 80)
        before = await nodes.address("kept")
    async with rehearse(tmp_path) as nodes:
        nodes.install(Runtime("spin", "spin"))
        await eventually(nodes.agents.balanced)
        assert await nodes.address("kept") == before
