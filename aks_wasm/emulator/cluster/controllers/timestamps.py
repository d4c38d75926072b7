"""How long ago things were: arithmetic on the times that objects carry."""

from __future__ import annotations

from datetime import UTC, datetime

from aks_wasm.emulator.cluster.trees import parse_time


def seconds_since(text: str) -> float:
    """Return how many seconds ago a metav1.Time was.

    Raises:
        ValueError: The text is no such time.
    """
    return (datetime.now(UTC) - parse_time(text)).total_seconds()
