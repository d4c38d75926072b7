"""Where pods may be beside each other: required pod (anti-)affinity and topology spread constraints. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from aks_wasm.emulator.cluster.controllers.fit import NodeLoad, Refusal, matches_node
from aks_wasm.emulator.cluster.controllers.pods import is_going
from aks_wasm.emulator.cluster.selectors import selects
from aks_wasm.emulator.cluster.trees import Tree, copied, dig

_SPREAD = "node(s) didn't match pod topology spread constraints"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"

Loads = Mapping[str, NodeLoad]


def refusal(pod: Tree, load: NodeLoad, loads: Loads) -> Refusal | None:
    """Return why a pod may not be on a node because of where other pods are, None when it may."""
    return _spread_refusal(pod, load, loads) or _affinity_refusal(pod, load, loads)


def _spread_refusal(pod: Tree, load: NodeLoad, loads: Loads) -> Refusal | None:
    rows = [
        row
        for row in pod["spec"].get("topologySpreadConstraints") or []
        if row.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"
    ]
    keys = [row["topologyKey"] for row in rows]
    if any(_domain(load, key) is None for key in keys):
        return Refusal((f"{_SPREAD} (missing required label)",))
    eligible = [one for one in loads.values() if matches_node(pod, one.node) and all(_domain(one, key) for key in keys)]
    for row in rows:
        counts = _counts(pod, row, eligible)
        least = min(counts.values(), default=0) if len(counts) >= row.get("minDomains", 1) else 0
        own = selects(_spread_selector(pod, row), pod["metadata"].get("labels"))
        if counts[str(_domain(load, row["topologyKey"]))] + own - least > row["maxSkew"]:
            return Refusal((_SPREAD,), freeable=True)
    return None


def _counts(pod: Tree, row: Tree, eligible: Iterable[NodeLoad]) -> Counter[str]:
    selector, namespace = _spread_selector(pod, row), pod["metadata"]["namespace"]
    counts: Counter[str] = Counter()
    for load in eligible:
        counts[str(_domain(load, row["topologyKey"]))] += sum(
            other["metadata"]["namespace"] == namespace
            and not is_going(other)
            and selects(selector, other["metadata"].get("labels"))
            for other in load.pods
        )
    return counts


def _spread_selector(pod: Tree, row: Tree) -> Tree | None:
    selector: Tree | None = row.get("labelSelector")
    keys = row.get("matchLabelKeys") or []
    if selector is None or not keys:
        return selector
    labels = pod["metadata"].get("labels") or {}
    merged: Tree = copied(selector)
    merged.setdefault("matchLabels", {}).update({key: labels[key] for key in keys if key in labels})
    return merged


def _affinity_refusal(pod: Tree, load: NodeLoad, loads: Loads) -> Refusal | None:
    for term in _terms(pod, "podAffinity"):
        if not _is_beside(term, pod, load, loads) and not _is_first_of_its_kind(term, pod, load, loads):
            return Refusal(("node(s) didn't match pod affinity rules",))
    if any(_is_beside(term, pod, load, loads) for term in _terms(pod, "podAntiAffinity")):
        return Refusal(("node(s) didn't match pod anti-affinity rules",), freeable=True)
    for other_load in loads.values():
        for other in other_load.pods:
            for term in _terms(other, "podAntiAffinity"):
                if _share_domain(load, other_load, term["topologyKey"]) and _selects(term, other, pod):
                    return Refusal(("node(s) didn't satisfy existing pods anti-affinity rules",), freeable=True)
    return None


def _terms(pod: Tree, kind: str) -> list[Tree]:
    return dig(pod, "spec", "affinity", kind, _REQUIRED) or []


def _is_beside(term: Tree, pod: Tree, load: NodeLoad, loads: Loads) -> bool:
    return any(
        _selects(term, pod, other)
        for one in loads.values()
        if _share_domain(load, one, term["topologyKey"])
        for other in one.pods
    )


def _is_first_of_its_kind(term: Tree, pod: Tree, load: NodeLoad, loads: Loads) -> bool:
    """A pod that its own term selects may be the first anywhere, or none could ever start."""
    if _domain(load, term["topologyKey"]) is None or not _selects(term, pod, pod):
        return False
    return not any(_selects(term, pod, other) for one in loads.values() for other in one.pods)


def _selects(term: Tree, holder: Tree, other: Tree) -> bool:
    """Tell whether a term of `holder` is about `other`; of namespace selectors only the one for all is known."""
    namespaces = term.get("namespaces") or [holder["metadata"]["namespace"]]
    everywhere = term.get("namespaceSelector") == {}
    if not everywhere and other["metadata"]["namespace"] not in namespaces:
        return False
    return selects(term.get("labelSelector"), other["metadata"].get("labels"))


def _share_domain(one: NodeLoad, other: NodeLoad, key: str) -> bool:
    domain = _domain(one, key)
    return domain is not None and domain == _domain(other, key)


def _domain(load: NodeLoad, key: str) -> str | None:
    return (load.node["metadata"].get("labels") or {}).get(key)
