"""What happens to a new object before it is stored: defaults, then the mutating and refusing plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aks_wasm.emulator.cluster.trees import Tree

if TYPE_CHECKING:
    from aks_wasm.emulator.cluster.store import Store


def prepare(store: Store, plural: str, obj: Tree) -> None:
    """Default and admit a new object in place.

    Raises:
        Rejected: A plugin forbids it.
    """
