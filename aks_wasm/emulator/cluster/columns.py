"""What a printer of `kubectl get` is: the columns of a kind and how a row is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aks_wasm.emulator.cluster.durations import age
from aks_wasm.emulator.cluster.trees import Tree, dig


@dataclass(frozen=True)
class Column:
    """One column; `priority` 1 is shown by `-o wide` only."""

    name: str
    type: str = "string"
    priority: int = 0

    def definition(self) -> dict[str, Any]:
        """Return the member of `columnDefinitions`."""
        return {
            "name": self.name,
            "type": self.type,
            "format": "name" if self.name == "Name" else "",
            "description": self.name,
            "priority": self.priority,
        }


@dataclass(frozen=True)
class Printer:
    """The columns and the cells of a row."""

    columns: tuple[Column, ...]
    cells: Callable[[Tree], list[Any]]


def columns(shown: str, wide: str = "") -> tuple[Column, ...]:
    """Read `Name, Ready, Age`; those of `wide` get priority 1."""
    return (
        *(Column(name.strip()) for name in shown.split(",")),
        *(Column(name.strip(), priority=1) for name in wide.split(",") if name),
    )


def name_of(obj: Tree) -> str:
    """Return the object's name."""
    return str(obj["metadata"]["name"])


def age_of(obj: Tree) -> str:
    """Return the object's age."""
    return age(obj["metadata"].get("creationTimestamp"))


def containers_and_images(template: Any) -> list[str]:
    """Return the cells Containers and Images of a pod template."""
    containers = dig(template, "spec", "containers") or ()
    return [
        ",".join(container.get("name", "") for container in containers),
        ",".join(container.get("image", "") for container in containers),
    ]


def selector_text(selector: Tree | None) -> str:
    """Return a label selector as text, `<none>` when there is none."""
    if selector is None:
        return "<none>"
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for term in selector.get("matchExpressions") or ():
        values = ",".join(term.get("values") or ())
        operator = {"In": f" in ({values})", "NotIn": f" notin ({values})"}.get(term["operator"], "")
        terms.append(f"!{term['key']}" if term["operator"] == "DoesNotExist" else f"{term['key']}{operator}")
    return ",".join(terms) or "<none>"
