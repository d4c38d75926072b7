"""What every controller works with: the cluster's objects, its pace, and events in its own name."""

from __future__ import annotations

from dataclasses import dataclass

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster import admission
from aks_wasm.emulator.cluster.controllers.names import suffixed
from aks_wasm.emulator.cluster.controllers.pods import pod_from_template
from aks_wasm.emulator.cluster.statuses import AlreadyExists, ApiFailure
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.cluster.trees import Tree

_NAME_ATTEMPTS = 8  # as the API server does with generateName since 1.32


@dataclass(frozen=True)
class World:
    """The store and the pace, as one controller sees them.

    Attributes:
        store: The cluster's objects.
        pace: What back-offs and other waits without work are scaled by.
        component: The name under which the controller records events.
    """

    store: Store
    pace: Pace
    component: str

    def tell(self, involved: Tree, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an event about an object."""
        kind = "Warning" if warning else "Normal"
        self.store.record_event(involved, reason, message, type=kind, component=self.component)

    def create_pod(self, owner: Tree, template: Tree, *, base: str | None = None) -> Tree:
        """Make one pod of `owner` from a template, defaulted and admitted, and tell of it.

        Args:
            owner: Whose pod.
            template: What it is made from.
            base: What its name begins with; None: the owner's name.

        Raises:
            ApiFailure: Admission refuses the pod; a FailedCreate event says so on the owner.
        """
        try:
            pod = self._created(pod_from_template(template, owner, base))
        except ApiFailure as failure:
            self.tell(owner, "FailedCreate", f"Error creating: {failure.message}", warning=True)
            raise
        self.tell(owner, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return pod

    def delete_pod(self, owner: Tree, pod: Tree) -> None:
        """Delete one pod of `owner` and tell of it."""
        name = pod["metadata"]["name"]
        if self.store.delete("pods", name, pod["metadata"]["namespace"]) is not None:
            self.tell(owner, "SuccessfulDelete", f"Deleted pod: {name}")

    def _created(self, pod: Tree) -> Tree:
        # Admitted before it has a name, as by the API server: refusals say `pods "web-"` and repeat as one event.
        admission.prepare(self.store, "pods", pod)
        for _ in range(_NAME_ATTEMPTS - 1):
            try:
                return self._inserted(pod)
            except AlreadyExists:
                continue
        return self._inserted(pod)

    def _inserted(self, pod: Tree) -> Tree:
        metadata = pod["metadata"]
        named = {**pod, "metadata": {**metadata, "name": suffixed(metadata["generateName"])}}
        admission.validate(self.store, "pods", None, named)  # what validates sees the name, as on the API server
        return self.store.insert("pods", named)
