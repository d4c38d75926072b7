from __future__ import annotations

from typing import Any

from aks_wasm.providers.base import NodePoolRequest
from aks_wasm.providers.kind.record import Record, from_manifest, manifest, node_taints, observed_pool, taint_text

WASM = NodePoolRequest(
    "wasm", "amd64", None, "shim", 1, labels={"a": "b"}, taints=("w=t:NoSchedule",), zones=("1", "2"), min=1, max=2
)
RECORD = Record({"aks-wasm-owner": "hello"}, (NodePoolRequest("system", None, None, "shim", 1, mode="System"), WASM))


def node(labels: dict[str, str], *taints: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": "hello-worker", "labels": labels}, "spec": {"taints": list(taints)}}


def test_what_was_written_is_read_again() -> None:
    document = manifest(RECORD)
    assert (document["metadata"]["namespace"], document["metadata"]["name"]) == ("kube-system", "aks-wasm-cluster")
    assert document["metadata"]["labels"]["app.kubernetes.io/part-of"] == "hello"
    assert from_manifest(document) == RECORD


def test_a_pool_is_found_changed_and_forgotten() -> None:
    bigger = NodePoolRequest("wasm", "amd64", None, "shim", 3)
    assert RECORD.with_pool(bigger).pool("wasm") == bigger
    assert RECORD.without_pool("wasm").pool("wasm") is None
    assert RECORD.pool("other") is None


def test_taints_are_written_and_read_in_the_same_words() -> None:
    for text in ("a=b:NoSchedule", "a:NoExecute"):
        (taint,) = node_taints(NodePoolRequest("p", None, None, "shim", 1, taints=(text,)))
        assert taint_text(taint) == text


def test_a_pool_is_seen_as_its_nodes_are() -> None:
    nodes = [
        node(
            {"a": "changed", "kubernetes.azure.com/agentpool": "wasm", "kubernetes.io/hostname": "hello-worker"},
            {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
            {"key": "w", "value": "t", "effect": "NoSchedule"},
        )
    ]
    pool = observed_pool(WASM, nodes, "arm64", "Succeeded")
    assert (pool.count, pool.arch, pool.route, pool.min, pool.max) == (1, "arm64", "shim", 1, 2)
    assert pool.labels == {"a": "changed", "kubernetes.azure.com/agentpool": "wasm"}
    assert pool.taints == ("w=t:NoSchedule",)


def test_a_pool_without_nodes_is_seen_as_it_was_asked_for() -> None:
    pool = observed_pool(WASM, [], "amd64", "NodesMissing")
    assert (pool.count, pool.labels, pool.taints) == (0, {"a": "b"}, ("w=t:NoSchedule",))
