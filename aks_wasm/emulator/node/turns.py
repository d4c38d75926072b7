"""Whose turn it is to restart containerd: leases in the cluster's API, as the node script takes them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from aks_wasm.emulator.node.node_context import NodeContext
from aks_wasm.emulator.node.shim_list import InstallRefused

LEASE = "shim-installer"
_PLURAL = "leases.coordination.k8s.io"
_LOOK_SECONDS = 2.0
_OVERTAKE_SECONDS = 600.0  # a holder that is older has come to grief
_LEAST_OVERTAKE = 10.0  # seconds of wall time: a quick pace must not take a turn from a node that is at it


@contextlib.asynccontextmanager
async def turn(context: NodeContext, node: str, *, turns: int, namespace: str) -> AsyncIterator[None]:
    """Hold one of the leases; waits until one is free.

    Args:
        context: The node's.
        node: Who asks.
        turns: How many leases there are; 0 = nobody has to wait.
        namespace: Where they are.

    Raises:
        InstallRefused: There is no such lease.
    """
    names = [f"{LEASE}-{number}" for number in range(turns)]
    held = None
    while names and held is None:
        held = next((name for name in names if _take(context, name, namespace, node)), None)
        if held is None:
            await context.back_off(_LOOK_SECONDS)
    try:
        yield
    finally:
        if held is not None:
            context.store.mutate(_PLURAL, held, namespace, lambda lease: _release(lease, node))


def _take(context: NodeContext, name: str, namespace: str, node: str) -> bool:
    late = max(context.pace.scaled(_OVERTAKE_SECONDS), _LEAST_OVERTAKE)

    def change(lease: dict[str, Any]) -> None:
        spec = lease.setdefault("spec", {})
        if spec.get("holderIdentity") in (None, "", node) or _age(spec) > late:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            spec |= {"holderIdentity": node, "acquireTime": now, "renewTime": now}

    lease = context.store.mutate(_PLURAL, name, namespace, change)
    if lease is None:
        raise InstallRefused("NoTurn", f"the lease {name} is not there")
    return bool(lease["spec"]["holderIdentity"] == node)


def _release(lease: dict[str, Any], node: str) -> None:
    if lease.get("spec", {}).get("holderIdentity") == node:
        lease["spec"]["holderIdentity"] = ""


def _age(spec: dict[str, Any]) -> float:
    try:
        taken = datetime.fromisoformat(str(spec.get("renewTime") or spec["acquireTime"]))
    except (KeyError, ValueError):
        return float("inf")
    return (datetime.now(UTC) - taken).total_seconds()
