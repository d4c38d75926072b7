"""Shims by runtime-class-manager: its resources brought to what is wanted, and its work waited for.

Its ways that matter here, read in its sources at v0.2.0 and seen by others on AKS: a change of a Shim does not install
anew where a node's label says `provisioned`; a RuntimeClass of the name is left as it is; it works on all nodes at
once; a file that is being run it can't write over. So a change is a removal first, and that ends what runs: seen with
containerd 2.3, whose pods of a runtime that goes end with exit code 255 when it restarts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import Refused, ServiceError
from aks_wasm.events import Warned
from aks_wasm.kube.conditions import is_going
from aks_wasm.kube.matching import matches
from aks_wasm.kube.outages import tolerant
from aks_wasm.kube.runtime_users import User, running, users_of
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.labels import MANAGED_BY, MANAGER, PART_OF
from aks_wasm.shims.runtime_class_manager import (
    installs_alike,
    is_provisioned,
    not_in_effect,
    shim_name,
    shim_resource,
)
from aks_wasm.steps.move import moves
from aks_wasm.steps.shim_controller import named_nodes, refuse_in_vain, require_controller
from aks_wasm.steps.shim_jobs import failed_nodes, job_failure, tries_of, try_again
from aks_wasm.steps.shim_removal import remove_shim
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
        nodes: Returns the nodes to wait for.
        everybody: Whether workloads that are not ours are moved afterwards, when a version goes.
    """

    shims: tuple[Shim, ...]
    nodes: Callable[[], tuple[Node, ...]]
    everybody: bool = False
    name: str = "shim-resources"
    depends_on: tuple[str, ...] = ()

    def describe(self) -> str:
        """Name the shims."""
        named = ", ".join(f"{shim.name} {shim.version}" for shim in self.shims)
        return f"have runtime-class-manager put {named} on the nodes"

    def run(self, context: StepContext) -> str | None:
        """Apply what differs; what is changed goes first, since a change alone installs nothing.

        Raises:
            Refused: It is not there, its work would be in vain, or others ask for a version that would go.
            ServiceError: It gave up on a node, or containerd there has no such runtime.
            TimedOut: It did not report in time; the message names the nodes.
        """
        client, owner, changed = context.connect(), context.spec.name, 0
        require_controller(client)
        refuse_in_vain(self.shims, self.nodes())
        for shim in self.shims:
            wanted = shim_resource(shim, owner=owner)
            live = client.get("Shim", shim_name(shim))
            if live is not None:
                _refuse_foreign(live, owner)
                if matches(live, wanted) and not is_going(live):
                    changed += bool(try_again(client, shim_name(shim), self.nodes(), context.patience()))
                    continue
                self._make_way(context, live, wanted)
            _clear_runtime_class(client, shim, owner)
            client.apply(wanted)
            changed += 1
        for shim in self.shims:
            wait_provisioned(client, shim, self.nodes, context.patience())
        return f"{changed} of {len(self.shims)} changed"

    def _make_way(self, context: StepContext, live: Manifest, wanted: Manifest) -> None:
        """Remove a Shim that puts something else on the nodes; what that means for running pods is told."""
        if installs_alike(live, wanted) and not is_going(live):
            return
        client, name = context.connect(), str(live["metadata"]["name"])
        class_name = str(live["spec"]["runtimeClass"]["name"])
        users = users_of(client, (class_name,))
        if class_name != wanted["spec"]["runtimeClass"]["name"]:
            refuse_to_strand(users, context.spec.name, everybody=self.everybody)
        if (sentence := about_running(name, users)) is not None:
            context.emit(Warned(sentence))
        remove_shim(client, live, context.patience())


def about_running(name: str, users: Iterable[User]) -> str | None:
    """Return what the replacement of a Shim means for the pods that run through it; None when none does."""
    pods = running(users)
    if not pods:
        return None
    count = f"{len(pods)} running {'pod ends' if len(pods) == 1 else 'pods end'}"
    return (
        f"runtime-class-manager replaces `{name}` in place and on all nodes at once: {count}, "
        "and workloads get new ones only when the new version is there"
    )


def refuse_to_strand(users: Iterable[User], owner: str, *, everybody: bool) -> None:
    """Refuse to take a version away that others ask for: its RuntimeClass goes with it, and so does what runs.

    Args:
        users: Who asks for it.
        owner: The cluster's name.
        everybody: Whether workloads of others are moved to the new one, and pods that nothing makes again may go.

    Raises:
        Refused: Naming them.
    """
    if everybody:
        return
    left = [
        user
        for user in users
        if (moves(user, owner, everybody=True) and user.owner != owner)
        or (user.kind == "Pod" and user.runs and not user.controlled)
    ]
    if left:
        raise Refused(
            "runtime-class-manager keeps one version of a shim on a node, and others ask for the one that would go: "
            + ", ".join(map(str, left)),
            code="RuntimeInUse",
            hint="`aks-wasm runtime upgrade --all-workloads` moves workloads; a pod that nothing made ends for good",
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
        failed = failed_nodes(client, name, there)
        if failed:
            raise job_failure(client, name, "install", failed)
        missing = [str(one["metadata"]["name"]) for one in there if not is_provisioned(one, name)]
        idle = [str(one["metadata"]["name"]) for one in there if not_in_effect(one, name)]
        if not missing and idle:
            started = since.setdefault("idle", patience.clock.now())
            if patience.clock.now() - started >= EFFECT_SECONDS:
                raise _without_effect(name, idle)
            return Seen(f"{named_nodes(idle)}: `{name}` not in effect yet")
        tries = tries_of(client, name, there)
        return Seen(f"{len(there) - len(missing)} of {len(there)} nodes provisioned{tries}", done=not missing)

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


def _without_effect(name: str, nodes: list[str]) -> ServiceError:
    return ServiceError(
        f"runtime-class-manager says that it is done, but containerd of {named_nodes(nodes)} has no runtime `{name}`",
        code="BlockDropped",
        hint="its block is written under a plugin id that this containerd does not read: use the installer `daemonset`",
    )
