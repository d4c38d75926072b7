"""How long ago things were, and how far off: arithmetic on the times that objects carry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aks_wasm.emulator.cluster.trees import parse_time


def seconds_since(text: str) -> float:
    """Return how many seconds ago a metav1.Time was.

    Raises:
        ValueError: The text is no such time.
    """
    return (datetime.now(UTC) - parse_time(text)).total_seconds()


def moment_after(seconds: float) -> str:
    """Return the moment in `seconds` from now as metav1.Time prints it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
