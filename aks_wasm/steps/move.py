"""Workloads from one RuntimeClass to another by their pod templates: a rolling update each, no node is drained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import AksWasmError, Interrupted, WorkloadFailed
from aks_wasm.events import Warned
from aks_wasm.kube.conditions import wait_for
from aks_wasm.kube.rollouts import held_back
from aks_wasm.kube.runtime_users import User, users_of
from aks_wasm.steps.step import StepContext

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

MOVABLE = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")
"""Kinds whose template can be changed; a Job's can't, the next one made from the file has the new class."""

_READY = {"type": "Ready", "status": "True"}


@dataclass(frozen=True)
class MoveWorkloads:
    """Give pod templates another RuntimeClass and wait until the new pods are ready; on failure all go back.

    Attributes:
        classes: Old RuntimeClass -> new one.
        everybody: Whether workloads that are not ours move as well.
    """

    classes: Mapping[str, str]
    everybody: bool = False
    name: str = "workloads"
    depends_on: tuple[str, ...] = ()

    def describe(self) -> str:
        """Name the classes."""
        pairs = ", ".join(f"`{old}` to `{new}`" for old, new in sorted(self.classes.items()))
        return f"move {'workloads' if self.everybody else 'our workloads'} from {pairs}, by rolling updates"

    def run(self, context: StepContext) -> str | None:
        """Move one after the other.

        Raises:
            WorkloadFailed: One did not get ready with the new RuntimeClass; every one has its old one back.
        """
        client = context.connect()
        movable = [user for user in users_of(client, self.classes) if moves(user, context.spec.name, self.everybody)]
        moved: list[User] = []
        for user in movable:
            moved.append(user)
            context.on_state(f"moving {user}")
            try:
                set_class(client, user, self.classes[user.runtime_class])
                later = _wait(context, client, user)
            except Interrupted:
                raise  # the next run goes on from here
            except AksWasmError as error:
                _move_back(context, client, moved, self.classes)
                raise WorkloadFailed(
                    f"{user} does not get ready with `{self.classes[user.runtime_class]}`, "
                    f"so that it and all others have `{user.runtime_class}` back: {error.message}",
                    code=error.code,
                    hint=error.hint,
                    details=error.details,
                ) from error
            if later:
                context.emit(Warned(f"{user} has `{self.classes[user.runtime_class]}`, but {later}"))
        return ", ".join(map(str, moved)) or "none uses it"


def moves(user: User, owner: str, everybody: bool) -> bool:  # noqa: FBT001 - reads as it is asked
    """Return whether a user is one to move: ours, or anybody's when asked so; a RuntimeClass of its own it keeps."""
    return user.through is None and user.kind in MOVABLE and not user.controlled and (everybody or user.owner == owner)


def set_class(client: KubeClient, user: User, runtime_class: str) -> None:
    """Change the template's RuntimeClass."""
    change: dict[str, Any] = {"template": {"spec": {"runtimeClassName": runtime_class}}}
    if user.kind == "CronJob":
        change = {"jobTemplate": {"spec": change}}
    client.merge(user.kind, user.name, {"spec": change}, user.namespace, doing="move")


def _wait(context: StepContext, client: KubeClient, user: User) -> str | None:
    """Wait for the roll-out; return why there is none to wait for, or None."""
    if user.kind == "CronJob":
        return "a Job that runs keeps the old one: the next that it makes is the first to have it"
    live = client.get(user.kind, user.name, user.namespace)
    if live is None:
        return "it was deleted meanwhile"
    if (why := held_back(live)) is not None:
        return f"its pods keep the old one, since {why}"
    wait_for(client, live, context.patience())
    return None


def _move_back(context: StepContext, client: KubeClient, moved: Sequence[User], classes: Mapping[str, str]) -> None:
    for user in moved:
        try:
            set_class(client, user, user.runtime_class)
            if user.kind == "StatefulSet":
                _drop_stuck(client, user, classes[user.runtime_class])
            _wait(context, client, user)
        except AksWasmError as error:  # the first error is the one to tell
            context.emit(Warned(f"{user} has `{user.runtime_class}` back but is not ready: {error.message}"))


def _drop_stuck(client: KubeClient, user: User, runtime_class: str) -> None:
    """Delete the pods that did not get ready: a StatefulSet never replaces such a one, whatever its template says.

    (kubernetes.io, StatefulSets, "Forced rollback")
    """
    live = client.get(user.kind, user.name, user.namespace)
    uid = live["metadata"]["uid"] if live else None
    for pod in client.list("Pod", namespace=user.namespace):
        owners = pod["metadata"].get("ownerReferences") or ()
        ready = any(_READY.items() <= entry.items() for entry in pod.get("status", {}).get("conditions") or ())
        if any(o["uid"] == uid for o in owners) and pod["spec"].get("runtimeClassName") == runtime_class and not ready:
            client.delete("Pod", pod["metadata"]["name"], user.namespace)
