"""No node takes a Wasm pod: nothing is proved yet, a label stands on nodes and not on their pool, a taint, no room.

Answers demands 24, 28 and 35 of shared/facts/demands.md.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping

from aks_wasm.shims.labels import INSTALLED, READY, SHIMS, ready_label
from aks_wasm.workflows.doctor.causes.installer import node_errors
from aks_wasm.workflows.doctor.findings import Finding
from aks_wasm.workflows.doctor.objects import (
    Manifest,
    condition_of,
    labels_of,
    name_of,
    shim_of,
)
from aks_wasm.workflows.doctor.view import View

_POOL_LABELS = ("kubernetes.azure.com/agentpool", "agentpool")
_ARCH = "kubernetes.io/arch"
_SHORT = re.compile(r"Insufficient (?P<resource>[\w./-]*\w)|Too many pods")
_TAINT_EFFECTS = ("NoSchedule", "NoExecute")


def unplaced_pods(view: View) -> Iterator[Finding]:
    """Find Wasm pods that the scheduler can put nowhere, and say what is in the way."""
    for pod in view.of("Pod"):
        condition = condition_of(pod, "PodScheduled")
        if condition.get("reason") != "Unschedulable" or not view.concerns_us(pod):
            continue
        found = _obstacle(view, pod, str(condition.get("message", "")))
        if found is not None:
            yield found


def _obstacle(view: View, pod: Manifest, said: str) -> Finding | None:
    selector: Mapping[str, str] = pod.get("spec", {}).get("nodeSelector") or {}
    fitting = [node for node in view.nodes.values() if selector.items() <= labels_of(node).items()]
    if not fitting:
        return _no_node(view, pod, selector, said)
    taints = [taint for node in fitting for taint in _untolerated(pod, node)]
    if taints and all(_untolerated(pod, node) for node in fitting):
        return _tainted(view, pod, taints[0], said)
    if match := _SHORT.search(said):
        what = match["resource"] or "places for pods"
        words = f"the nodes that have its shim have too little {what} left"
        return view.finding(pod, "NoRoom", words, evidence=said, command=_grow(view, fitting[0]), demand=24)
    words = "no node that has its shim takes it"
    return view.finding(
        pod,
        "Unschedulable",
        words,
        evidence=said,
        command=view.ways.up() if view.ways.spec else _look(view, pod),
        demand=24,
    )


def _no_node(view: View, pod: Manifest, selector: Mapping[str, str], said: str) -> Finding | None:
    absent = {
        label: value
        for label, value in selector.items()
        if not any(labels_of(node).get(label) == value for node in view.nodes.values())
    }
    handler = view.handler_of(pod) or ""
    install = view.ways.install(shim_of(handler) or "")
    for pool, labels in (view.pool_labels or {}).items():
        if absent and absent.items() <= labels.items() and pool not in map(pool_of, view.nodes.values()):
            words = f"the node pool `{pool}` has what it asks for, and no node at present"
            return view.finding(pod, "PoolAtZero", words, evidence=said, command=_scale(view, pool, 1), demand=24)
    if ready_label(handler) in absent:
        return _not_ready(view, pod, handler, said, install)
    if _ARCH in absent:
        words = f"no node is {absent[_ARCH]}"
        return view.finding(
            pod, "NoNodeOfArchitecture", words, evidence=said, command=_add_pool(view, absent[_ARCH]), demand=34
        )
    if not absent:
        words = "each label that its RuntimeClass asks for is on some node, and no node has them all"
        return view.finding(pod, "NoNodeMatches", words, evidence=said, command=install, demand=35)
    missing = ", ".join(f"{label}={value}" for label, value in absent.items())
    words = f"no node has the label {missing}, which its RuntimeClass asks for"
    return view.finding(
        pod, "NoNodeMatches", words, evidence=said, command=_label_pool(view, absent) or install, demand=35
    )


def _not_ready(view: View, pod: Manifest, handler: str, said: str, install: str) -> Finding | None:
    marked = view.marked_nodes()
    if not marked:
        words = f"no node is marked for our installer ({SHIMS}={INSTALLED}), so none has `{handler}`"
        return view.finding(pod, "NoInstallerNode", words, evidence=said, command=install, demand=35)
    if node_errors(view):
        return None  # the installer's own finding says why, and how many wait for it
    probes = [other for other in view.of("Pod") if handler in str(other["spec"].get("runtimeClassName"))]
    states = {other.get("status", {}).get("phase", "Pending") for other in probes if "probe" in name_of(other)}
    told = f"; its probe pods there are {', '.join(sorted(states))}" if states else ""
    words = f"no probe has run through `{handler}` on any of the {len(marked)} nodes that are to have it{told}"
    return view.finding(pod, "NotProved", words, evidence=said, command=install, demand=28)


def _untolerated(pod: Manifest, node: Manifest) -> list[Mapping[str, str]]:
    tolerations = pod.get("spec", {}).get("tolerations") or ()
    taints = node.get("spec", {}).get("taints") or ()
    hard = [taint for taint in taints if taint.get("effect") in _TAINT_EFFECTS]
    return [taint for taint in hard if not any(_tolerates(toleration, taint) for toleration in tolerations)]


def _tolerates(toleration: Mapping[str, str], taint: Mapping[str, str]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return toleration.get("key") == taint["key"] and toleration.get("value", "") == taint.get("value", "")


def _tainted(view: View, pod: Manifest, taint: Mapping[str, str], said: str) -> Finding:
    text = f"{taint['key']}={taint['value']}" if taint.get("value") else taint["key"]
    words = f"the nodes that have its shim carry the taint {text}:{taint['effect']}, which it does not tolerate"
    named = str(pod["spec"].get("runtimeClassName") or "")
    live = view.runtime_classes.get(named)
    if live is None or view.ways.spec is not None:
        return view.finding(pod, "UntoleratedTaint", words, evidence=said, command=view.ways.install(""), demand=35)
    operator = {"operator": "Equal", "value": taint["value"]} if taint.get("value") else {"operator": "Exists"}
    there = (live.get("scheduling") or {}).get("tolerations") or []
    tolerations = [*there, {"key": taint["key"], **operator, "effect": taint["effect"]}]
    patch = json.dumps({"scheduling": {"tolerations": tolerations}}, separators=(",", ":"))
    command = view.ways.kubectl("patch", "runtimeclass", named, "--type", "merge", "--patch", patch)
    namespace = str(pod["metadata"].get("namespace"))
    # A RuntimeClass is looked at when a pod is made: those that wait have to be made anew.
    renew = view.ways.kubectl("--namespace", namespace, "delete", "pod", name_of(pod))
    return view.finding(pod, "UntoleratedTaint", words, evidence=said, command=f"{command} && {renew}", demand=35)


def labels_beside_pools(view: View) -> Iterator[Finding]:
    """Find labels of ours on nodes and not on their pool: they go with the node, and no other comes with them."""
    pools: dict[str, list[Manifest]] = {}
    for node in view.nodes.values():
        pool = pool_of(node)
        if pool:
            pools.setdefault(pool, []).append(node)
    for pool, nodes in pools.items():
        having = [node for node in nodes if labels_of(node).get(SHIMS) == INSTALLED]
        known = (view.pool_labels or {}).get(pool)
        lacks = known.get(SHIMS) != INSTALLED if known is not None else len(having) < len(nodes)
        if having and lacks:
            words = f"{SHIMS} is on {len(having)} of {len(nodes)} nodes of the pool `{pool}` and not on the pool"
            yield Finding(
                "LabelNotOnPool",
                f"{words}: a new or reimaged node comes without it",
                f"node pool {pool}",
                severity="warning",
                node=name_of(having[0]),
                demand=35,
                evidence=f"nodes with the label: {', '.join(name_of(node) for node in having[:5])}",
                command=_settle(view, pool, having),
            )


def _settle(view: View, pool: str, having: list[Manifest]) -> str:
    """Return what puts the label onto the pool, or takes it off the nodes of a pool that the file does not mean."""
    spec = view.ways.spec
    if spec is None:
        return _label_command(view, pool, {SHIMS: INSTALLED})
    if pool in [wanted.name for wanted in spec.node_pools]:
        return view.ways.up()
    return view.ways.kubectl("label", "node", *map(name_of, having), f"{SHIMS}-")


def pool_of(node: Manifest) -> str | None:
    """Return the name of a node's AKS pool, or None."""
    return next((labels_of(node)[label] for label in _POOL_LABELS if label in labels_of(node)), None)


