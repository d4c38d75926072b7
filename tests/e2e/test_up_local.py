"""`aks-wasm up --local` on real clusters: the same file as on Azure, real nodes, real Wasm."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.machine import VARIANTS, Machine
from tests.e2e.product import Product

Maker = Callable[..., Product]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def make(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    """Make products; whatever they leave is taken away."""
    made: list[Product] = []

    def maker(variant: str = "containerd2") -> Product:
        name = f"e2e{next(_numbers)}"
        product = Product(machine, tmp_path_factory.mktemp(name), name, variant)
        made.append(product)
        return product

    yield maker
    for product in made:
        product("down", "--yes")
        machine.run("kind", "delete", "cluster", "--name", product.name, "--kubeconfig", product.kubeconfig)


@pytest.fixture(scope="module", params=VARIANTS)
def running(make: Maker, request: pytest.FixtureRequest) -> tuple[Product, dict[str, Any]]:
    """A cluster that `up` has made from nothing, with a service and a job."""
    product = make(request.param)
    job = product.workload("task", "task", kind="job", args=["hello"])
    product.spec["workloads"] = [product.workload("web", "http", port=8080), job]
    return product, product.up().document


def test_up_makes_a_cluster_whose_component_answers_on_the_host(running: tuple[Product, dict[str, Any]]) -> None:
    product, document = running
    assert document["ok"] is True
    assert [(one["nodePool"], one["nodes"], one["proved"]) for one in document["runtimes"]] == [("wasm", 1, 1)]
    assert "wasm component, path /some/path" in product.fetch(product.endpoint(document, "web") + "/some/path")


def test_a_jobs_log_is_read(running: tuple[Product, dict[str, Any]]) -> None:
    product, _ = running
    assert product("workload", "logs", "task").stdout.startswith("hello from")


def test_a_second_up_changes_nothing(running: tuple[Product, dict[str, Any]]) -> None:
    product, _ = running
    before = product.kubectl("get", "nodes,pods,deployments,jobs,services", "--output=name")
    again = product.up()
    assert again.document["steps"] == []
    assert product.kubectl("get", "nodes,pods,deployments,jobs,services", "--output=name") == before


def test_runc_keeps_its_settings_beside_the_shim(running: tuple[Product, dict[str, Any]]) -> None:
    product, _ = running
    dump = product.machine.docker("exec", f"{product.name}-worker", "containerd", "config", "dump")
    runc = dump.partition("containerd.runtimes.runc")[2].partition("containerd.runtimes.")[2] or dump
    assert "SystemdCgroup = true" in runc
    assert "wasmtime" in dump


def test_workloads_come_back_after_their_node_restarts(running: tuple[Product, dict[str, Any]]) -> None:
    product, document = running
    product.machine.docker("restart", "--time=2", f"{product.name}-worker")
    assert "wasm component" in product.fetch(product.endpoint(document, "web"), 150)


def test_how_a_job_fails_is_named(make: Maker, running: tuple[Product, dict[str, Any]]) -> None:
    product, _ = running
    kept = product.spec["workloads"]
    try:
        for name, arguments, told in (("seven", ["exit", "7"], "7"), ("trap", ["trap"], "2")):
            product.spec["workloads"] = [*kept, product.workload(name, "task", kind="job", args=arguments)]
            ran = product("up", "--yes", "--progress", "plain", "--timeout", "3m", "--retain")
            assert ran.code == 1, str(ran)
            assert f"exit code {told}" in ran.stderr, str(ran)
            product("workload", "delete", name, "--yes")
    finally:
        product.spec["workloads"] = kept


def test_down_leaves_nothing(running: tuple[Product, dict[str, Any]]) -> None:
    product, _ = running
    ran = product("down", "--yes")
    assert ran.code == 0, str(ran)
    assert product.left() == []
    assert product.name not in (product.kubeconfig.read_text() if product.kubeconfig.exists() else "")


def test_two_pools_become_two_nodes(make: Maker) -> None:
    product = make()
    product.spec["nodePools"] = [{"name": name, "arch": "amd64"} for name in ("one", "two")]
    product.spec["workloads"] = [product.workload("task", "task", kind="job", args=["hello"])]
    document = product.up().document
    assert {pool["name"] for pool in document["nodePools"]} >= {"one", "two"}
    told = product.kubectl(
        "get", "nodes", "--output=jsonpath={.items[*].metadata.labels.kubernetes\\.azure\\.com/agentpool}"
    )
    assert {"one", "two"} <= set(told.split())
    assert product("down", "--yes").code == 0
    assert product.left() == []


@pytest.mark.parametrize("seconds", [2, 8, 20])
def test_up_killed_is_up_again(make: Maker, seconds: float) -> None:
    product = make()
    product.spec["workloads"] = [product.workload("task", "task", kind="job", args=["hello"])]
    product.kill_up_after(seconds)
    assert product.up().document["ok"] is True
    assert product("down", "--yes").code == 0
    assert product.left() == []


def test_up_costs_little_over_kind_alone(make: Maker, machine: Machine, tmp_path: Path) -> None:
    """Prints the times: the share over a bare creation of as many nodes counts, not this machine's speed."""
    configuration = tmp_path / "two.yaml"
    nodes = "nodes: [{role: control-plane}, {role: worker}]"
    configuration.write_text(f"kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n{nodes}\n")
    bare = ("kind", "--quiet", "create", "cluster", "--name=bare", "--wait=120s", "--config", configuration)
    began = time.monotonic()
    machine.run(*bare, "--image", machine.node_image("containerd2"), "--kubeconfig", tmp_path / "bare")
    alone = time.monotonic() - began
    machine.run("kind", "--quiet", "delete", "cluster", "--name=bare", "--kubeconfig", tmp_path / "bare")
    product = make()
    steps = {step["name"]: step["seconds"] for step in product.up().document["steps"]}
    ours = steps[f"cluster/{product.name}"]
    print(f"\nkind alone {alone:.1f} s, up's cluster {ours:.1f} s: {ours / alone - 1:+.0%}")  # noqa: T201
    assert ours < alone * 1.5
