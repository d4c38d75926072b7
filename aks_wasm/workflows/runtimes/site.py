"""A cluster to put runtimes on: the one of the file, or any that a kubeconfig leads to. Both are worked on alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from aks_wasm.errors import UsageError
from aks_wasm.kube.taints import lasting_taints
from aks_wasm.plan.pools import as_request
from aks_wasm.providers.base import ObservedCluster, ObservedNodePool
from aks_wasm.shims.labels import INSTALLED, READY, SHIMS, SYSTEM_NAMESPACE, ready_label
from aks_wasm.steps.mark import SELECTOR_ANNOTATION, MarkNodes, MarkPool, NoteSelector
from aks_wasm.steps.runtime import is_ready
from aks_wasm.steps.step import Step
from aks_wasm.steps.taints import POOL_LABEL, carried_taints
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.observe import existing_cluster

_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")

Node = Mapping[str, Any]


class Site(Protocol):
    """A cluster to put runtimes on."""

    @property
    def run(self) -> Run:
        """The way in, the clock, the events; its spec's name is the owner in our marks."""

    @property
    def sku(self) -> str | None:
        """The service's word for what kind of cluster it is, where there is a service."""

    @property
    def may_grow(self) -> bool:
        """Whether nodes may come that nobody asks for by hand."""

    def nodes(self) -> list[Node]:
        """Return every node that is to have runtimes, ready or not."""

    def taints(self) -> tuple[str, ...]:
        """Return what keeps pods off these nodes, as `key=value:Effect`."""

    def remembering(self) -> list[Step]:
        """Return the step that notes how the nodes were chosen, to be done first; none when that is known."""

    def marking(self, handlers: tuple[str, ...]) -> list[Step]:
        """Return the steps that send the installer to these nodes; none when it is so already.

        Args:
            handlers: What will be ready there; pools that may go down to no node say so themselves.
        """

    def unmarking(self, handlers: tuple[str, ...], *, everything: bool, after: tuple[str, ...]) -> list[Step]:
        """Return the steps that take the marks of handlers off, and with `everything` the installer's own.

        Args:
            handlers: Whose marks.
            everything: Whether the installer goes as well.
            after: Names of the steps to wait for.
        """


@dataclass(frozen=True)
class FileSite:
    """The cluster of the file. Its pools carry the marks, so that nodes to come have them as well."""

    run: Run
    cluster: ObservedCluster

    @property
    def sku(self) -> str | None:
        """AKS's `Base` or `Automatic`."""
        return self.cluster.sku

    @property
    def may_grow(self) -> bool:
        """Whether an autoscaler works on one of the pools."""
        return any(pool.min is not None for pool in self._pools())

    def nodes(self) -> list[Node]:
        """Return the nodes of the file's pools."""
        names = {pool.name for pool in self._pools()}
        return [node for node in self.run.connect().list("Node") if labels_of(node).get(POOL_LABEL) in names]

    def taints(self) -> tuple[str, ...]:
        """Return the taints of the file's pools and those that the pools carry beside."""
        spec = self.run.spec
        carried = carried_taints(spec, self.cluster, self.run.connect().list("Node"))
        return tuple(sorted(carried.union(*(pool.taints for pool in spec.node_pools))))

    def remembering(self) -> list[Step]:
        """Return none: the file chooses."""
        return []

    def marking(self, handlers: tuple[str, ...]) -> list[Step]:
        """Return the change of each pool that is not marked yet."""
        steps: list[Step] = []
        for pool in self._pools():
            wanted = {SHIMS: INSTALLED}
            if pool.min == 0:
                wanted |= {ready_label(handler): READY for handler in handlers}
            if not wanted.items() <= pool.labels.items():
                request = as_request(pool, pool.count, pool.min, pool.max)
                steps.append(MarkPool(replace(request, labels={**pool.labels, **wanted})))
        return steps

    def unmarking(self, handlers: tuple[str, ...], *, everything: bool, after: tuple[str, ...]) -> list[Step]:
        """Return the change of each pool that is marked."""
        steps: list[Step] = []
        keys = [*map(ready_label, handlers), *([SHIMS] if everything else [])]
        for pool in self._pools():
            gone = tuple(key for key in keys if key in pool.labels)
            if gone:
                request = as_request(pool, pool.count, pool.min, pool.max)
                kept = {key: value for key, value in pool.labels.items() if key not in gone}
                steps.append(MarkPool(replace(request, labels=kept, unlabel=gone), depends_on=after))
        return steps

    def _pools(self) -> list[ObservedNodePool]:
        named = {pool.name for pool in self.run.spec.node_pools}
        return [pool for pool in self.cluster.node_pools if pool.name in named]


