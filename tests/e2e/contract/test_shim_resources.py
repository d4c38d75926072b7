"""Shim resources are taken by the real API server, under the real kind of definition; the controller is the tests'."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aks_wasm.kube.client import KubeClient
from aks_wasm.shims.catalogue import select
from aks_wasm.shims.labels import INSTALLED, SHIMS
from aks_wasm.shims.runtime_class_manager import CRD
from aks_wasm.spec.models import ClusterSpec, Metadata
from aks_wasm.steps.shim_removal import RemoveShimResources
from aks_wasm.steps.shim_resources import ApplyShimResources
from aks_wasm.steps.step import StepContext
from aks_wasm.waits import Patience, Seen, SystemClock, wait_until
from tests.e2e.contract.real_api import Endpoint
from tests.e2e.contract.test_privileges import ask, client_of
from tests.kube.shim_controller import NAMESPACE, ShimController
from tests.unit.clocks import FakeClock

SPIN, OLDER = select(("spin",))[0], select(("spin@v0.24.0",))[0]
SELECTOR = {SHIMS: INSTALLED}
NODE = "shim-node"
RUNNING = {"status": {"availableReplicas": 1, "readyReplicas": 1, "replicas": 1}}


@pytest.fixture
def endpoint(real: Endpoint) -> Iterator[Endpoint]:
    yield real
    for path in (f"apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}", f"api/v1/nodes/{NODE}"):
        ask(real, "DELETE", f"/{path}")


def test_the_real_server_takes_our_shims_changes_them_and_lets_them_go(endpoint: Endpoint) -> None:
    with client_of(endpoint) as client:
        controller = ShimController(client, lambda _node, _handler, _type: None)
        controller.install()
        _served(client)
        place = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/rcm-runtime-class-manager/status"
        whole = ask(endpoint, "GET", place).json()
        ask(endpoint, "PUT", place, {**whole, **RUNNING}).raise_for_status()
        client.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": SELECTOR}})
        place = f"/api/v1/nodes/{NODE}"
        whole = ask(endpoint, "GET", place).json()
        ask(
            endpoint, "PUT", f"{place}/status", {**whole, "status": {"nodeInfo": {"architecture": "amd64"}}}
        ).raise_for_status()

        for shim in (SPIN, OLDER):
            step = ApplyShimResources((shim,), lambda: _nodes(client))
            assert step.run(_context(client, controller)) == "1 of 1 changed"
            assert step.run(_context(client, controller)) == "0 of 1 changed"
            runtime = client.get("RuntimeClass", shim.runtime_class)
            assert runtime is not None
            assert runtime["handler"] == "spin-v2"
        assert RemoveShimResources().run(_context(client, controller)) == "1 removed"
        assert client.list("Shim") == []
        assert "spin-v2" not in _nodes(client)[0]["metadata"]["labels"]


def _served(client: KubeClient) -> None:
    def look() -> Seen[None]:
        live = client.get("CustomResourceDefinition", CRD) or {}
        rows = (live.get("status") or {}).get("conditions") or ()
        return Seen("not yet", done=any(row["type"] == "Established" and row["status"] == "True" for row in rows))

    wait_until(look, what=CRD, patience=Patience(30, SystemClock()))


def _nodes(client: KubeClient) -> tuple[dict[str, Any], ...]:
    return tuple(client.list("Node", labels=f"{SHIMS}={INSTALLED}"))


def _context(client: KubeClient, controller: ShimController) -> StepContext:
    def look(_time: float) -> bool:
        controller.look()
        return False

    nothing: Any = None
    spec = ClusterSpec(metadata=Metadata(name="demo"))
    return StepContext(spec, nothing, lambda: client, lambda _event: None, FakeClock(look), 300)
