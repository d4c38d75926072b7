"""The emulator as its users have it: a daemon process, a cluster on it, a workload that answers, restarts."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import requests
import yaml

from aks_wasm.emulator.launch import Running, Wanted, start, status, stop
from aks_wasm.settings import Settings
from aks_wasm.spec.builtin import HELLO
from aks_wasm.waits import Patience, Seen, SystemClock, wait_until
from aks_wasm.wasm.oci import content_of, package

QUICK = Wanted(pace="0")
PATIENCE = Patience(60, SystemClock())
RUNTIME_CLASS: dict[str, Any] = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": "wasmtime-spin-v2"},
    "handler": "spin",
    "scheduling": {"nodeSelector": {"kubernetes.azure.com/wasmtime-spin-v2": "true"}},
}
SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "hello"},
    "spec": {"type": "LoadBalancer", "selector": {"app": "hello"}, "ports": [{"port": 80, "targetPort": 80}]},
}


def deployment(image: str) -> dict[str, Any]:
    container = {"name": "hello", "image": image, "command": ["/"], "ports": [{"containerPort": 80}]}
    template = {
        "metadata": {"labels": {"app": "hello"}},
        "spec": {"runtimeClassName": "wasmtime-spin-v2", "containers": [container]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hello"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "hello"}}, "template": template},
    }


class Cluster:
    """One local cluster of the daemon, seen through the kubernetes client."""

    def __init__(self, running: Running) -> None:
        config = yaml.safe_load(running.client().get("clusters/demo/kubeconfig"))
        self.api = kubernetes.config.new_client_from_config_dict(config)
        self.core = kubernetes.client.CoreV1Api(self.api)

    def create(self, *documents: dict[str, Any]) -> None:
        for document in documents:
            kubernetes.utils.create_from_dict(self.api, document)

    def address(self) -> str:
        """Return where the load balancer answers, once it does."""

        def look() -> Seen[str]:
            service = self.core.read_namespaced_service("hello", "default")
            ingress = service.status.load_balancer.ingress or []
            if not ingress:
                return Seen("no address")
            url = f"http://{ingress[0].ip or ingress[0].hostname}:{(ingress[0].ports or service.spec.ports)[0].port}/"
            try:
                answer = requests.get(url, timeout=5)
            except requests.ConnectionError as error:
                return Seen(f"{url}: {error}")
            return Seen(f"{url}: {answer.status_code}", done=answer.status_code == 200, value=url)

        address = wait_until(look, what="the load balancer", patience=PATIENCE)
        assert address is not None
        return address

    def close(self) -> None:
        self.api.close()


def containers(settings: Settings) -> list[str]:
    """Return the command lines of the processes that run containers of this home."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended while we looked
            found.append(process.read_bytes().replace(b"\0", b" ").decode())
    return [line for line in found if "emulator.node.container" in line and str(settings.home) in line]


@pytest.fixture
def settings(tmp_path) -> Iterator[Settings]:
    here = Settings(home=tmp_path / "home")
    yield here
    stop(here)


@pytest.fixture
def answering(settings, tmp_path) -> Running:
    """A daemon whose cluster serves the hello workload."""
    running = start(settings, QUICK)
    pools = [{"name": "system", "mode": "System"}, {"name": "wasm", "workload_runtime": "WasmWasi"}]
    running.client().request("PUT", "clusters/demo", {"pools": pools})
    image = package(content_of(HELLO / "service" / "spin.toml"), repository="aks-wasm.local/hello", folder=tmp_path)
    with image.path.open("rb") as archive:
        loaded = running.client().request("PUT", "clusters/demo/images", archive)
    assert loaded["images"] == [image.name]
    cluster = Cluster(running)
    cluster.create(RUNTIME_CLASS, deployment(image.name), SERVICE)
    assert "your Wasm node works" in requests.get(cluster.address(), timeout=20).text
    cluster.close()
    return running


def test_a_workload_answers_again_after_a_restart_at_the_same_address(settings, answering):
    cluster = Cluster(answering)
    before = cluster.address()
    cluster.close()
    assert len(containers(settings)) == 2
    stop(settings)
    assert containers(settings) == []
    again = start(settings, QUICK)
    assert again.url == answering.url
    cluster = Cluster(again)
    assert cluster.address() == before
    assert "your Wasm node works" in requests.get(before, timeout=20).text
    cluster.close()


def test_kill_9_takes_the_containers_along_and_the_next_start_brings_them_back(settings, answering):
    os.kill(answering.pid, signal.SIGKILL)
    wait_until(lambda: Seen("alive", done=not containers(settings)), what="the containers' end", patience=PATIENCE)
    assert status(settings) is None
    cluster = Cluster(start(settings, QUICK))
    assert "your Wasm node works" in requests.get(cluster.address(), timeout=20).text
    cluster.close()
