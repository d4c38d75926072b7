"""Validating admission: what judges an object last, just before it is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from aks_wasm.emulator.cluster.trees import Tree

if TYPE_CHECKING:
    from aks_wasm.emulator.cluster.store import Store

Guard: TypeAlias = Callable[["Store", str, Tree | None, Tree], list[str]]
"""Takes the store, the plural, the old object (None: a new one) and the new one; returns warnings, and raises
ApiFailure to refuse."""
