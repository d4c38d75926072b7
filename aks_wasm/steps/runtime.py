"""Wasm runtimes on the nodes: installer and RuntimeClasses, and the proof that each node really runs Wasm."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from aks_wasm.kube.conditions import wait_for, wait_gone
from aks_wasm.kube.matching import matches
from aks_wasm.shims.probe import probe_manifest, proof, proved
from aks_wasm.steps.node_pool import route_note
from aks_wasm.steps.privileges import require_privileges
from aks_wasm.steps.step import StepContext
from aks_wasm.steps.wanted import Manifest, Routes, Runtime, Wanted, is_installer, probe_image_key
from aks_wasm.waits import Seen, wait_until

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

POOL_LABEL = "kubernetes.azure.com/agentpool"  # AKS puts it on every node
PROBES_AT_ONCE = 8  # nodes


def routes_of(context: StepContext, known: Routes) -> Routes:
    """Return the route of each pool: as it was observed, or as a step of this run has noted it."""
    return {
        pool.name: context.notes.get(route_note(pool.name), known.get(pool.name, "shim"))
        for pool in context.spec.node_pools
    }


@dataclass(frozen=True)
class ApplyRuntimes:
    """Apply the RuntimeClasses and, where a pool needs it, the shim installer; wait until it is done on every node."""

    wanted: Wanted
    known: Routes
    name: str = "runtimes"
    depends_on: tuple[str, ...] = ()

    def describe(self) -> str:
        """Name the shims."""
        shims = ", ".join(f"{shim.name} {shim.version}" for shim in self.wanted.shims)
        return f"put runtimes on the Wasm nodes and make their RuntimeClasses ({shims})"

    def run(self, context: StepContext) -> str | None:
        """Apply what differs, wait for the installer."""
        client = context.connect()
        manifests = self.wanted.runtime_manifests(routes_of(context, self.known))
        for manifest in filter(is_installer, manifests):
            may_install(client, manifest)
        for manifest in manifests:
            apply_changed(client, manifest)
        for manifest in filter(is_installer, manifests):
            wait_for(client, manifest, context.patience())
        return None


@dataclass(frozen=True)
class ProveNodes:
    """Run a small Wasm pod through the real handler on every node of the Wasm pools that has not been proved yet."""

    wanted: Wanted
    known: Routes
    name: str = "proof"
    depends_on: tuple[str, ...] = ("runtimes",)

    def describe(self) -> str:
        """Say what is proved."""
        return "prove each Wasm node with a probe pod"

    def run(self, context: StepContext) -> str | None:
        """Probe nodes side by side; note each proof on its node."""
        client = context.connect()
        runtimes = self.wanted.runtimes(routes_of(context, self.known))
        nodes = self._ready_nodes(context, client)
        missing = unproved(runtimes, nodes)
        # One at a time on a node: proofs of several runtimes share one annotation.
        by_node: dict[str, list[Runtime]] = {}
        for runtime, node in missing:
            by_node.setdefault(node["metadata"]["name"], []).append(runtime)
        with ThreadPoolExecutor(PROBES_AT_ONCE, thread_name_prefix="probe") as threads:
            list(threads.map(lambda item: self._prove(context, client, *item), by_node.items()))
        return f"{len(by_node)} of {len(nodes)} nodes probed" if by_node else "proved before"

    def _ready_nodes(self, context: StepContext, client: KubeClient) -> list[Mapping[str, Any]]:
        pools = {
            pool.name: pool.min if pool.min is not None else pool.count or 1 for pool in self.wanted.spec.node_pools
        }

        def look() -> Seen[list[Mapping[str, Any]]]:
            found: list[Mapping[str, Any]] = [
                n for n in client.list("Node") if n["metadata"].get("labels", {}).get(POOL_LABEL) in pools
            ]
            ready = [node for node in found if is_ready(node)]
            short = any(len(of_pool(ready, name)) < count for name, count in pools.items())
            done = len(ready) == len(found) and not short
            return Seen(f"{len(ready)} of {max(len(found), sum(pools.values()))} nodes ready", done=done, value=ready)

        return wait_until(look, what="the Wasm nodes", patience=context.patience()) or []

    def _prove(self, context: StepContext, client: KubeClient, name: str, runtimes: list[Runtime]) -> None:
        for runtime in runtimes:
            manifest = probe_manifest(
                runtime.shim,
                node=name,
                runtime_class=runtime.runtime_class,
                image=self.wanted.images[probe_image_key(runtime.shim)].name,
                owner=self.wanted.spec.name,
            )
            pod = manifest["metadata"]
            if client.delete("Pod", pod["name"], pod["namespace"]):  # left by a run that was cut off
                wait_gone(client, "Pod", pod["name"], pod["namespace"], context.patience(120))
            client.apply(manifest)
            wait_for(client, manifest, context.patience(), partial(_go_on_without_pod, client, manifest, name, runtime))
            node = client.get("Node", name)
            if node is not None:
                client.annotate("Node", name, proof(node, runtime.runtime_class, runtime.shim.version))
            client.delete("Pod", pod["name"], pod["namespace"])


def _go_on_without_pod(client: KubeClient, manifest: Manifest, name: str, runtime: Runtime) -> Seen[dict[str, Any]]:
    """Probe again when the pod was taken away, unless another run at the same time did so and proved the node."""
    node = client.get("Node", name)
    if node is None or proved(node, runtime.runtime_class, runtime.shim.version):
        return Seen("proved by another run", done=True)
    client.apply(manifest)
    return Seen("probing again")


def may_install(client: KubeClient, installer: Manifest) -> None:
    """Refuse, before anything is made, where the cluster would deny the installer's pods; one that is there may stay.

    Raises:
        Refused: With the cluster's own words and what to do.
    """
    metadata = installer["metadata"]
    if client.get("DaemonSet", metadata["name"], metadata["namespace"]) is None:
        image = installer["spec"]["template"]["spec"]["initContainers"][0]["image"]
        require_privileges(client, metadata["namespace"], image=image)


def apply_changed(client: KubeClient, manifest: Manifest) -> bool:
    """Apply a manifest unless the live object is so already; return whether it was written."""
    metadata = manifest["metadata"]
    live = client.get(manifest["kind"], metadata["name"], metadata.get("namespace"))
    if live is not None and matches(live, manifest):
        return False
    client.apply(manifest)
    return True


def unproved(runtimes: tuple[Runtime, ...], nodes: list[Mapping[str, Any]]) -> list[tuple[Runtime, Mapping[str, Any]]]:
    """Return each runtime and node of its pools for which the node carries no proof since its last boot."""
    return [
        (runtime, node)
        for runtime in runtimes
        for pool in runtime.pools
        for node in of_pool(nodes, pool)
        if not proved(node, runtime.runtime_class, runtime.shim.version)
    ]


def of_pool(nodes: list[Mapping[str, Any]], pool: str) -> list[Mapping[str, Any]]:
    """Return the nodes of a pool."""
    return [node for node in nodes if node["metadata"].get("labels", {}).get(POOL_LABEL) == pool]


def is_ready(node: Mapping[str, Any]) -> bool:
    """Return whether the node says that it is ready."""
    conditions = node.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
