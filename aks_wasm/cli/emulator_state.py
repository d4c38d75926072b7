"""The emulator's daemon as a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aks_wasm.workflows.results import ActionResult

if TYPE_CHECKING:
    from aks_wasm.emulator.launch import Running


def state_of(running: Running | None, *, starting: bool = False, stopped: bool = False) -> ActionResult:
    """Return the state: running (and after a start, whether that started it), stopped just now, or not running."""
    if running is None:
        return ActionResult("EmulatorResult", "emulator", {"state": "stopped" if stopped else "not running"})
    return ActionResult(
        "EmulatorResult",
        "emulator",
        {
            "state": "running",
            "url": running.url,
            "pid": running.pid,
            "pace": running.pace,
            "serviceAge": running.service_age,
            "home": str(running.home),
            **({"started": running.fresh} if starting else {}),
            "clusters": [cluster["key"] for cluster in running.clusters],
        },
    )