def _label_pool(view: View, labels: Mapping[str, str]) -> str | None:
    """Return what labels the pools of a cluster on Azure that no file describes."""
    pools = [pool for pool in map(pool_of, view.nodes.values()) if pool]
    if view.ways.spec is not None:
        return None
    if pools:
        return _label_command(view, pools[-1], labels)
    pairs = [f"{key}={value}" for key, value in labels.items()]
    return view.ways.kubectl("label", "nodes", "--selector", "!node-role.kubernetes.io/control-plane", *pairs)


def _label_command(view: View, pool: str, labels: Mapping[str, str]) -> str:
    every = {**((view.pool_labels or {}).get(pool) or {}), **labels}  # `az` sets the whole of them
    pairs = [f"{key}={value}" for key, value in every.items() if value != READY]
    return view.ways.az("nodepool update", "--name", pool, "--labels", *pairs)


def _add_pool(view: View, arch: str) -> str:
    if view.ways.spec is not None:
        return shlex.join(["aks-wasm", "nodepool", "add", arch, "--arch", arch, *view.ways.spec_arguments])
    size = {"arm64": "Standard_D2ps_v6"}.get(arch, "Standard_D2s_v5")
    return view.ways.az("nodepool add", "--name", arch, "--node-vm-size", size)


def _grow(view: View, node: Manifest) -> str:
    pool = pool_of(node) or "POOL"
    return _scale(view, pool, len([other for other in view.nodes.values() if pool_of(other) == pool]) + 1)


def _scale(view: View, pool: str, count: int) -> str:
    if view.ways.spec is not None:
        return shlex.join(["aks-wasm", "nodepool", "scale", pool, "--count", str(count), *view.ways.spec_arguments])
    return view.ways.az("nodepool scale", "--name", pool, "--node-count", str(count))


def _look(view: View, pod: Manifest) -> str:
    return view.ways.kubectl("--namespace", str(pod["metadata"].get("namespace")), "describe", "pod", name_of(pod))
