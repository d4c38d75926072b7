"""Wasm runtimes on the nodes of the Wasm pools: installer and RuntimeClasses, and which nodes have what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from aks_wasm.kube.outages import tolerant
from aks_wasm.kube.runtime_users import asks, users_of
from aks_wasm.kube.taints import is_leaving
from aks_wasm.shims.labels import ASKED_BY, BY_FILE, INSTALLED, READY, SHIMS, ready_label
from aks_wasm.shims.probe import proved
from aks_wasm.shims.runtime_class_manager import is_provisioned
from aks_wasm.steps.apply import apply_changed
from aks_wasm.steps.node_pool import route_note
from aks_wasm.steps.nodes_installed import wait_installed
from aks_wasm.steps.privileges import require_privileges
from aks_wasm.steps.shim_resources import ApplyShimResources
from aks_wasm.steps.shims import bring_installer
from aks_wasm.steps.step import StepContext
from aks_wasm.steps.taints import POOL_LABEL
from aks_wasm.steps.turns import drop_turns
from aks_wasm.steps.wanted import Manifest, Routes, Runtime, Wanted, is_installer
from aks_wasm.waits import Seen, wait_until

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient


_NAMED = 3  # objects in a step's words


def routes_of(context: StepContext, known: Routes) -> Routes:
    """Return the route of each pool: as it was observed, or as a step of this run has noted it."""
    return {
        pool.name: context.notes.get(route_note(pool.name), known.get(pool.name, "shim"))
        for pool in context.spec.node_pools
    }


@dataclass(frozen=True)
class ApplyRuntimes:
    """Apply the RuntimeClasses and, where a pool needs it, the shim installer; wait until it is done on every node.

    Attributes:
        wanted: What is wanted.
        known: Routes that are not open.
        differing: What of it the cluster lacks or has otherwise, where it has the rest.
    """

    wanted: Wanted
    known: Routes
    name: str = "runtimes"
    depends_on: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()

    def describe(self) -> str:
        """Name the shims."""
        shims = ", ".join(f"{shim.name} {shim.version}" for shim in self.wanted.shims)
        if self.wanted.managed:
            return f"have runtime-class-manager put runtimes on the Wasm nodes ({shims})"
        more = f" and {len(self.differing) - _NAMED} more" if len(self.differing) > _NAMED else ""
        why = f"; not as it should be: {', '.join(self.differing[:_NAMED])}{more}" if self.differing else ""
        return f"put runtimes on the Wasm nodes and make their RuntimeClasses ({shims}){why}"

    def run(self, context: StepContext) -> str | None:
        """Apply what differs, wait for the installer node by node, then start the probes that stay.

        Raises:
            Refused: The cluster would deny the installer's pods, or has one that is not ours; nothing was made.
            ServiceError: The installer gave up on a node; the message names it and why.
        """
        client, routes = context.connect(), routes_of(context, self.known)
        wanted = _of_this_moment(client, self.wanted)
        if wanted.managed:
            _have_managed(context, wanted, client)
        for manifest in filter(is_installer, wanted.runtime_manifests(routes)):
            may_install(client, manifest)
        installation = None
        if wanted.installs(routes):
            installation = bring_installer(client, wanted.spec.name, partial(wanted.installed, routes))
        for manifest in wanted.class_manifests(routes, installation):
            apply_changed(client, manifest)
        note_asked(client, [runtime.probe_class for runtime in wanted.runtimes(routes) if runtime.ours])
        if installation is None:
            return None
        nodes = installed_on(wasm_nodes(context, wanted, client))
        wait_installed(client, installation, nodes, context.patience())
        drop_turns(client, installation)
        for manifest in wanted.kept(installation).probe_daemon_sets():
            apply_changed(client, manifest)
        return f"{len(nodes)} {'node' if len(nodes) == 1 else 'nodes'}"


def wasm_nodes(context: StepContext, wanted: Wanted, client: KubeClient) -> list[Mapping[str, Any]]:
    """Wait until as many nodes of the Wasm pools are ready as there must be; return them.

    Raises:
        TimedOut: They are not.
    """
    pools = {pool.name: pool.min if pool.min is not None else pool.count or 1 for pool in wanted.spec.node_pools}

    def look() -> Seen[list[Mapping[str, Any]]]:
        found: list[Mapping[str, Any]] = [
            node for node in client.list("Node") for pool in pools if of_pool([node], pool)
        ]
        ready = [node for node in found if is_ready(node)]
        short = any(len(of_pool(ready, name)) < count for name, count in pools.items())
        done = len(ready) == len(found) and not short
        return Seen(f"{len(ready)} of {max(len(found), sum(pools.values()))} nodes ready", done=done, value=ready)

    return wait_until(tolerant(look, context.clock), what="the Wasm nodes", patience=context.patience()) or []


def installed_on(nodes: list[Mapping[str, Any]]) -> list[str]:
    """Return the names of the nodes that the installer is sent to."""
    return [n["metadata"]["name"] for n in nodes if (n["metadata"].get("labels") or {}).get(SHIMS) == INSTALLED]


def _of_this_moment(client: KubeClient, wanted: Wanted) -> Wanted:
    """Return what is wanted by what has changed since the plan was made: taints of nodes, users of old versions."""
    used = {user.runtime_class for user in users_of(client, wanted.unused) if asks(user)} if wanted.unused else set()
    return replace(wanted.seeing(client.list("Node")), unused=wanted.unused - used)


def note_asked(client: KubeClient, probe_classes: Iterable[str]) -> None:
    """Note on the RuntimeClasses of probes that a file has asked for their shims."""
    for name in probe_classes:
        live = client.get("RuntimeClass", name)
        if live is not None and not is_asked(live):
            client.annotate("RuntimeClass", name, {ASKED_BY: BY_FILE})


def is_asked(probe_class: Mapping[str, Any]) -> bool:
    """Return whether a file is noted to have asked for a shim."""
    return (probe_class["metadata"].get("annotations") or {}).get(ASKED_BY) == BY_FILE


def _have_managed(context: StepContext, wanted: Wanted, client: KubeClient) -> None:
    """Have runtime-class-manager put the shims on the nodes of the Wasm pools."""
    names = set(installed_on(wasm_nodes(context, wanted, client)))

    def nodes() -> tuple[Mapping[str, Any], ...]:
        return tuple(node for node in client.list("Node") if node["metadata"]["name"] in names)

    ApplyShimResources(wanted.shims, nodes).run(context)


def may_install(client: KubeClient, installer: Manifest) -> None:
    """Refuse, before anything is made, where the cluster would deny the installer's pods; one that is there may stay.

    Raises:
        Refused: With the cluster's own words and what to do.
    """
    metadata = installer["metadata"]
    if client.get("DaemonSet", metadata["name"], metadata["namespace"]) is None:
        image = installer["spec"]["template"]["spec"]["initContainers"][0]["image"]
        require_privileges(client, metadata["namespace"], image=image)


def unproved(runtimes: tuple[Runtime, ...], nodes: list[Mapping[str, Any]]) -> list[tuple[Runtime, Mapping[str, Any]]]:
    """Return each runtime and node of its pools for which the node carries no proof since its last boot."""
    return [
        (runtime, node)
        for runtime in runtimes
        for pool in runtime.pools
        for node in of_pool(nodes, pool)
        if not proved(node, runtime.runtime_class, runtime.shim.version)
    ]


def unmarked(runtimes: tuple[Runtime, ...], nodes: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the nodes that do not say yet that they are ready for each of our runtimes of their pool."""
    return [
        node
        for runtime in runtimes
        for pool in runtime.pools
        for node in of_pool(nodes, pool)
        if not is_marked(node, runtime)
    ]


def is_marked(node: Mapping[str, Any], runtime: Runtime) -> bool:
    """Return whether a node says that it is ready for a runtime; nodes say nothing about what the service brings."""
    if runtime.managed:
        return is_provisioned(node, runtime.handler)
    labels = node["metadata"].get("labels") or {}
    return not runtime.ours or labels.get(ready_label(runtime.handler)) == READY


def of_pool(nodes: list[Mapping[str, Any]], pool: str) -> list[Mapping[str, Any]]:
    """Return the nodes of a pool that are to stay: nothing comes onto one that is being taken away."""
    return [n for n in nodes if n["metadata"].get("labels", {}).get(POOL_LABEL) == pool and not is_leaving(n)]


def is_ready(node: Mapping[str, Any]) -> bool:
    """Return whether the node says that it is ready."""
    conditions = node.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
