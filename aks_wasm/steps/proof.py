"""The proof that each node really runs Wasm: a probe pod through each handler, noted on the node for this boot."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import TimedOut
from aks_wasm.kube.conditions import wait_for, wait_gone
from aks_wasm.kube.notes import annotate_node
from aks_wasm.shims.installer import PROBE_COMPONENT
from aks_wasm.shims.labels import READY, ready_label
from aks_wasm.shims.probe import boot_id, probe_manifest, proof, proved
from aks_wasm.steps.nodes_installed import wait_marked
from aks_wasm.steps.runtime import is_marked, of_pool, routes_of, unproved, wasm_nodes
from aks_wasm.steps.step import StepContext
from aks_wasm.steps.wanted import Manifest, Routes, Runtime, Wanted
from aks_wasm.waits import Seen

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

AT_ONCE = 8  # nodes
_LOOK_AGAIN_SECONDS = 120.0  # whether the node is still there; longer than any cause of a pod is given to pass


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
        """Probe nodes side by side; note each proof on its node, and see that each node is marked as ready."""
        client, routes = context.connect(), routes_of(context, self.known)
        runtimes = self.wanted.runtimes(routes)
        nodes = wasm_nodes(context, self.wanted, client)
        by_node: dict[str, list[Runtime]] = {}
        for runtime, node in unproved(runtimes, nodes):
            by_node.setdefault(node["metadata"]["name"], []).append(runtime)
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="probe") as threads:
            list(threads.map(lambda item: self._prove(context, client, *item), by_node.items()))
        self._see_marks(context, client, routes, nodes)
        return f"{len(by_node)} of {len(nodes)} nodes probed" if by_node else "proved before"

    def _prove(self, context: StepContext, client: KubeClient, name: str, runtimes: list[Runtime]) -> None:
        for runtime in runtimes:
            while (node := client.get("Node", name)) is not None:
                self._probe(context, client, name, runtime)
                if _noted(client, name, runtime, boot_id(node)):
                    break  # else it has started anew meanwhile: what was proved is no more

    def _probe(self, context: StepContext, client: KubeClient, name: str, runtime: Runtime) -> None:
        image, pull_policy = self.wanted.probe_image(runtime)
        manifest = probe_manifest(
            runtime.shim,
            node=name,
            runtime_class=runtime.probe_class,
            image=image,
            owner=self.wanted.spec.name,
            pull_policy=pull_policy,
        )
        # Whatever keeps other pods off this node, cordons too, it should have the runtime: the probe goes there.
        manifest["spec"]["tolerations"] = [{"operator": "Exists"}]
        pod = manifest["metadata"]
        if client.delete("Pod", pod["name"], pod["namespace"]):  # left by a run that was cut off
            wait_gone(client, "Pod", pod["name"], pod["namespace"], context.patience(120))
        client.apply(manifest)
        _wait(context, client, manifest, name, runtime)
        client.delete("Pod", pod["name"], pod["namespace"])

    def _see_marks(
        self, context: StepContext, client: KubeClient, routes: Routes, nodes: list[Mapping[str, Any]]
    ) -> None:
        """Wait for the labels where the installer sets them by its own probes; set them where none works."""
        ours = [runtime for runtime in self.wanted.runtimes(routes) if runtime.ours]
        if not ours:
            return
        names = {node["metadata"]["name"] for pool in ours[0].pools for node in of_pool(nodes, pool)}
        if not self.wanted.installs(routes):
            for node in client.list("Node"):
                missing = {ready_label(r.handler): READY for r in ours if not is_marked(node, r)}
                if missing and node["metadata"]["name"] in names:
                    client.label("Node", node["metadata"]["name"], missing)
            return
        of_file = {f"{PROBE_COMPONENT}-{runtime.handler}" for runtime in ours}
        for manifest in self.wanted.probe_manifests(routes):
            if manifest["metadata"]["name"] in of_file:  # what others have installed is theirs to wait for
                wait_for(client, manifest, context.patience())
        wait_marked(client, [runtime.handler for runtime in ours], names, context.patience())


def _wait(context: StepContext, client: KubeClient, manifest: Manifest, name: str, runtime: Runtime) -> None:
    """Wait for the probe; a node that goes away before the pod gets there leaves nothing to prove."""
    absent = partial(_go_on_without_pod, client, manifest, name, runtime)
    while True:
        try:
            wait_for(client, manifest, context.patience(_LOOK_AGAIN_SECONDS), absent)
        except TimedOut:
            if client.get("Node", name) is None:
                return
            if context.clock.now() >= context.deadline:
                raise
        else:
            return


def _go_on_without_pod(client: KubeClient, manifest: Manifest, name: str, runtime: Runtime) -> Seen[dict[str, Any]]:
    """Probe again when the pod was taken away, unless another run at the same time did so and proved the node."""
    node = client.get("Node", name)
    if node is None or _is_proved(node, runtime):
        return Seen("proved by another run", done=True)
    client.apply(manifest)
    return Seen("probing again")


def _noted(client: KubeClient, name: str, runtime: Runtime, boot: str) -> bool:
    """Note a proof on the boot of the node for which it is one; return whether the node has one now, or is gone."""

    def change(node: Mapping[str, Any]) -> Mapping[str, str | None] | None:
        if boot_id(node) != boot or _is_proved(node, runtime):
            return None
        return proof(node, runtime.runtime_class, runtime.shim.version)

    node = annotate_node(client, name, change)
    return node is None or boot_id(node) == boot or _is_proved(node, runtime)


def _is_proved(node: Mapping[str, Any], runtime: Runtime) -> bool:
    return proved(node, runtime.runtime_class, runtime.shim.version)
