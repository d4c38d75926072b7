"""`workload list|logs|delete`: what runs in the cluster and carries our mark.

Answers demand 47 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aks_wasm.errors import UsageError
from aks_wasm.kube.workloads import NAMESPACE, owned_by
from aks_wasm.plan.plan import Plan
from aks_wasm.plan.runner import run_plan
from aks_wasm.shims.labels import NAME
from aks_wasm.steps.workload import DeleteWorkload
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.observe import observe_objects
from aks_wasm.workflows.results import ActionResult, ListResult, WorkloadState
from aks_wasm.workflows.states import workload_states
from aks_wasm.workflows.status import explained


def list_workloads(run: Run) -> ListResult:
    """Return the workloads with their state and endpoint."""
    return ListResult("WorkloadList", "workload", explained(run, observe_objects(run)))


def logs(run: Run, name: str, *, follow: bool, tail: int | None, previous: bool) -> Iterator[str]:
    """Yield what the newest pod of a workload wrote, line by line.

    Raises:
        UsageError: There is no such workload, or it has no pod.
    """
    client = run.connect()
    pods = client.list("Pod", namespace=NAMESPACE, labels=f"{owned_by(run.spec.name)},{NAME}={name}")
    if not pods:
        _existing(run, name)
        raise UsageError(
            f"the workload `{name}` has no pod", code="NoPod", hint="`aks-wasm status` tells what it is waiting for"
        )
    pod = max(pods, key=_age)
    yield from client.logs(NAMESPACE, pod["metadata"]["name"], follow=follow, tail=tail, previous=previous)


def delete_workload(run: Run, name: str) -> ActionResult:
    """Delete a workload and everything that it is made of.

    Raises:
        UsageError: There is no such workload.
    """
    _existing(run, name)
    outcome = run_plan(Plan((DeleteWorkload(run.spec.name, name),)), run.step_context())
    if outcome.error is not None:
        raise outcome.error
    return ActionResult("WorkloadResult", f"workload/{name}", {"name": name, "state": "deleted"})


def _existing(run: Run, name: str) -> WorkloadState:
    states = workload_states(observe_objects(run))
    found = next((state for state in states if state.name == name), None)
    if found is None:
        known = ", ".join(f"`{state.name}`" for state in states) or "none"
        raise UsageError(f"there is no workload `{name}`", code="NoWorkload", hint=f"there are: {known}")
    return found


def _age(pod: dict[str, Any]) -> tuple[str, str]:
    return pod["metadata"].get("creationTimestamp", ""), pod["metadata"]["name"]
