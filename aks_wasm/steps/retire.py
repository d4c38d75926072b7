"""Old versions of shims leave the cluster once nothing asks for them any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aks_wasm.kube.runtime_users import running, users_of
from aks_wasm.shims.labels import ready_label
from aks_wasm.steps.apply import apply_changed
from aks_wasm.steps.nodes_installed import wait_installed
from aks_wasm.steps.runtime import installed_on, routes_of, wasm_nodes
from aks_wasm.steps.step import StepContext
from aks_wasm.steps.wanted import Routes, Wanted
from aks_wasm.steps.withdraw import WithdrawClasses

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient


@dataclass(frozen=True)
class RetireRuntimes:
    """Delete RuntimeClasses and probes of old versions, then have the installer take their shims off the nodes.

    Attributes:
        wanted: What is wanted instead.
        known: Routes that are not open.
        handlers: The old versions'.
    """

    wanted: Wanted
    known: Routes
    handlers: tuple[str, ...]
    name: str = "old-runtimes"
    depends_on: tuple[str, ...] = ()

    def describe(self) -> str:
        """Name them."""
        return f"remove {', '.join(f'`{handler}`' for handler in self.handlers)}, unless something still uses it"

    def run(self, context: StepContext) -> str | None:
        """Remove what no pod runs through; running containers are let alone."""
        client = context.connect()
        used = {user.runtime_class for user in running(users_of(client, self.handlers))}
        gone = tuple(handler for handler in self.handlers if handler not in used)
        if gone:
            WithdrawClasses(gone).run(context)
            self._take_off(context, client, frozenset(gone))
        kept = f"; still used: {', '.join(sorted(used))}" if used else ""
        return f"removed {', '.join(gone) or 'nothing'}{kept}"

    def _take_off(self, context: StepContext, client: KubeClient, gone: frozenset[str]) -> None:
        wanted = self.wanted.seeing(client.list("Node"))
        installation = wanted.installation(routes_of(context, self.known), without=gone)
        if installation is None:
            labels = dict.fromkeys(map(ready_label, gone))
            for node in client.list("Node"):
                if not labels.keys().isdisjoint(node["metadata"].get("labels") or {}):
                    client.label("Node", node["metadata"]["name"], labels)
            return
        for manifest in installation.manifests():
            apply_changed(client, manifest)
        nodes = installed_on(wasm_nodes(context, self.wanted, client))
        wait_installed(client, installation, nodes, context.patience())
