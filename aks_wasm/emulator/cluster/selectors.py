"""Label and field selectors: reading them, and whether an object matches."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aks_wasm.emulator.cluster.statuses import BadRequest
from aks_wasm.emulator.cluster.trees import Tree, dig

Matcher = Callable[[Tree], bool]

_SET_TERM = re.compile(r"^\s*(?P<key>[^\s!=<>(),]+)\s+(?P<operator>in|notin)\s*\((?P<values>[^)]*)\)\s*$")
_COMPARISON = re.compile(r"^\s*(?P<key>[^\s!=<>(),]+)\s*(?P<operator>==|=|!=|<|>)\s*(?P<value>[^\s=!<>]*)\s*$")
_EXISTS = re.compile(r"^\s*(?P<absent>!?)\s*(?P<key>[^\s!=<>(),]+)\s*$")


@dataclass(frozen=True)
class Requirement:
    """One term of a label selector."""

    key: str
    operator: str
    values: frozenset[str]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy it."""
        value = labels.get(self.key)
        if self.operator in {"In", "Exists"}:
            return value is not None and (self.operator == "Exists" or value in self.values)
        if self.operator in {"Gt", "Lt"}:
            return _compared(self.operator, value, next(iter(self.values)))
        return value is None or (self.operator == "NotIn" and value not in self.values)


def _compared(operator: str, value: str | None, bound: str) -> bool:
    try:
        left, right = int(value or ""), int(bound)
    except ValueError:
        return False
    return left > right if operator == "Gt" else left < right


def label_requirements(text: str) -> tuple[Requirement, ...]:
    """Read `a=b,c!=d,e in (f,g),h,!i,j>1`.

    Raises:
        BadRequest: It is no label selector.
    """
    return tuple(_requirement(term) for term in _split(text) if term.strip())


def _requirement(term: str) -> Requirement:
    if found := _SET_TERM.match(term):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(found["key"], "In" if found["operator"] == "in" else "NotIn", values)
    if found := _COMPARISON.match(term):
        operator = {"!=": "NotIn", ">": "Gt", "<": "Lt"}.get(found["operator"], "In")
        return Requirement(found["key"], operator, frozenset({found["value"]}))
    if found := _EXISTS.match(term):
        return Requirement(found["key"], "DoesNotExist" if found["absent"] else "Exists", frozenset())
    raise BadRequest(
        f'unable to parse requirement: found {term.strip()!r}, expected: identifier, or "!"'.replace("'", '"', 2)
    )


def _split(text: str) -> list[str]:
    """Split at the commas outside parentheses."""
    return re.split(r",(?![^(]*\))", text)


def label_matcher(text: str) -> Matcher:
    """Return whether an object's labels match the selector.

    Raises:
        BadRequest: It is no label selector.
    """
    requirements = label_requirements(text)

    def matches(obj: Tree) -> bool:
        labels = dig(obj, "metadata", "labels") or {}
        return all(requirement.matches(labels) for requirement in requirements)

    return matches


def selects(selector: Tree | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a metav1.LabelSelector (matchLabels, matchExpressions) selects the labels; None selects nothing."""
    if selector is None:
        return False
    labels = labels or {}
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(
        Requirement(term["key"], term["operator"], frozenset(term.get("values") or ())).matches(labels)
        for term in selector.get("matchExpressions") or ()
    )


# Which fields a kind can be selected by, beside metadata.name and metadata.namespace (registry/*/strategy.go).
_SELECTABLE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "pods": {
        name: tuple(name.split("."))
        for name in (
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
            "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName",
        )
    },
    "nodes": {"spec.unschedulable": ("spec", "unschedulable")},
    "namespaces": {"status.phase": ("status", "phase")},
    "secrets": {"type": ("type",)},
    "services": {"spec.clusterIP": ("spec", "clusterIP"), "spec.type": ("spec", "type")},
    "events": {
        **{
            f"involvedObject.{name}": ("involvedObject", name)
            for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        },
        "reason": ("reason",), "type": ("type",), "source": ("source", "component"),
        "reportingComponent": ("reportingComponent",),
    },
    "replicasets.apps": {"status.replicas": ("status", "replicas")},
    "jobs.batch": {"status.successful": ("status", "succeeded")},
}  # fmt: skip
_FIELD_TERM = re.compile(r"^(?P<key>[^=!]+)(?P<operator>==|=|!=)(?P<value>.*)$")


def field_matcher(plural: str, text: str) -> Matcher:
    """Return whether an object's fields match the selector, for example `status.phase!=Running`.

    Raises:
        BadRequest: It is no field selector, or the kind can't be selected by that field.
    """
    paths = {
        "metadata.name": ("metadata", "name"),
        "metadata.namespace": ("metadata", "namespace"),
        **_SELECTABLE.get(plural, {}),
    }
    terms: list[tuple[tuple[str, ...], bool, str]] = []
    for term in filter(None, text.split(",")):
        found = _FIELD_TERM.match(term)
        if found is None:
            raise BadRequest(f"invalid selector: '{text}'; can't understand '{term}'")
        if found["key"] not in paths:
            raise BadRequest(f"field label not supported: {found['key']}")
        terms.append((paths[found["key"]], found["operator"] != "!=", found["value"]))

    def matches(obj: Tree) -> bool:
        return all((_text(dig(obj, *path)) == value) == wanted for path, wanted, value in terms)

    return matches


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
