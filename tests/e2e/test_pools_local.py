"""Node pools of a local cluster once it is there, and clusters that outlive their time. Cases build on each other."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.machine import Machine
from tests.e2e.product import Product

TAINT = "only=wasm:NoSchedule"


@pytest.fixture(scope="module")
def pools(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A cluster of a pool with two nodes and one with a single node, and a job that ended."""
    product = Product(machine, tmp_path_factory.mktemp("pools"), "pools", "containerd2")
    product.spec["azure"] = {"expiresAfter": "1s"}
    product.spec["nodePools"] = [
        {"name": "big", "arch": "amd64", "count": 2, "taints": []},
        {"name": "small", "arch": "amd64"},
    ]
    product.spec["workloads"] = [product.workload("task", "task", kind="job", args=["hello"])]
    product.up()
    yield product
    product("down", "--yes")
    machine.run("kind", "--quiet", "delete", "cluster", "--name", product.name, "--kubeconfig", product.kubeconfig)


def nodes_of(product: Product, pool: str) -> list[str]:
    label = f"--selector=kubernetes.azure.com/agentpool={pool}"
    return product.kubectl("get", "nodes", label, "--output=name").split()


def test_a_pool_gets_smaller_and_its_nodes_are_gone(pools: Product) -> None:
    before = set(pools.left())
    ran = pools("nodepool", "scale", "big", "--count", "1", "-o", "json", "--progress", "plain")
    assert ran.code == 0, str(ran)
    assert len(nodes_of(pools, "big")) == 1
    assert len(before) - len(set(pools.left())) == 1
    pools.spec["nodePools"][0]["count"] = 1


def taints_of(pools: Product, node: str) -> list[str]:
    taints = json.loads(pools.kubectl("get", node, "--output=json"))["spec"].get("taints", [])
    return [f"{one['key']}={one.get('value', '')}:{one['effect']}" for one in taints]


def test_a_pool_gets_no_larger_and_the_reason_is_told(pools: Product) -> None:
    ran = pools("nodepool", "scale", "big", "--count", "3", "--progress", "plain")
    assert ran.code != 0
    assert "kind can't add nodes to a cluster that is there" in ran.stderr, str(ran)
    assert len(nodes_of(pools, "big")) == 1


def test_another_taint_in_the_file_is_put_on_the_nodes(pools: Product) -> None:
    pools.spec["nodePools"][0]["taints"] = [TAINT]
    pools.up()
    (node,) = nodes_of(pools, "big")
    assert taints_of(pools, node) == [TAINT]
    with pools.also(pools.workload("after", "task", kind="job", args=["hello"])):
        assert pools.up().document["ok"] is True
    pools.spec["nodePools"][0]["taints"] = []
    assert pools.up().document["ok"] is True
    assert taints_of(pools, node) == [TAINT]  # as on AKS: what the file does not name may be somebody else's


def test_a_pool_is_deleted_with_its_nodes(pools: Product) -> None:
    ran = pools("nodepool", "delete", "small", "--yes", "-o", "json", "--progress", "plain")
    assert ran.code == 0, str(ran)
    assert nodes_of(pools, "small") == []
    assert f"{pools.name}-worker3" not in pools.left()
    del pools.spec["nodePools"][1]
    assert pools.up().document["ok"] is True


def test_what_outlived_its_time_is_taken_down(pools: Product) -> None:
    ran = pools("down", "--expired", "--yes", "--progress", "plain")
    assert ran.code == 0, str(ran)
    assert pools.left() == []
