"""Shims that runtime-class-manager put on nodes taken off again.

Its ways that matter here, read in its sources at v0.2.0: only the deletion of a Shim whose nodes still match takes
anything off them; its uninstall Jobs have fixed names, are kept, and an old one of the same name makes the next
deletion do nothing; to uninstall what it could not install fails as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import Refused
from aks_wasm.kube.conditions import wait_gone
from aks_wasm.kube.outages import tolerant
from aks_wasm.shims.runtime_class_manager import FAILED, is_provisioned
from aks_wasm.steps.shim_controller import named_nodes, our_shims
from aks_wasm.steps.shim_jobs import delete_job, has_failed, has_tried, job_failure, jobs_of, shim_label
from aks_wasm.steps.step import StepContext
from aks_wasm.waits import Patience, Seen, wait_until

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

Manifest = dict[str, Any]


@dataclass(frozen=True)
class RemoveShimResources:
    """Delete our Shim resources, those of some shims or all, and wait until the nodes are as they were.

    Attributes:
        names: Which, as `shim_name` calls them; None takes every one of ours.
    """

    names: tuple[str, ...] | None = None
    name: str = "shim-resources"
    depends_on: tuple[str, ...] = ()

    def describe(self) -> str:
        """Say which."""
        return f"have runtime-class-manager take {', '.join(self.names) if self.names else 'our shims'} off the nodes"

    def run(self, context: StepContext) -> str | None:
        """Delete them one after the other; what is not ours stays."""
        client = context.connect()
        ours = [shim for shim in our_shims(client, context.spec.name) if self._means(shim)]
        for shim in ours:
            remove_shim(client, shim, context.patience())
        return f"{len(ours)} removed" if ours else "nothing of ours"

    def _means(self, shim: Manifest) -> bool:
        return self.names is None or shim["metadata"]["name"] in self.names


def remove_shim(client: KubeClient, shim: Manifest, patience: Patience) -> None:
    """Delete a Shim and wait until its nodes no longer bear its label, which is when its uninstall Jobs are done.

    Raises:
        Refused: A node bears the label and no longer matches the Shim's selector: it would be forgotten for good.
        ServiceError: An uninstall Job failed on a node that had the shim.
        TimedOut: Something of it is left; the message says what.
    """
    name = str(shim["metadata"]["name"])
    _refuse_to_forget(client, shim)
    for job in jobs_of(client, name, "uninstall").values():
        delete_job(client, job, patience)
    unsure = {str(node["metadata"]["name"]) for node in client.list("Node") if not is_provisioned(node, name)}
    class_name = str((shim["spec"].get("runtimeClass") or {}).get("name"))
    owned_by = ((client.get("RuntimeClass", class_name) or {}).get("metadata") or {}).get("ownerReferences") or ()
    client.delete("Shim", name)
    wait_gone(client, "Shim", name, None, patience)
    if any(one.get("kind") == "Shim" for one in owned_by):
        wait_gone(client, "RuntimeClass", class_name, None, patience)

    def look() -> Seen[None]:
        nodes = {str(node["metadata"]["name"]): node for node in client.list("Node")}
        marked = [node for node, live in nodes.items() if shim_label(live, name)]
        jobs = jobs_of(client, name, "uninstall") if marked else {}
        given_up = {node for node in unsure.intersection(marked) if node not in jobs or has_tried(jobs[node])}
        for node in given_up:  # it was not there to be uninstalled
            if node in jobs:
                delete_job(client, jobs[node], patience)
            client.label("Node", node, {name: None})
        left = [node for node in marked if node not in given_up]
        failed = [node for node in left if shim_label(nodes[node], name) == FAILED or has_failed(jobs.get(node, {}))]
        if failed:
            raise job_failure(client, name, "uninstall", failed)
        return Seen(f"{named_nodes(left)} to be cleaned" if left else "clean", done=not left)

    wait_until(tolerant(look, patience.clock), what=f"the removal of Shim `{name}`", patience=patience)


def _refuse_to_forget(client: KubeClient, shim: Manifest) -> None:
    name, selector = shim["metadata"]["name"], shim["spec"].get("nodeSelector") or {}
    lost = [
        str(node["metadata"]["name"])
        for node in client.list("Node")
        if shim_label(node, name) and not selector.items() <= (node["metadata"].get("labels") or {}).items()
    ]
    if lost:
        pairs = " ".join(f"{key}={value}" for key, value in selector.items())
        raise Refused(
            f"{named_nodes(lost)} still has `{name}` and no longer matches its Shim, so nothing would ever clean it",
            code="NodesWouldBeForgotten",
            hint=f"`kubectl label node {lost[0]} {pairs}`, then the same command again",
        )
