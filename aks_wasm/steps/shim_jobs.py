"""The Jobs of runtime-class-manager: one for each node, Shim and operation, under a fixed name, and kept.

Read in its sources at v0.2.0: a node's label says `failed` for a moment only, since its controller sees the label
change and says `pending` again; the Job, whose name is taken, then does nothing more. What lasts is the Job's own
condition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from aks_wasm.errors import ServiceError
from aks_wasm.kube.conditions import wait_gone
from aks_wasm.shims.runtime_class_manager import FAILED, OPERATION_LABEL, SHIM_LABEL, is_provisioned
from aks_wasm.steps.shim_controller import named_nodes
from aks_wasm.waits import Patience

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

Node = Mapping[str, Any]
Operation = Literal["install", "uninstall"]


def jobs_of(client: KubeClient, name: str, operation: Operation) -> dict[str, dict[str, Any]]:
    """Return a Shim's Jobs by their node."""
    jobs = client.list("Job", labels=f"{SHIM_LABEL}={name},{OPERATION_LABEL}={operation}")
    return {str(job["spec"]["template"]["spec"].get("nodeName")): job for job in jobs}


def has_failed(job: Mapping[str, Any]) -> bool:
    """Return whether a Job has failed for good."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any((one["type"], one["status"]) == ("Failed", "True") for one in conditions)


def has_tried(job: Mapping[str, Any]) -> bool:
    """Return whether a try of a Job has failed; by itself it goes on for minutes, each try later than the last."""
    return has_failed(job) or bool((job.get("status") or {}).get("failed"))


def failed_nodes(client: KubeClient, name: str, nodes: Iterable[Node]) -> list[str]:
    """Return the nodes that have not got a Shim and will not, as its install Jobs there say or their labels."""
    jobs = jobs_of(client, name, "install")
    lacking = [node for node in nodes if not is_provisioned(node, name)]
    names = {str(node["metadata"]["name"]): shim_label(node, name) for node in lacking}
    return [node for node, label in names.items() if label == FAILED or (node in jobs and has_failed(jobs[node]))]


def tries_of(client: KubeClient, name: str, nodes: Iterable[Node]) -> str:
    """Return what the install Jobs have tried in vain on nodes, as the end of a sentence; empty when nothing."""
    names = {str(node["metadata"]["name"]) for node in nodes if not is_provisioned(node, name)}
    jobs = jobs_of(client, name, "install") if names else {}
    tried = {node: int((job.get("status") or {}).get("failed") or 0) for node, job in jobs.items() if node in names}
    told = [f"`{node}` has failed {count} times" for node, count in sorted(tried.items()) if count]
    return f"; its Job on {told[0]}" if told else ""


def try_again(client: KubeClient, name: str, nodes: Iterable[Node], patience: Patience) -> list[str]:
    """Have a Shim installed anew on nodes where that has failed; return them."""
    failed = failed_nodes(client, name, nodes)
    jobs = jobs_of(client, name, "install") if failed else {}
    for node in failed:
        if node in jobs:
            delete_job(client, jobs[node], patience)
        client.label("Node", node, {name: None})
    return failed


def delete_job(client: KubeClient, job: Mapping[str, Any], patience: Patience) -> None:
    """Delete a Job and wait until it is gone."""
    metadata = job["metadata"]
    client.delete("Job", metadata["name"], metadata["namespace"])
    wait_gone(client, "Job", metadata["name"], metadata["namespace"], patience)


def job_failure(client: KubeClient, name: str, operation: Operation, nodes: list[str]) -> ServiceError:
    """Return the error of Jobs that failed on some nodes."""
    jobs = list(jobs_of(client, name, operation).values())
    place = jobs[0]["metadata"]["namespace"] if jobs else "rcm"
    return ServiceError(
        f"runtime-class-manager could not {operation} `{name}` on {named_nodes(nodes)}",
        code="ShimJobFailed",
        hint=f"`kubectl --namespace {place} logs --selector {SHIM_LABEL}={name} --all-containers` tells why",
    )


def shim_label(node: Node, name: str) -> str | None:
    """Return what runtime-class-manager says of a Shim on a node, or None."""
    value = (node["metadata"].get("labels") or {}).get(name)
    return None if value is None else str(value)
