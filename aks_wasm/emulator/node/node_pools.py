"""Nodes of pools: made, changed, replaced and taken away so that the cluster has what its pools say."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.node.profile import NodePoolProfile, node_name, node_object

_POOL_ANNOTATION = "emulator.aks-wasm.dev/pool"
"""JSON of labels and taints that came from the pool, so that they can be taken back when the pool changes."""


def converge_nodes(store: Store, pools: Sequence[NodePoolProfile]) -> list[str]:
    """Make the nodes be those of the pools; return the names of nodes that went, replaced ones included.

    A node whose image or Kubernetes version differs is replaced, as an upgrade reimages it: what an installer had put
    there is lost. Labels and taints are changed in place.
    """
    wanted = {node_name(pool, index): (pool, index) for pool in pools for index in range(pool.count)}
    gone = []
    for node in store.list("nodes"):
        name = node["metadata"]["name"]
        if name not in wanted or _is_other_machine(node, node_object(*wanted[name])):
            store.delete("nodes", name)
            gone.append(name)
    for number, (name, (pool, index)) in enumerate(wanted.items()):
        fresh = _marked(node_object(pool, index))
        if store.peek("nodes", name) is None:
            fresh["spec"] |= {"podCIDR": (cidr := _free_cidr(store, number)), "podCIDRs": [cidr]}
            created = store.create("nodes", fresh)
            store.record_event(created, "Starting", "Starting kubelet.")
            store.record_event(created, "NodeReady", f"Node {name} status is now: NodeReady")
        else:
            store.mutate("nodes", name, None, functools.partial(_adopt, made=fresh))
    return gone


def _is_other_machine(node: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
    label = "kubernetes.azure.com/node-image-version"
    old, new = node["metadata"].get("labels") or {}, made["metadata"]["labels"]
    size = "node.kubernetes.io/instance-type"
    versions = [entry["status"]["nodeInfo"]["kubeletVersion"] for entry in (node, made)]
    return bool(old.get(label) != new[label] or old.get(size) != new[size] or versions[0] != versions[1])


def _free_cidr(store: Store, start: int) -> str:
    taken = {node["spec"].get("podCIDR") for node in store.view("nodes")}
    return next(
        cidr
        for number in range(start, start + 65536)
        if (cidr := f"10.{244 + (number >> 8) % 8}.{number & 0xFF}.0/24") not in taken
    )


def _marked(node: dict[str, Any]) -> dict[str, Any]:
    given = {"labels": node["metadata"]["labels"], "taints": node["spec"].get("taints") or []}
    node["metadata"]["annotations"][_POOL_ANNOTATION] = json.dumps(given, sort_keys=True)
    return node


def _adopt(stored: dict[str, Any], made: Mapping[str, Any]) -> None:
    """Bring labels and taints up to date; what others have put on the node stays."""
    annotations = stored["metadata"].setdefault("annotations", {})
    before = json.loads(annotations.get(_POOL_ANNOTATION, '{"labels": {}, "taints": []}'))
    labels = stored["metadata"].setdefault("labels", {})
    for key in before["labels"]:
        labels.pop(key, None)
    labels |= made["metadata"]["labels"]
    others = [taint for taint in stored["spec"].get("taints") or [] if taint not in before["taints"]]
    taints = [*(made["spec"].get("taints") or []), *others]
    stored["spec"].pop("taints", None)
    if taints:
        stored["spec"]["taints"] = taints
    annotations[_POOL_ANNOTATION] = made["metadata"]["annotations"][_POOL_ANNOTATION]
