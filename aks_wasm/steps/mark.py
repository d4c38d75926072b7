"""The marks that send the installer to nodes: on the pool where there is a service to tell, else on each node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aks_wasm.providers.base import NodePoolRequest
from aks_wasm.shims.installer.objects import namespace
from aks_wasm.shims.labels import SYSTEM_NAMESPACE
from aks_wasm.steps.apply import apply_changed
from aks_wasm.steps.step import StepContext

SELECTOR_ANNOTATION = "aks-wasm.dev/node-selector"
"""On our namespace: JSON of the labels by which nodes were chosen."""

_AT_ONCE = 8  # nodes


@dataclass(frozen=True)
class MarkPool:
    """Put labels on a node pool, or take them off; its nodes, those to come too, get them from the service."""

    request: NodePoolRequest
    depends_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`node-pool/NAME`."""
        return f"node-pool/{self.request.name}"

    def describe(self) -> str:
        """Name the pool."""
        verb = "take our marks off" if self.request.unlabel else "mark"
        return f"{verb} the node pool `{self.request.name}`"

    def run(self, context: StepContext) -> str | None:
        """Bring the pool to the request and wait."""
        context.provider.put_node_pool(context.spec, self.request, context.patience())
        return None


@dataclass(frozen=True)
class MarkNodes:
    """Set labels on nodes through the cluster's API; None takes one off."""

    nodes: tuple[str, ...]
    labels: Mapping[str, str | None]
    name: str = "nodes"
    depends_on: tuple[str, ...] = ()

    def describe(self) -> str:
        """Say how many nodes."""
        verb = "mark" if any(self.labels.values()) else "take our marks off"
        return f"{verb} {len(self.nodes)} {'node' if len(self.nodes) == 1 else 'nodes'}"

    def run(self, context: StepContext) -> str | None:
        """Label them side by side; a node that has gone meanwhile needs no label."""
        client = context.connect()
        there = {node["metadata"]["name"] for node in client.list("Node")}
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mark") as threads:
            list(threads.map(lambda node: client.label("Node", node, self.labels), there.intersection(self.nodes)))
        return ", ".join(sorted(there.intersection(self.nodes)))


@dataclass(frozen=True)
class NoteSelector:
    """Note on our namespace by which labels nodes were chosen, so that the next install chooses alike."""

    selector: Mapping[str, str]
    depends_on: tuple[str, ...] = ()
    name: str = "node-selector"

    def describe(self) -> str:
        """Say which labels."""
        labels = ",".join(f"{key}={value}" for key, value in self.selector.items())
        return f"remember that nodes are chosen by `{labels}`"

    def run(self, context: StepContext) -> str | None:
        """Write the annotation."""
        client = context.connect()
        apply_changed(client, namespace(context.spec.name))  # the first of the installer's objects
        note = {SELECTOR_ANNOTATION: json.dumps(dict(self.selector), sort_keys=True)}
        client.annotate("Namespace", SYSTEM_NAMESPACE, note)
        return None
