"""Shims on the nodes of any cluster: bring the installer to a list, wait for each node, have each handler proved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import ServiceError
from aks_wasm.kube.conditions import wait_for
from aks_wasm.providers.ownership import not_ours, owner_in
from aks_wasm.shims.installed import Change, Present
from aks_wasm.shims.installer import INSTALLER, Installation
from aks_wasm.shims.labels import SYSTEM_NAMESPACE
from aks_wasm.steps.apply import apply_changed, is_so
from aks_wasm.steps.nodes_installed import wait_installed, wait_marked
from aks_wasm.steps.step import StepContext
from aks_wasm.steps.turns import drop_turns

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

Manifest = dict[str, Any]
Nodes = Callable[[], tuple[str, ...]]
_CONFLICT, _THERE = "KubernetesConflict", "KubernetesAlreadyExists"
_TRIES = 5  # when others write the list at the same moment


def look_at_installer(client: KubeClient, owner: str) -> Present:
    """Return what the cluster's installer is to put on its nodes.

    Raises:
        Refused: It is not ours.
    """
    for kind, name, place in (("Namespace", SYSTEM_NAMESPACE, None), ("DaemonSet", INSTALLER, SYSTEM_NAMESPACE)):
        live = client.get(kind, name, place)
        if live is not None:
            refuse_foreign_installer(live, owner)
    return Present.of(
        client.get("ConfigMap", INSTALLER, SYSTEM_NAMESPACE), client.get("DaemonSet", INSTALLER, SYSTEM_NAMESPACE)
    )


def refuse_foreign_installer(live: Manifest, owner: str) -> None:
    """Refuse to touch an installer, or a namespace of its name, that does not carry our marks.

    Raises:
        Refused: With whose it is.
    """
    whose = owner_in(live["metadata"].get("labels") or {})
    if whose == owner:
        return
    kind, name = live["kind"], live["metadata"]["name"]
    hint = f"give the file that made it, or `--name {whose}`" if whose else "it must go before ours can be made"
    raise not_ours(kind, name, whose, hint)


@dataclass(frozen=True)
class ChangeShims:
    """Bring the installer's list to what a change makes of it, and wait until every node is so.

    What the list holds is read at the very moment: another run may have changed it since the plan was made. Such a run
    that writes in between is noticed and its shims are kept.

    Attributes:
        change: What is to become of the list.
        taints: `key=value:Effect` of the nodes.
        nodes: Returns the names of the nodes to wait for.
        about: What it does, in one sentence.
    """

    change: Change
    taints: tuple[str, ...]
    nodes: Nodes
    about: str
    name: str = "shims"
    depends_on: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return the sentence."""
        return self.about

    def run(self, context: StepContext) -> str | None:
        """Apply what differs; wait node by node for the installer, then for the probes."""
        client, owner = context.connect(), context.spec.name
        installation = bring_installer(
            client, owner, lambda present: self.change.installation(owner, present, self.taints)
        )
        for manifest in installation.runtime_classes():
            apply_changed(client, manifest)
        wait_installed(client, installation, self.nodes(), context.patience())
        drop_turns(client, installation)
        for manifest in installation.probe_daemon_sets():
            apply_changed(client, manifest)
        for manifest in installation.probe_daemon_sets():
            wait_for(client, manifest, context.patience())
        if installation.probes:
            wait_marked(client, [s.handler for s in installation.shims], self.nodes(), context.patience())
        return f"{len(self.nodes())} nodes"


def bring_installer(client: KubeClient, owner: str, wanted: Callable[[Present], Installation]) -> Installation:
    """Apply what of the installer differs from what is made of it as it is at this very moment; return that.

    Another run that writes its list in between is noticed, and what it has written is looked at anew.

    Args:
        client: The cluster.
        owner: The cluster's name in our marks.
        wanted: Makes of what is there what is to be there.

    Raises:
        Refused: The installer is not ours.
        ServiceError: Others write the list again and again.
    """
    for _ in range(_TRIES):
        present = look_at_installer(client, owner)
        installation = wanted(present)
        try:
            for manifest in installation.manifests():
                if is_list(manifest) and not is_so(client, manifest):
                    client.apply(manifest, version=present.version or "")
                else:
                    apply_changed(client, manifest)
        except ServiceError as error:
            if error.code not in (_CONFLICT, _THERE):
                raise
            continue
        return installation
    raise ServiceError(
        "others change the installer's list all the time",
        code=_CONFLICT,
        hint="is another run at work? try again when it is done",
    )


def differing(client: KubeClient, installation: Installation) -> list[Manifest]:
    """Return what of an installation the cluster does not have, or has otherwise."""
    wanted = [*installation.manifests(), *installation.runtime_classes(), *installation.probe_daemon_sets()]
    return [manifest for manifest in wanted if not is_so(client, manifest)]


def is_list(manifest: Manifest) -> bool:
    """Return whether this is the ConfigMap that lists the shims."""
    return (manifest["kind"], manifest["metadata"]["name"]) == ("ConfigMap", INSTALLER)
