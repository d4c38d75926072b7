from __future__ import annotations

from typing import cast

import pytest

from aks_wasm.errors import Unreachable
from aks_wasm.kube.client import KubeClient
from aks_wasm.kube.outages import wait_until_reachable
from aks_wasm.waits import Patience
from tests.unit.clocks import FakeClock


class Restarting:
    """An API server that does not answer until some time has passed."""

    def __init__(self, clock: FakeClock, until: float) -> None:
        self.clock, self.until = clock, until

    def version(self) -> str:
        if self.clock.now() < self.until:
            raise Unreachable("the cluster's API server does not answer")
        return "v1.35.5"


def test_an_api_server_that_restarts_is_waited_for() -> None:
    clock, seen = FakeClock(), list[str]()
    client = cast("KubeClient", Restarting(clock, 60))
    wait_until_reachable(lambda: client, Patience(600, clock, seen.append))
    assert seen == ["no answer; trying again", "Kubernetes v1.35.5 answers"]


def test_an_api_server_that_is_gone_is_told_before_the_time_is_up() -> None:
    clock = FakeClock()
    client = cast("KubeClient", Restarting(clock, 1000))
    with pytest.raises(Unreachable):
        wait_until_reachable(lambda: client, Patience(2000, clock))
    assert clock.now() < 200


def test_credentials_that_can_not_be_fetched_for_a_while_are_waited_for_too() -> None:
    clock = FakeClock()
    client = cast("KubeClient", Restarting(clock, 0))

    def connect() -> KubeClient:
        if clock.time < 60:
            raise Unreachable("Resource Manager does not answer")
        return client

    wait_until_reachable(connect, Patience(600, clock))
    assert 60 <= clock.time < 120
