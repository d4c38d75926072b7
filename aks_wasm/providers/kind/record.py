"""What we remember of a cluster, in the cluster: a ConfigMap with its tags and what its pools were asked to be; pure.

It is written when a creation is complete; a cluster of ours without it is half made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from aks_wasm.providers.base import NodePoolRequest, ObservedNodePool
from aks_wasm.providers.marks import OWNER_TAG
from aks_wasm.shims.labels import owned
from aks_wasm.spec.models import Arch

NAMESPACE, NAME = "kube-system", "aks-wasm-cluster"
AGENT_POOL = "kubernetes.azure.com/agentpool"
_MODE = "kubernetes.azure.com/mode"
_SPOT_LABEL = "kubernetes.azure.com/scalesetpriority"
_SPOT_TAINT = "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"
_SIZE = "node.kubernetes.io/instance-type"
_CONDITION_TAINTS = "node.kubernetes.io/"

Document = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """Tags and pools, the latter as they were asked for."""

    tags: Mapping[str, str]
    pools: tuple[NodePoolRequest, ...] = field(default_factory=tuple)

    def pool(self, name: str) -> NodePoolRequest | None:
        """Return the pool of that name, or None."""
        return next((pool for pool in self.pools if pool.name == name), None)

    def with_pool(self, request: NodePoolRequest) -> Record:
        """Return the record with one pool as it is asked for now."""
        others = tuple(pool for pool in self.pools if pool.name != request.name)
        return replace(self, pools=(*others, request))

    def without_pool(self, name: str) -> Record:
        """Return the record without a pool."""
        return replace(self, pools=tuple(pool for pool in self.pools if pool.name != name))


def manifest(record: Record) -> Document:
    """Return the ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": owned(record.tags.get(OWNER_TAG, ""))},
        "data": {
            "tags": json.dumps(dict(record.tags), sort_keys=True),
            "pools": json.dumps([asdict(_plain(pool)) for pool in record.pools], sort_keys=True),
        },
    }


def from_manifest(document: Mapping[str, Any]) -> Record:
    """Read the ConfigMap; what it does not say is empty."""
    data = document.get("data") or {}
    pools = json.loads(data.get("pools") or "[]")
    return Record(
        tags=json.loads(data.get("tags") or "{}"),
        pools=tuple(_pool(pool) for pool in pools),
    )


def _pool(document: Document) -> NodePoolRequest:
    """JSON knows no tuples."""
    fields: Document = {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}
    return NodePoolRequest(**fields)


def node_count(request: NodePoolRequest) -> int:
    """Return how many nodes a pool gets here, where nothing scales by itself."""
    return max(request.count, request.min or 0)


def node_labels(request: NodePoolRequest) -> dict[str, str]:
    """Return the labels of a pool's nodes: AKS' own that pods may select by, and the pool's."""
    labels = {AGENT_POOL: request.name, "agentpool": request.name, _MODE: request.mode.lower()}
    if request.spot:
        labels[_SPOT_LABEL] = "spot"
    if request.vm_size:
        labels[_SIZE] = request.vm_size
    return {**labels, **request.labels}


def node_taints(request: NodePoolRequest) -> list[Document]:
    """Return the taints of a pool's nodes as Kubernetes has them; spot pools get AKS' own."""
    texts = [*request.taints, *([_SPOT_TAINT] if request.spot and _SPOT_TAINT not in request.taints else [])]
    return [_taint(text) for text in texts]


def taint_text(taint: Mapping[str, Any]) -> str:
    """Return a taint as the spec writes it."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def observed_pool(request: NodePoolRequest, nodes: list[Document], arch: Arch, state: str) -> ObservedNodePool:
    """Return a pool as it is: what its nodes say where they say something, else what was asked for."""
    labels, taints = dict(request.labels), list(request.taints)
    if nodes:
        ours = node_labels(request)
        common = set.intersection(*(set((n["metadata"].get("labels") or {}).items()) for n in nodes))
        labels = {key: value for key, value in common if key in ours}
        each = [{taint_text(t) for t in n.get("spec", {}).get("taints") or ()} for n in nodes]
        # Kubernetes' own come and go with a node's condition.
        taints = sorted(t for t in set.intersection(*each) if not t.startswith(_CONDITION_TAINTS))
    return ObservedNodePool(
        name=request.name,
        state=state,
        mode=request.mode,
        count=len(nodes),
        arch=arch,
        vm_size=request.vm_size,
        min=request.min,
        max=request.max,
        spot=request.spot,
        zones=request.zones,
        labels=labels,
        taints=tuple(taints),
        route="shim",
    )


def _taint(text: str) -> Document:
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return {"key": key, **({"value": value} if value else {}), "effect": effect}


def _plain(request: NodePoolRequest) -> NodePoolRequest:
    return replace(request, labels=dict(request.labels))
