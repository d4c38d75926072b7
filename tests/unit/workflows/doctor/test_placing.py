"""Wasm pods that no node takes, and labels that stand on nodes only."""

from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.shims.labels import INSTALLED, READY, SHIMS, ready_label
from tests.unit.workflows.doctor.scenes import HANDLER, OURS, azure, found, node, only, pod, runtime_class, view

MARKED = {SHIMS: INSTALLED}
WANTS = {ready_label(HANDLER): READY}
TAINT = {"key": "aks-wasm.dev/wasm", "value": "true", "effect": "NoSchedule"}
SAID = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."


def stuck(said: str = SAID, **more: Any) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    return pod(on=None, conditions=[condition], **more)


def test_no_node_is_marked_for_the_installer() -> None:
    told = only(view(node(), stuck(spec={"nodeSelector": WANTS}), runtime_class()))
    assert (told.code, told.demand, told.evidence) == ("NoInstallerNode", 35, SAID)
    assert told.command == "aks-wasm runtime install --kubeconfig k --shim spin"


def test_marked_nodes_that_no_probe_has_proved_are_told_with_their_probes() -> None:
    probe = pod("shim-probe-1", runtime=f"aks-wasm-probe-{HANDLER}", namespace="aks-wasm-system")
    told = only(view(node(labels=MARKED), probe, stuck(spec={"nodeSelector": WANTS}), runtime_class()))
    assert (told.code, told.demand) == ("NotProved", 28)
    assert "any of the 1 nodes that are to have it; its probe pods there are Pending" in told.message


def test_no_node_of_that_architecture() -> None:
    wants = {"kubernetes.io/arch": "arm64"}
    told = only(view(node(labels={"kubernetes.io/arch": "amd64"}), stuck(spec={"nodeSelector": wants}), ways=OURS))
    assert (told.code, told.demand) == ("NoNodeOfArchitecture", 34)
    assert told.command == "aks-wasm nodepool add arm64 --arch arm64 -f a.yaml"


def test_a_label_that_no_node_has_is_named() -> None:
    scene = view(node(labels={"agentpool": "wasm"}), stuck(spec={"nodeSelector": {"spin": "true"}}), runtime_class())
    told = only(scene)
    assert (told.code, told.demand) == ("NoNodeMatches", 35)
    assert "no node has the label spin=true" in told.message
    assert told.command == (
        "az aks nodepool update --resource-group group --cluster-name cluster --name wasm --labels spin=true"
    )


def test_a_taint_that_is_not_tolerated_is_named() -> None:
    waiting = stuck(spec={"nodeSelector": MARKED})
    told = only(view(node(labels=MARKED, taints=[TAINT]), waiting, runtime_class()))
    assert (told.code, told.demand) == ("UntoleratedTaint", 35)
    assert "the taint aks-wasm.dev/wasm=true:NoSchedule" in told.message
    assert told.command is not None
    assert f"patch runtimeclass {HANDLER}" in told.command
    assert told.command.endswith("--namespace default delete pod web-1")


@pytest.mark.parametrize(
    "toleration",
    [
        {"operator": "Exists"},
        {"key": "aks-wasm.dev/wasm", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "aks-wasm.dev/wasm", "operator": "Equal", "value": "true"},
    ],
)
def test_a_taint_that_is_tolerated_is_not_in_the_way(toleration: dict[str, str]) -> None:
    said = "0/1 nodes are available: 1 Insufficient memory."
    waiting = stuck(said, spec={"nodeSelector": MARKED, "tolerations": [toleration]})
    labels = {**MARKED, "kubernetes.azure.com/agentpool": "wasm"}
    told = only(view(node(labels=labels, taints=[TAINT]), waiting, runtime_class(), ways=OURS))
    assert (told.code, told.message) == ("NoRoom", "the nodes that have its shim have too little memory left")
    assert told.command == "aks-wasm nodepool scale wasm --count 2 -f a.yaml"


def test_pods_of_others_that_nobody_takes_are_not_our_business() -> None:
    assert found(view(node(), stuck(runtime=None))) == []


@pytest.mark.parametrize(
    ("pool_labels", "told"),
    [(None, True), ({"wasm": {}}, True), ({"wasm": MARKED}, False)],
)
def test_a_label_on_nodes_and_not_on_their_pool_is_a_warning(
    pool_labels: dict[str, dict[str, str]] | None, told: bool
) -> None:
    pool = {"kubernetes.azure.com/agentpool": "wasm"}
    nodes = [node("n1", labels={**pool, **MARKED}, provider=azure()), node("n2", labels=pool, provider=azure())]
    every = found(view(*nodes, pool_labels=pool_labels))
    assert [(one.code, one.demand, one.severity) for one in every] == (
        [("LabelNotOnPool", 35, "warning")] if told else []
    )
    if told:
        assert every[0].command == (
            "az aks nodepool update --resource-group group --cluster-name cluster --name wasm "
            "--labels aks-wasm.dev/shims=installed"
        )


def test_a_pool_that_is_at_zero_is_told() -> None:
    pools = {"wasm": {**MARKED, **WANTS}, "system": {}}
    told = only(view(node(), stuck(spec={"nodeSelector": WANTS}), runtime_class(), ways=OURS, pool_labels=pools))
    assert (told.code, told.demand) == ("PoolAtZero", 24)
    assert told.command == "aks-wasm nodepool scale wasm --count 1 -f a.yaml"
