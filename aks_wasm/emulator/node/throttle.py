"""limits.cpu: a container that has used up its share of a period is stopped until the next, like CFS bandwidth."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from aks_wasm.emulator.node.process import ContainerProcess

PERIOD = 0.1  # seconds; the kernel's default cfs_period_us


async def throttle(container: ContainerProcess, cpus: float) -> None:
    """Hold a container to `cpus` CPUs from now until it ends; does nothing where there is no /proc.

    What compiling the module cost before it started is not held against it.
    """
    stat = Path(f"/proc/{container.pid}/stat")
    before = _cpu_seconds(stat)
    while before is not None and not container.ended.done():
        await asyncio.sleep(PERIOD)
        after = _cpu_seconds(stat)
        if after is None:
            return
        overdrawn = (after - before) / cpus - PERIOD
        if overdrawn > 0:
            container.signal(signal.SIGSTOP)
            try:
                await asyncio.wait([container.ended], timeout=overdrawn)
            finally:
                container.signal(signal.SIGCONT)
        before = after


def _cpu_seconds(stat: Path) -> float | None:
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
