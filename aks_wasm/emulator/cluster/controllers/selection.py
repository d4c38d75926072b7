"""Label selectors and node selectors of API objects (not the `?labelSelector=` text of requests)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from aks_wasm.emulator.cluster.trees import Tree

Labels = Mapping[str, str]


def matches(selector: Tree | None, labels: Labels | None) -> bool:
    """Tell whether a metav1.LabelSelector matches; none matches nothing, an empty one everything."""
    if selector is None:
        return False
    return matches_all(selector.get("matchLabels"), labels) and all(
        _holds(expression, labels or {}) for expression in selector.get("matchExpressions") or []
    )


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


def _holds(expression: Tree, labels: Labels) -> bool:
    value = labels.get(expression["key"])
    test = _OPERATORS.get(expression["operator"])
    return test is not None and test(value, expression.get("values") or [])


def _greater(value: str | None, bounds: Sequence[str]) -> bool:
    return _compared(value, bounds, 1)


def _less(value: str | None, bounds: Sequence[str]) -> bool:
    return _compared(value, bounds, -1)


def _compared(value: str | None, bounds: Sequence[str], sign: int) -> bool:
    try:
        return value is not None and (int(value) - int(bounds[0])) * sign > 0
    except (ValueError, IndexError):
        return False


_OPERATORS: dict[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _values: value is not None,
    "DoesNotExist": lambda value, _values: value is None,
    "Gt": _greater,
    "Lt": _less,
}
