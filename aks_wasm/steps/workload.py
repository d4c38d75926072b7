"""Workloads: apply what differs, wait until they are ready or say why not, delete what the file no longer names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aks_wasm.kube.conditions import has_failed, is_going, wait_for, wait_gone
from aks_wasm.kube.workloads import NAMESPACE, owned_by
from aks_wasm.providers.ownership import not_ours, owner_in
from aks_wasm.shims.labels import NAME
from aks_wasm.spec.models import Workload
from aks_wasm.steps.apply import apply_changed
from aks_wasm.steps.runtime import routes_of
from aks_wasm.steps.step import StepContext
from aks_wasm.steps.wanted import Manifest, Routes, Wanted

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

WORKLOAD_KINDS = ("Deployment", "Job", "Service", "Secret")


@dataclass(frozen=True)
class ApplyWorkload:
    """Deploy one workload and wait until it is ready, a job until it is complete."""

    wanted: Wanted
    workload: Workload
    known: Routes
    depends_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`workload/NAME`."""
        return f"workload/{self.workload.name}"

    def describe(self) -> str:
        """Name the workload, its kind and shim."""
        if self.workload.kind == "job":
            return f"run the job `{self.workload.name}` on {self.workload.shim}"
        return f"deploy `{self.workload.name}` on {self.workload.shim}, {self.workload.replicas} replicas"

    def run(self, context: StepContext) -> str | None:
        """Apply what differs, a job that failed anew, delete older jobs of this workload, wait.

        Raises:
            Refused: Something of that name is there already and is not ours; nothing was written.
        """
        client = context.connect()
        manifests = self.wanted.workload_manifests(self.workload, routes_of(context, self.known))
        for manifest in manifests:
            refuse_foreign(client, manifest, self.wanted.spec.name)
        for manifest in manifests:
            make_room(client, manifest, context)
            apply_changed(client, manifest)
        keep = {(m["kind"], m["metadata"]["name"]) for m in manifests}
        delete_objects(client, self.wanted.spec.name, self.workload.name, keep=keep)
        for manifest in manifests:
            if manifest["kind"] != "Secret":
                wait_for(client, manifest, context.patience())
        return None


@dataclass(frozen=True)
class DeleteWorkload:
    """Delete a workload and everything that it is made of."""

    owner: str
    workload: str
    why: str = ""
    depends_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`workload/NAME`."""
        return f"workload/{self.workload}"

    def describe(self) -> str:
        """Name the workload, and why it goes."""
        return f"delete the workload `{self.workload}`" + (f" ({self.why})" if self.why else "")

    def run(self, context: StepContext) -> str | None:
        """Delete its objects."""
        delete_objects(context.connect(), self.owner, self.workload)
        return "gone"


def refuse_foreign(client: KubeClient, manifest: Manifest, owner: str) -> None:
    """Refuse to take over an object that does not carry our marks.

    Raises:
        Refused: With the object's kind and name.
    """
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    live = client.get(kind, name, NAMESPACE)
    if live is not None and (whose := owner_in(live["metadata"].get("labels") or {})) != owner:
        hint = f"name the workload differently, or delete it first: `kubectl delete {kind.lower()} {name}`"
        raise not_ours(kind, name, whose, hint)


def make_room(client: KubeClient, manifest: Manifest, context: StepContext) -> None:
    """Let go what can't become what is wanted: an object that is being deleted, a job that an earlier run left failed.

    What is applied to an object on its way out goes with it.
    """
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    live = client.get(kind, name, NAMESPACE)
    if live is None:
        return
    failed = kind == "Job" and has_failed(live)
    if failed:
        client.delete(kind, name, NAMESPACE)
    if failed or is_going(live):
        wait_gone(client, kind, name, NAMESPACE, context.patience())


def delete_objects(
    client: KubeClient, owner: str, workload: str, *, keep: set[tuple[str, str]] | None = None
) -> list[str]:
    """Delete the objects of a workload that carry our mark, but for those to keep; return `kind/name` of each."""
    gone = []
    labels = f"{owned_by(owner)},{NAME}={workload}"
    for kind in WORKLOAD_KINDS:
        for live in client.list(kind, namespace=NAMESPACE, labels=labels):
            name = live["metadata"]["name"]
            if (kind, name) not in (keep or ()):
                client.delete(kind, name, NAMESPACE)
                gone.append(f"{kind.lower()}/{name}")
    return gone
