"""CrashLoopBackOff: how the kubelet spaces the restarts of a container, and what it says meanwhile."""

from __future__ import annotations

from aks_wasm.emulator.node.node_context import NodeContext
from aks_wasm.emulator.node.pod_status import Pod, set_waiting

_FIRST = 10.0  # seconds, doubling
_LONGEST = 300.0
RESET_AFTER = 600.0  # seconds of running after which the back-off begins anew


def restart_delay(failures: int) -> float:
    """Return the seconds before a restart, after so many earlier ones; the first comes at once.

    The kubelet's doBackOff finds no entry at the first failure, so it only makes one.
    """
    return 0.0 if failures == 0 else min(_FIRST * 2 ** (failures - 1), _LONGEST)


async def back_off(context: NodeContext, pod: Pod, container: str, seconds: float) -> None:
    """Let a container wait for its restart, with the state and event of the kubelet."""
    meta = pod["metadata"]
    place = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
    event = f"Back-off restarting failed container {container} in pod {place}"
    context.event(pod, "BackOff", event, container=container, warning=True)
    message = f"back-off {_duration(seconds)} restarting failed container={container} pod={place}"
    context.update_container(pod, container, lambda entry: set_waiting(entry, "CrashLoopBackOff", message))
    await context.back_off(seconds)


def _duration(seconds: float) -> str:
    """Write seconds as Go does: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
