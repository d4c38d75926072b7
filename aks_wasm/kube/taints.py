"""Taints of nodes: which of them last, and how the spec writes them. Pure.

A taint that comes and goes with a node's state is no property of its pool: whoever tolerated it would send pods to
nodes that are ill, not yet there or on their way out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PASSING_PREFIXES = (
    "node.kubernetes.io/",  # conditions, and `unschedulable`: Kubernetes' node lifecycle controller
    "node.cloudprovider.kubernetes.io/",  # uninitialized, shutdown: k8s.io/cloud-provider/api/well_known_taints.go
    # A node that is just starting, or reports something: cluster-autoscaler/utils/taints/taints.go
    "startup-taint.cluster-autoscaler.kubernetes.io/",
    "status-taint.cluster-autoscaler.kubernetes.io/",
    "ignore-taint.cluster-autoscaler.kubernetes.io/",
    # AKS drains a node before a scheduled event: learn.microsoft.com/azure/aks/node-auto-drain, and its older name
    "remediator.kubernetes.azure.com/",
    "remediator.aks.microsoft.com/",
    "karpenter.sh/",  # unregistered, disrupted: AKS' node auto-provisioning
)
_PASSING = frozenset(
    {
        "ToBeDeletedByClusterAutoscaler",
        "DeletionCandidateOfClusterAutoscaler",
        "node.cilium.io/agent-not-ready",  # until the network of AKS' Cilium clusters is there
    }
)

_LEAVING = frozenset({"ToBeDeletedByClusterAutoscaler", "node.cloudprovider.kubernetes.io/shutdown"})


def lasts(key: str) -> bool:
    """Return whether a taint of this key stays on a node whatever the node's state."""
    return key not in _PASSING and not key.startswith(_PASSING_PREFIXES)


def lasting_taints(node: Mapping[str, Any]) -> frozenset[str]:
    """Return a node's own lasting taints as `key=value:Effect`."""
    return frozenset(
        taint["key"] + (f"={taint['value']}" if taint.get("value") else "") + f":{taint['effect']}"
        for taint in (node.get("spec") or {}).get("taints") or ()
        if lasts(taint["key"])
    )


def is_leaving(node: Mapping[str, Any]) -> bool:
    """Return whether a node is on its way out: taken by the autoscaler, its machine shut down, or deleted."""
    keys = {str(taint["key"]) for taint in (node.get("spec") or {}).get("taints") or ()}
    return not keys.isdisjoint(_LEAVING) or node["metadata"].get("deletionTimestamp") is not None
