"""Shims by runtime-class-manager: its resources brought to what is wanted, its work waited for, ours taken away again.

Its ways that matter here, read in its sources at v0.2.0 and seen by others on AKS: a change of a Shim does not install
anew where a node's label says `provisioned`; a RuntimeClass of the name is left as it is; only the deletion of a Shim
whose nodes still match takes anything off them; its uninstall Jobs have fixed names, are kept, and an old one of the
same name makes the next deletion do nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import Refused, ServiceError
from aks_wasm.kube.conditions import wait_gone
from aks_wasm.kube.matching import matches
from aks_wasm.kube.outages import tolerant
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.labels import MANAGED_BY, MANAGER, PART_OF
from aks_wasm.shims.runtime_class_manager import (
    CRD,
    FAILED,
    OPERATION_LABEL,
    PROVISIONED,
    SHIM_LABEL,
    not_in_effect,
    shim_name,
    shim_resource,
)
from aks_wasm.steps.shim_controller import named_nodes, require_controller
from aks_wasm.steps.step import StepContext
from aks_wasm.waits import Patience, Seen, wait_until

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

Node = Mapping[str, Any]
Manifest = dict[str, Any]
EFFECT_SECONDS = 60.0  # until a kubelet lists a handler after containerd's restart; it asks every few seconds


@dataclass(frozen=True)
class ApplyShimResources:
    """Bring the Shim resources to what is wanted and wait until every node of theirs is provisioned.

    Attributes:
        shims: What is wanted.
        node_selector: Labels of the nodes.
        options: Of the runtimes in containerd's configuration.
        nodes: Returns the nodes to wait for.
    """

    shims: tuple[Shim, ...]
    node_selector: Mapping[str, str]
    options: Mapping[str, str]
    nodes: Callable[[], tuple[Node, ...]]
    name: str = "shim-resources"
    depends_on: tuple[str, ...] = ()

    def describe(self) -> str:
        """Name the shims."""
        named = ", ".join(f"{shim.name} {shim.version}" for shim in self.shims)
        return f"have runtime-class-manager put {named} on the nodes"

    def run(self, context: StepContext) -> str | None:
        """Apply what differs; what is changed goes first, since a change alone installs nothing."""
        client, owner, changed = context.connect(), context.spec.name, 0
        require_controller(client)
        for shim in self.shims:
            wanted = shim_resource(shim, owner=owner, node_selector=self.node_selector, options=self.options)
            live = client.get("Shim", shim_name(shim))
            if live is not None:
                _refuse_foreign(live, owner)
                if matches(live, wanted):
                    continue
                remove_shim(client, live, context.patience())
            _clear_runtime_class(client, shim, owner)
            client.apply(wanted)
            changed += 1
        for shim in self.shims:
            wait_provisioned(client, shim, self.nodes, context.patience())
        return f"{changed} of {len(self.shims)} changed"


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


def our_shims(client: KubeClient, owner: str) -> list[Manifest]:
    """Return the Shim resources that we made; none where runtime-class-manager is not installed."""
    if client.get("CustomResourceDefinition", CRD) is None:
        return []
    return client.list("Shim", labels=f"{MANAGED_BY}={MANAGER},{PART_OF}={owner}")


def remove_shim(client: KubeClient, shim: Manifest, patience: Patience) -> None:
    """Delete a Shim and wait until its nodes no longer bear its label, which is when its uninstall Jobs are done.

    Raises:
        Refused: A node bears the label and no longer matches the Shim's selector: it would be forgotten for good.
        ServiceError: An uninstall Job failed.
        TimedOut: Something of it is left; the message says what.
    """
    name = shim["metadata"]["name"]
    _refuse_to_forget(client, shim)
    for job in client.list("Job", labels=f"{SHIM_LABEL}={name},{OPERATION_LABEL}=uninstall"):
        client.delete("Job", job["metadata"]["name"], job["metadata"]["namespace"])
        wait_gone(client, "Job", job["metadata"]["name"], job["metadata"]["namespace"], patience)
    class_name = str((shim["spec"].get("runtimeClass") or {}).get("name"))
    owned_by = ((client.get("RuntimeClass", class_name) or {}).get("metadata") or {}).get("ownerReferences") or ()
    client.delete("Shim", name)
    wait_gone(client, "Shim", name, None, patience)
    if any(one.get("kind") == "Shim" for one in owned_by):
        wait_gone(client, "RuntimeClass", class_name, None, patience)

    def look() -> Seen[None]:
        marked = {one["metadata"]["name"]: _label(one, name) for one in client.list("Node") if _label(one, name)}
        failed = [node for node, value in marked.items() if value == FAILED]
        if failed:
            raise _failed(client, name, "uninstall", failed)
        return Seen(f"{named_nodes(list(marked))} to be cleaned" if marked else "clean", done=not marked)

    wait_until(tolerant(look, patience.clock), what=f"the removal of Shim `{name}`", patience=patience)


def _refuse_to_forget(client: KubeClient, shim: Manifest) -> None:
    name, selector = shim["metadata"]["name"], shim["spec"].get("nodeSelector") or {}
    lost = [
        str(node["metadata"]["name"])
        for node in client.list("Node")
        if _label(node, name) and not selector.items() <= (node["metadata"].get("labels") or {}).items()
    ]
    if lost:
        pairs = " ".join(f"{key}={value}" for key, value in selector.items())
        raise Refused(
            f"{named_nodes(lost)} still has `{name}` and no longer matches its Shim, so nothing would ever clean it",
            code="NodesWouldBeForgotten",
            hint=f"`kubectl label node {lost[0]} {pairs}`, then the same command again",
        )


def wait_provisioned(client: KubeClient, shim: Shim, nodes: Callable[[], tuple[Node, ...]], patience: Patience) -> None:
    """Wait until each node bears the Shim's label, and its kubelet lists the handler where it lists any.

    Raises:
        ServiceError: A node's Job failed, or a node is said to be provisioned and its containerd has no such runtime.
        TimedOut: Some nodes are not done; the message names them.
    """
    name = shim_name(shim)
    since: dict[str, float] = {}

    def look() -> Seen[None]:
        there = nodes()
        failed = [str(one["metadata"]["name"]) for one in there if _label(one, name) == FAILED]
        if failed:
            raise _failed(client, name, "install", failed)
        missing = [str(one["metadata"]["name"]) for one in there if _label(one, name) != PROVISIONED]
        idle = [str(one["metadata"]["name"]) for one in there if not_in_effect(one, name)]
        if not missing and idle:
            started = since.setdefault("idle", patience.clock.now())
            if patience.clock.now() - started >= EFFECT_SECONDS:
                raise _without_effect(name, idle)
            return Seen(f"{named_nodes(idle)}: `{name}` not in effect yet")
        return Seen(f"{len(there) - len(missing)} of {len(there)} nodes provisioned", done=not missing)

    wait_until(tolerant(look, patience.clock), what=f"Shim `{name}`", patience=patience)


def _clear_runtime_class(client: KubeClient, shim: Shim, owner: str) -> None:
    """Take our own RuntimeClass of another handler out of the way: one that exists is never changed by it."""
    live = client.get("RuntimeClass", shim.runtime_class)
    if live is None or live.get("handler") == shim_name(shim):
        return
    labels = live["metadata"].get("labels") or {}
    if (labels.get(MANAGED_BY), labels.get(PART_OF)) != (MANAGER, owner):
        raise Refused(
            f"the RuntimeClass `{shim.runtime_class}` has the handler `{live.get('handler')}` and is not ours; "
            "runtime-class-manager would leave it so",
            code="NotOurs",
            hint=f"`kubectl delete runtimeclass {shim.runtime_class}` if nobody uses it",
        )
    client.delete("RuntimeClass", shim.runtime_class)


def _refuse_foreign(live: Manifest, owner: str) -> None:
    labels = live["metadata"].get("labels") or {}
    if (labels.get(MANAGED_BY), labels.get(PART_OF)) != (MANAGER, owner):
        name = live["metadata"]["name"]
        raise Refused(
            f"there is a Shim `{name}` that aks-wasm did not make for `{owner}`",
            code="NotOurs",
            hint=f"its RuntimeClass may do: `kubectl get shim {name} --output yaml`; else have its owner delete it",
        )


def _failed(client: KubeClient, name: str, operation: str, nodes: list[str]) -> ServiceError:
    jobs = client.list("Job", labels=f"{SHIM_LABEL}={name},{OPERATION_LABEL}={operation}")
    place = jobs[0]["metadata"]["namespace"] if jobs else "rcm"
    return ServiceError(
        f"runtime-class-manager could not {operation} `{name}` on {named_nodes(nodes)}",
        code="ShimJobFailed",
        hint=f"`kubectl --namespace {place} logs --selector {SHIM_LABEL}={name} --all-containers` tells why",
    )


def _without_effect(name: str, nodes: list[str]) -> ServiceError:
    return ServiceError(
        f"runtime-class-manager says that it is done, but containerd of {named_nodes(nodes)} has no runtime `{name}`",
        code="BlockDropped",
        hint="its block is written under a plugin id that this containerd does not read: use the installer `daemonset`",
    )


def _label(node: Node, name: str) -> str | None:
    value = (node["metadata"].get("labels") or {}).get(name)
    return None if value is None else str(value)
