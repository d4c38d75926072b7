"""Plain label maps and node selectors of API objects; cluster/selectors.py has the other selectors."""

from __future__ import annotations

from collections.abc import Mapping

from aks_wasm.emulator.cluster.selectors import Requirement
from aks_wasm.emulator.cluster.trees import Tree

Labels = Mapping[str, str]


def matches_all(wanted: Labels | None, labels: Labels | None) -> bool:
    """Tell whether all wanted labels are there, with these values."""
    present = labels or {}
    return all(present.get(key) == value for key, value in (wanted or {}).items())


def matches_node_selector(selector: Tree, node: Tree) -> bool:
    """Tell whether one of a v1.NodeSelector's terms matches the node."""
    return any(matches_term(term, node) for term in selector.get("nodeSelectorTerms") or [])


def matches_term(term: Tree, node: Tree) -> bool:
    """Tell whether a v1.NodeSelectorTerm matches the node; an empty term matches none."""
    expressions = term.get("matchExpressions") or []
    fields = term.get("matchFields") or []
    if not expressions and not fields:
        return False
    labels = node["metadata"].get("labels") or {}
    names = {"metadata.name": node["metadata"]["name"]}
    return all(_holds(row, labels) for row in expressions) and all(_holds(row, names) for row in fields)


def _holds(row: Tree, labels: Labels) -> bool:
    return Requirement(row["key"], row["operator"], frozenset(row.get("values") or ())).matches(labels)
