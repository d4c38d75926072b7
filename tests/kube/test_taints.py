from __future__ import annotations

import pytest

from aks_wasm.kube.taints import lasting_taints, lasts


@pytest.mark.parametrize(
    "key",
    [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unschedulable",
        "node.cloudprovider.kubernetes.io/uninitialized",
        "ToBeDeletedByClusterAutoscaler",
        "DeletionCandidateOfClusterAutoscaler",
        "remediator.kubernetes.azure.com/unschedulable",
        "karpenter.sh/disrupted",
        "startup-taint.cluster-autoscaler.kubernetes.io/warming",
    ],
)
def test_a_taint_that_comes_and_goes_with_a_nodes_state_does_not_last(key: str) -> None:
    assert not lasts(key)


@pytest.mark.parametrize("key", ["team", "kubernetes.azure.com/scalesetpriority", "CriticalAddonsOnly", "sku"])
def test_what_somebody_has_decided_about_a_pool_lasts(key: str) -> None:
    assert lasts(key)


def test_a_nodes_taints_are_written_as_the_spec_writes_them() -> None:
    taints = [
        {"key": "team", "value": "wasm", "effect": "NoSchedule"},
        {"key": "sku", "effect": "NoExecute"},
        {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
    ]
    assert lasting_taints({"spec": {"taints": taints}}) == {"team=wasm:NoSchedule", "sku:NoExecute"}
    assert lasting_taints({"spec": {}}) == set()
