"""What the cluster's own API showed in one look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, str | None, str]
"""Kind, namespace (None for cluster-wide kinds), name."""


@dataclass(frozen=True)
class LiveObjects:
    """Objects that carry our mark, and the nodes. `reachable` is False where there is no cluster to ask yet."""

    objects: Mapping[Key, Mapping[str, Any]] = field(default_factory=dict)
    nodes: tuple[Mapping[str, Any], ...] = ()
    reachable: bool = False

    def find(self, manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the live object that a manifest is about, or None."""
        metadata = manifest["metadata"]
        return self.objects.get((manifest["kind"], metadata.get("namespace"), metadata["name"]))

    def of_kind(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the live objects of one kind."""
        return [live for (found, _, _), live in self.objects.items() if found == kind]
