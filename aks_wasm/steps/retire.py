"""Shims leave the cluster: those that the file dropped, and old versions of others once nothing asks for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from aks_wasm.errors import Refused, TimedOut
from aks_wasm.kube.runtime_users import User, running, users_of
from aks_wasm.providers.base import NodePoolRequest
from aks_wasm.shims.labels import SHIMS, ready_label
from aks_wasm.shims.runtime_class import probe_class_name
from aks_wasm.steps.nodes_installed import wait_installed
from aks_wasm.steps.runtime import installed_on, routes_of, wasm_nodes
from aks_wasm.steps.shims import bring_installer, look_at_installer
from aks_wasm.steps.step import StepContext
from aks_wasm.steps.wanted import Routes, Wanted
from aks_wasm.steps.withdraw import RemoveInstaller, WithdrawClasses, listed_users
from aks_wasm.waits import Seen, wait_until

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

LEAVING_SECONDS = 60.0  # for pods of workloads that have moved or gone; their grace is 30 s unless they say otherwise


def refuse_leaving(wanted: Wanted) -> None:
    """Refuse to take away what somebody else relies on.

    Raises:
        Refused: Something that is not of the file asks for a shim that left it.
    """
    users = wanted.leaving_users
    if not users:
        return
    handlers = ", ".join(f"`{handler}`" for handler in sorted({user.runtime_class for user in users}))
    raise Refused(
        f"{handlers} left the file and is still asked for: {listed_users(users)}",
        code="RuntimeInUse",
        hint="put its shim back into `shims`, or move or delete what asks for it first",
    )


@dataclass(frozen=True)
class RetireRuntimes:
    """Delete RuntimeClasses and probes of shims, have the installer take them off the nodes, take the marks off.

    Attributes:
        wanted: What is wanted instead.
        known: Routes that are not open.
        handlers: Those that go.
        pools: Pools that carry marks which may have to go, as they are to be otherwise.
    """

    wanted: Wanted
    known: Routes
    handlers: tuple[str, ...]
    pools: tuple[NodePoolRequest, ...] = ()
    name: str = "old-runtimes"
    depends_on: tuple[str, ...] = ()

    def describe(self) -> str:
        """Name them, and why they go."""
        dropped = [
            f"`{handler}` (no longer in the file)" for handler in self.handlers if handler in self.wanted.leaving
        ]
        old = [
            f"`{handler}`, unless something still uses it"
            for handler in self.handlers
            if handler not in self.wanted.leaving
        ]
        return f"remove {'; '.join([', '.join(dropped), *old] if dropped else old)}"

    def run(self, context: StepContext) -> str | None:
        """Remove them; of old versions those that a pod runs through stay, and running containers are let alone.

        Raises:
            Refused: Somebody has begun to use a shim that left the file; its RuntimeClass is back.
        """
        client = context.connect()
        used = {user.runtime_class for user in self._left(context, client)} - self.wanted.leaving
        gone = tuple(handler for handler in self.handlers if handler not in used)
        if gone:
            WithdrawClasses(gone, probe_classes=False).run(context)
            empty = self._take_off(context, client, frozenset(gone))
            self._unmark(context, {*map(ready_label, gone), *([SHIMS] if empty else [])})
            for handler in gone:
                client.delete("RuntimeClass", probe_class_name(handler))
        kept = f"; still used: {', '.join(sorted(used))}" if used else ""
        return f"removed {', '.join(gone) or 'nothing'}{kept}"

    def _left(self, context: StepContext, client: KubeClient) -> list[User]:
        """Return the pods that run through them, after those of workloads that moved or went have had time to end."""

        def look() -> Seen[list[User]]:
            users = users_of(client, self.handlers)
            pods = running(users)
            made = {(u.owner, u.runtime_class) for u in users if u.kind != "Pod"}
            going = [p for p in pods if p.ends or (p.controlled and (p.owner, p.runtime_class) not in made)]
            return Seen(f"{len(going)} old pods ending" if going else "", done=not going, value=pods)

        try:
            return wait_until(look, what="the end of the old pods", patience=context.patience(LEAVING_SECONDS)) or []
        except TimedOut:
            return running(users_of(client, self.handlers))

    def _take_off(self, context: StepContext, client: KubeClient, gone: frozenset[str]) -> bool:
        """Have our installer take shims off; return whether it had nothing left to do, and is gone itself."""
        owner = self.wanted.spec.name
        if not self.wanted.installer or not look_at_installer(client, owner).there:
            labels = dict.fromkeys(map(ready_label, gone))
            for node in client.list("Node"):
                if not labels.keys().isdisjoint(node["metadata"].get("labels") or {}):
                    client.label("Node", node["metadata"]["name"], labels)
            return False
        wanted = self.wanted.seeing(client.list("Node"))
        becomes = partial(wanted.installed, routes_of(context, self.known), without=gone)
        installation = bring_installer(client, owner, becomes)
        nodes = installed_on(wasm_nodes(context, self.wanted, client))
        wait_installed(client, installation, nodes, context.patience())
        if installation.shims:
            return False
        RemoveInstaller().run(context)
        return True

    def _unmark(self, context: StepContext, keys: set[str]) -> None:
        """Take labels off pools, so that nodes to come do not get them."""
        for pool in self.pools:
            gone = tuple(key for key in pool.labels if key in keys)
            if gone:
                kept = {key: value for key, value in pool.labels.items() if key not in gone}
                request = replace(pool, labels=kept, unlabel=gone)
                context.provider.put_node_pool(context.spec, request, context.patience())
