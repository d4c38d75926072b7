"""`aks-wasm up --local` on the other engines that kind finds: from nothing to an answer, and back to nothing."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest

from e2e import podman
from e2e.budget import Budget, OutOfTime
from e2e.engine import NoEngine
from e2e.places import Places
from tests.e2e.machine import Machine
from tests.e2e.product import Product

VARIANT = "containerd2"
SECONDS_TO_SET_UP = 240
ENGINES: dict[str, Callable[[Places, Budget], AbstractContextManager[dict[str, str]]]] = {
    "podman": podman.running,
}
TAKE_IMAGE = {"podman": podman.take_image}


@pytest.fixture(scope="module", params=ENGINES)
def product(
    machine: Machine, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    engine, places = request.param, Places(machine.root)
    with ExitStack() as stack:
        try:
            running = ENGINES[engine](places, Budget(time.monotonic() + SECONDS_TO_SET_UP))
            variables = stack.enter_context(running)
        except (NoEngine, OutOfTime) as error:
            pytest.skip(f"no {engine} here: {error}")
        TAKE_IMAGE[engine](places, machine.node_image(VARIANT))
        environment = {"HOME": machine.environment["HOME"], **variables}
        of_engine = dataclasses.replace(machine, environment=environment, program=engine)
        made = Product(of_engine, tmp_path_factory.mktemp(engine), f"engine-{engine}", VARIANT)
        made.spec["nodePools"] = [{"name": "wasm", "arch": "amd64", "taints": []}]
        made.spec["workloads"] = [
            made.workload("web", "http", port=8080),
            made.workload("task", "task", kind="job", args=["hello"]),
        ]
        yield made
        made("down", "--yes")


def test_up_makes_a_cluster_whose_component_answers_on_the_host(
    product: Product, figure: Callable[[str], None]
) -> None:
    began = time.monotonic()
    document = product.up().document
    assert document["ok"] is True
    assert [(one["nodePool"], one["nodes"], one["proved"]) for one in document["runtimes"]] == [("wasm", 1, 1)]
    assert "wasm component, path /some/path" in product.fetch(product.endpoint(document, "web") + "/some/path")
    figure(f"{product.machine.program}: first answer {time.monotonic() - began:.0f} s after `up` from nothing")


def test_the_nodes_are_that_engines(product: Product, machine: Machine) -> None:
    names = {f"{product.name}-{role}" for role in ("control-plane", "worker")}
    assert names <= set(product.machine.engine("ps", "--format={{.Names}}").split())
    assert not names & set(machine.docker("ps", "--all", "--format={{.Names}}").split())


def test_a_jobs_log_is_read(product: Product) -> None:
    assert product("workload", "logs", "task").stdout.startswith("hello from")


def test_a_second_up_changes_nothing(product: Product) -> None:
    assert product.up().document["steps"] == []


def test_nothing_is_forwarded_out_of_the_machine(product: Product) -> None:
    product.in_node("! curl --silent --max-time 3 --output /dev/null http://198.51.100.1/")
    product.in_node("! timeout 3 getent hosts example.org")


def test_down_leaves_nothing(product: Product) -> None:
    ran = product("down", "--yes")
    assert ran.code == 0, str(ran)
    assert product.left() == []
    assert not product.has_network()
