"""A Job's pods: made with an index where they need one, counted once when they end, let go afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aks_wasm.emulator.cluster.controllers.job_plan import INDEX, index_of
from aks_wasm.emulator.cluster.controllers.pods import is_going, phase
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.cluster.trees import Tree, copied

FINALIZER = "batch.kubernetes.io/job-tracking"  # on a pod that its Job has not counted yet


@dataclass(frozen=True)
class Ended:
    """Pods that ended and have not been counted.

    Attributes:
        succeeded: Those that succeeded.
        failed: Those that failed, or went away before they ended.
    """

    succeeded: Sequence[Tree] = field(default=())
    failed: Sequence[Tree] = field(default=())

    @property
    def all(self) -> list[Tree]:
        """Both."""
        return [*self.succeeded, *self.failed]


def newly_ended(pods: Iterable[Tree]) -> Ended:
    """Return which pods ended without having been counted; one that is being deleted has failed."""
    uncounted = [pod for pod in pods if is_uncounted(pod)]
    succeeded = [pod for pod in uncounted if phase(pod) == "Succeeded"]
    failed = [pod for pod in uncounted if phase(pod) == "Failed" or (is_going(pod) and phase(pod) != "Succeeded")]
    return Ended(succeeded, failed)


def is_uncounted(pod: Tree) -> bool:
    """Tell whether the pod still carries the mark of the uncounted."""
    return FINALIZER in (pod["metadata"].get("finalizers") or [])


def let_go(store: Store, pods: Iterable[Tree]) -> None:
    """Take the mark off; a pod that is being deleted may vanish by that."""

    def change(fresh: Tree) -> None:
        marks = [mark for mark in fresh["metadata"].get("finalizers") or [] if mark != FINALIZER]
        if marks:
            fresh["metadata"]["finalizers"] = marks
        else:
            fresh["metadata"].pop("finalizers", None)

    for pod in pods:
        if is_uncounted(pod):
            store.mutate("pods", pod["metadata"]["name"], pod["metadata"]["namespace"], change)


def done_with(done: frozenset[int], succeeded: Iterable[Tree]) -> frozenset[int]:
    """Return the completed indexes with those of pods that succeeded added."""
    return done | {index for pod in succeeded if (index := index_of(pod)) is not None}


def template_for(job: Tree, index: int | None) -> Tree:
    """Return the Job's pod template with the labels, the mark and the index that its pods carry."""
    template: Tree = copied(job["spec"]["template"])
    metadata = template.setdefault("metadata", {})
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    labels = metadata.setdefault("labels", {})
    labels.update(
        {
            "batch.kubernetes.io/controller-uid": uid,
            "batch.kubernetes.io/job-name": name,
            "controller-uid": uid,
            "job-name": name,
        }
    )
    metadata["finalizers"] = [*(metadata.get("finalizers") or []), FINALIZER]
    if index is not None:
        metadata.setdefault("annotations", {})[INDEX] = str(index)
        labels[INDEX] = str(index)
        template["spec"].setdefault("hostname", f"{name}-{index}")
        for container in [*(template["spec"].get("initContainers") or []), *template["spec"]["containers"]]:
            _with_index(container)
    return template


def _with_index(container: Tree) -> None:
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
    variables = container.setdefault("env", [])
    if all(variable["name"] != "JOB_COMPLETION_INDEX" for variable in variables):
        variables.append({"name": "JOB_COMPLETION_INDEX", "valueFrom": source})