@dataclass(frozen=True)
class GivenSite:
    """Any cluster. Its nodes are chosen by labels, and marked one by one through the cluster's API.

    Attributes:
        selector: Labels of the nodes to take; None takes what the last install took: at first every Linux node that
            is ready, those of the control plane only where there is no other.
    """

    run: Run
    selector: Mapping[str, str] | None = field(default=None)

    @property
    def sku(self) -> str | None:
        """None: no service is asked."""
        return None

    @property
    def may_grow(self) -> bool:
        """False: nodes are marked one by one, by hand."""
        return False

    def nodes(self) -> list[Node]:
        """Return the nodes that are chosen, and those that an earlier install took: what is there stays looked after.

        Raises:
            UsageError: The selector fits no node.
        """
        every = self.run.connect().list("Node")
        linux = [node for node in every if labels_of(node).get("kubernetes.io/os", "linux") == "linux"]
        selector = self.selector if self.selector is not None else self.remembered()
        if selector:
            chosen = [node for node in linux if selector.items() <= labels_of(node).items()]
        else:
            # A worker that is just starting is waited for; it does not make the control plane the choice.
            workers = [node for node in linux if not _is_control_plane(node)] or linux
            chosen = [node for node in workers if is_ready(node)] or workers
        if selector and not chosen:
            wanted = ",".join(f"{key}={value}" for key, value in selector.items())
            raise UsageError(
                f"no Linux node has the labels `{wanted}`",
                code="NoNodes",
                hint="`kubectl get nodes --show-labels` shows them; `--node-selector KEY=VALUE` chooses",
            )
        names = {name_of(node) for node in chosen}
        return [node for node in linux if name_of(node) in names or is_marked(node)]

    def remembered(self) -> Mapping[str, str]:
        """Return the labels by which the last install chose; empty when it took all, or there was none."""
        namespace = self.run.connect().get("Namespace", SYSTEM_NAMESPACE) or {"metadata": {}}
        try:
            noted = json.loads((namespace["metadata"].get("annotations") or {}).get(SELECTOR_ANNOTATION, "{}"))
        except ValueError:
            return {}
        return {str(k): str(v) for k, v in noted.items()} if isinstance(noted, dict) else {}

    def taints(self) -> tuple[str, ...]:
        """Return the lasting taints of the nodes; those that come and go with a node's state are none."""
        return tuple(sorted(frozenset[str]().union(*map(lasting_taints, self.nodes()))))

    def remembering(self) -> list[Step]:
        """Return the step that notes the selector."""
        if self.selector is None or self.selector == self.remembered():
            return []
        return [NoteSelector(self.selector)]

    def marking(self, handlers: tuple[str, ...]) -> list[Step]:
        """Return the step that labels the nodes."""
        del handlers  # each node's own installer says what is ready there
        names = tuple(name_of(node) for node in self.nodes() if not is_marked(node))
        return [MarkNodes(names, {SHIMS: INSTALLED})] if names else []

    def unmarking(self, handlers: tuple[str, ...], *, everything: bool, after: tuple[str, ...]) -> list[Step]:
        """Return the step that takes labels off the nodes; of one shim each node's own installer takes them off."""
        if not everything:
            return []
        keys = [*map(ready_label, handlers), SHIMS]
        nodes = self.run.connect().list("Node")
        names = tuple(name_of(node) for node in nodes if not labels_of(node).keys().isdisjoint(keys))
        return [MarkNodes(names, dict.fromkeys(keys), depends_on=after)] if names else []


def site_of(run: Run, *, selector: Mapping[str, str] | None = None) -> Site:
    """Return the cluster that a run is about.

    Raises:
        UsageError: There is no such cluster, or labels of nodes are given where pools decide.
        Refused: It is not ours.
    """
    if run.provider.info.has_pools:
        if selector is not None:
            raise UsageError(
                "`--node-selector` is for clusters given by `--kubeconfig`; the file's pools have the runtimes",
                hint="leave it out, or name the pools in the file",
            )
        return FileSite(run, existing_cluster(run))
    return GivenSite(run, selector)


def labels_of(thing: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the labels of a node or an object."""
    return thing["metadata"].get("labels") or {}


def name_of(thing: Mapping[str, Any]) -> str:
    """Return the name of a node or an object."""
    return str(thing["metadata"]["name"])


def is_marked(node: Node) -> bool:
    """Return whether the installer is sent to a node."""
    return labels_of(node).get(SHIMS) == INSTALLED


def _is_control_plane(node: Node) -> bool:
    taints = node.get("spec", {}).get("taints") or ()
    return any(taint["key"] in _CONTROL_PLANE for taint in taints)
