"""Taking runtimes back: first what asks for them, then the shims on the nodes, then the installer and its marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import Refused
from aks_wasm.events import Warned
from aks_wasm.kube.conditions import wait_gone
from aks_wasm.kube.notes import annotate_node
from aks_wasm.kube.runtime_users import User, running, users_of
from aks_wasm.kube.workloads import owned_by
from aks_wasm.shims.installer import INSTALLER, PROBE_COMPONENT
from aks_wasm.shims.labels import NAME, PROOF, SYSTEM_NAMESPACE, owned
from aks_wasm.shims.probe import forgotten
from aks_wasm.shims.runtime_class import probe_class_name
from aks_wasm.steps.step import StepContext
from aks_wasm.waits import Seen, wait_until

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

OURS_INSIDE = ("DaemonSet", "Pod", "RoleBinding", "Role", "ServiceAccount", "ConfigMap", "Lease")
_ITS_OWN = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}  # Kubernetes makes them in each namespace
_SHOWN = 5  # users


@dataclass(frozen=True)
class WithdrawClasses:
    """Delete the RuntimeClasses of handlers, so that no new pod can ask for them, and the probes that stay.

    Attributes:
        handlers: Which; a RuntimeClass of ours is named as its handler.
        probe_classes: Whether the RuntimeClasses of their probes go as well; they tell what a file has asked for.
    """

    handlers: tuple[str, ...]
    probe_classes: bool = True
    name: str = "runtime-classes"
    depends_on: tuple[str, ...] = ()

    def describe(self) -> str:
        """Name them."""
        return f"delete the RuntimeClasses {', '.join(f'`{handler}`' for handler in self.handlers)} and their probes"

    def run(self, context: StepContext) -> str | None:
        """Delete them and wait until the probes' pods are gone.

        Raises:
            Refused: A pod has begun to use one meanwhile; the RuntimeClasses are back.
        """
        client, owner = context.connect(), context.spec.name
        classes = [live for handler in self.handlers if (live := _ours(client, "RuntimeClass", handler, owner))]
        for live in classes:
            client.delete("RuntimeClass", live["metadata"]["name"])
        try:
            refuse_used(users_of(client, self.handlers))
        except Refused:
            for live in classes:
                client.apply(_again(live))
            raise
        for handler in self.handlers:
            if self.probe_classes and _ours(client, "RuntimeClass", probe_class_name(handler), owner):
                client.delete("RuntimeClass", probe_class_name(handler))
            name = f"{PROBE_COMPONENT}-{handler}"
            client.delete("DaemonSet", name, SYSTEM_NAMESPACE)
            _wait_for_no_pods(context, client, f"{owned_by(owner)},{NAME}={name}", f"the probes of `{handler}`")
        for node in client.list("Node"):
            if forgotten(node, self.handlers) is not None:
                annotate_node(client, node["metadata"]["name"], lambda live: forgotten(live, self.handlers))
        return None


@dataclass(frozen=True)
class RemoveInstaller:
    """Delete the installer and everything of ours in its namespace, and the namespace unless others use it."""

    name: str = "installer"
    depends_on: tuple[str, ...] = ()

    def describe(self) -> str:
        """Name the namespace."""
        return f"delete the installer and the namespace `{SYSTEM_NAMESPACE}`"

    def run(self, context: StepContext) -> str | None:
        """Delete it; what does not carry our marks stays."""
        client, labels = context.connect(), owned_by(context.spec.name)
        client.delete("DaemonSet", INSTALLER, SYSTEM_NAMESPACE)
        _wait_for_no_pods(context, client, f"{labels},{NAME}={INSTALLER}", "the installer's pods")
        for kind in OURS_INSIDE:
            for live in client.list(kind, namespace=SYSTEM_NAMESPACE, labels=labels):
                client.delete(kind, live["metadata"]["name"], SYSTEM_NAMESPACE)
        for node in client.list("Node"):
            if PROOF in (node["metadata"].get("annotations") or {}):
                client.annotate("Node", node["metadata"]["name"], {PROOF: None})
        if _ours(client, "Namespace", SYSTEM_NAMESPACE, context.spec.name) is None:
            return None
        others = _foreign_inside(client, context.spec.name)
        if others:
            context.emit(Warned(f"the namespace `{SYSTEM_NAMESPACE}` stays, others use it: {', '.join(others)}"))
            return "others use its namespace"
        client.delete("Namespace", SYSTEM_NAMESPACE)
        wait_gone(client, "Namespace", SYSTEM_NAMESPACE, None, context.patience())
        return "gone"


def refuse_used(users: Iterable[User]) -> None:
    """Refuse while pods run through a runtime.

    Raises:
        Refused: With the pods and the way out.
    """
    pods = running(users)
    if not pods:
        return
    raise Refused(
        f"{len(pods)} {'pod uses' if len(pods) == 1 else 'pods use'} it: {listed_users(pods)}",
        code="RuntimeInUse",
        hint="delete what runs them first, or move it: `aks-wasm runtime upgrade` goes to another version",
    )


def listed_users(users: Sequence[User]) -> str:
    """Return the first few by name, pods with their nodes, and how many more there are."""
    shown = ", ".join(f"`{user}`" + (f" on `{user.node}`" if user.node else "") for user in users[:_SHOWN])
    return shown + (f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else "")


def _wait_for_no_pods(context: StepContext, client: KubeClient, labels: str, what: str) -> None:
    def look() -> Seen[None]:
        left = client.list("Pod", namespace=SYSTEM_NAMESPACE, labels=labels)
        return Seen(f"{len(left)} pods still there", done=not left)

    wait_until(look, what=f"the end of {what}", patience=context.patience())


def _ours(client: KubeClient, kind: str, name: str, owner: str) -> dict[str, Any] | None:
    live = client.get(kind, name)
    if live is None or not owned(owner).items() <= (live["metadata"].get("labels") or {}).items():
        return None
    return live


def _again(live: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest of a RuntimeClass as it was."""
    metadata = {"name": live["metadata"]["name"], "labels": live["metadata"].get("labels") or {}}
    kept = {key: live[key] for key in ("apiVersion", "kind", "handler", "scheduling") if key in live}
    return {**kept, "metadata": metadata}


def _foreign_inside(client: KubeClient, owner: str) -> list[str]:
    kinds = ("Pod", "ConfigMap", "Secret", "Service", "ServiceAccount", "Deployment", "DaemonSet", "Job")
    return [
        f"{kind.lower()}/{live['metadata']['name']}"
        for kind in kinds
        for live in client.list(kind, namespace=SYSTEM_NAMESPACE)
        if not owned(owner).items() <= (live["metadata"].get("labels") or {}).items()
        and (kind, live["metadata"]["name"]) not in _ITS_OWN
    ]
