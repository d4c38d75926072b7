from __future__ import annotations

from typing import Any

from aks_wasm.kube.client import KubeClient
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.steps.step import StepContext
from aks_wasm.steps.workload import make_room
from tests.kube.running_api import RunningApi
from tests.unit.clocks import FakeClock


def secret(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default", **metadata}}


def context_of(client: KubeClient, clock: FakeClock) -> StepContext:
    spec, provider = ClusterSpec.model_validate({"metadata": {"name": "demo"}}), None
    return StepContext(spec, provider, lambda: client, lambda _event: None, clock, deadline=60.0)  # type: ignore[arg-type]


def test_an_object_on_its_way_out_is_waited_for_before_another_takes_its_name(
    client: KubeClient, api: RunningApi
) -> None:
    api.do(lambda store: store.create("secrets", secret("held", finalizers=["test.dev/hold"])))
    client.delete("Secret", "held", "default")

    def let_go(_now: float) -> bool:
        api.do(
            lambda store: store.mutate("secrets", "held", "default", lambda o: o["metadata"].pop("finalizers", None))
        )
        return False

    clock = FakeClock(let_go)
    make_room(client, secret("held"), context_of(client, clock))
    assert clock.pauses
    assert client.get("Secret", "held", "default") is None


def test_an_object_that_stays_is_not_waited_for(client: KubeClient) -> None:
    client.apply(secret("stays"))
    clock = FakeClock()
    make_room(client, secret("stays"), context_of(client, clock))
    make_room(client, secret("none"), context_of(client, clock))
    assert clock.pauses == []
    assert client.get("Secret", "stays", "default") is not None
