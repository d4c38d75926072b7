"""Who asks for a RuntimeClass: workloads by their pod templates, pods by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aks_wasm.shims.labels import COMPONENT, MANAGED_BY, MANAGER, PART_OF, SYSTEM_NAMESPACE

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

TEMPLATED = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
_MAKE_PODS_AGAIN = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")  # a Job makes its pods once
_OURS_INSIDE = ("shim-probe", "shim-verify")
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class User:
    """An object that asks for a RuntimeClass.

    Attributes:
        kind: `Pod`, or one of TEMPLATED.
        runtime_class: The one that was asked about.
        runs: Whether it is a pod that has not ended.
        owner: The cluster's name in our marks, None when it is not ours.
        controlled: Whether something else made it, as a Deployment makes pods.
        ends: Whether it is being deleted.
        through: The RuntimeClass that it names, where that is another one with the same handler; else None.
        node: Where a pod is; None before it is anywhere.
    """

    kind: str
    namespace: str
    name: str
    runtime_class: str
    runs: bool
    owner: str | None
    controlled: bool = False
    ends: bool = False
    through: str | None = None
    node: str | None = None

    def __str__(self) -> str:
        place = f" in {self.namespace}" if self.namespace != "default" else ""
        by = f" through RuntimeClass {self.through}" if self.through else ""
        return f"{self.kind.lower()}/{self.name}{place}{by}"


def users_of(client: KubeClient, runtime_classes: Iterable[str]) -> tuple[User, ...]:
    """Return every workload and pod of the cluster that asks for one of these, our own probes apart.

    Ours are named as their handlers: whoever asks for that handler by a RuntimeClass of another name is one too.
    """
    asked = frozenset(runtime_classes)
    kinds = (*TEMPLATED, "Pod", "RuntimeClass")
    with ThreadPoolExecutor(len(kinds), thread_name_prefix="users") as threads:
        listed = dict(zip(kinds, threads.map(client.list, kinds), strict=True))
    meant = {str(live["metadata"]["name"]): str(live.get("handler")) for live in listed.pop("RuntimeClass")}
    meant = {name: handler for name, handler in meant.items() if handler in asked} | {name: name for name in asked}
    return tuple(
        _user(kind, thing, meant)
        for kind, things in listed.items()
        for thing in things
        if _pod_spec(kind, thing).get("runtimeClassName") in meant and not _is_probe(thing)
    )


def running(users: Iterable[User]) -> list[User]:
    """Return the pods among them that have not ended."""
    return [user for user in users if user.runs]


def asks(user: User) -> bool:
    """Return whether an object needs its RuntimeClass: a pod that runs, or something that will make pods again."""
    return user.runs or user.kind in _MAKE_PODS_AGAIN


def _user(kind: str, thing: Mapping[str, Any], meant: Mapping[str, str]) -> User:
    labels = thing["metadata"].get("labels") or {}
    named = str(_pod_spec(kind, thing)["runtimeClassName"])
    return User(
        kind=kind,
        namespace=str(thing["metadata"].get("namespace", "")),
        name=str(thing["metadata"]["name"]),
        runtime_class=meant[named],
        runs=kind == "Pod" and thing.get("status", {}).get("phase") not in _ENDED,
        owner=labels.get(PART_OF) if labels.get(MANAGED_BY) == MANAGER else None,
        controlled=bool(thing["metadata"].get("ownerReferences")),
        ends=thing["metadata"].get("deletionTimestamp") is not None,
        through=named if named != meant[named] else None,
        node=thing["spec"].get("nodeName") if kind == "Pod" else None,
    )


def _pod_spec(kind: str, thing: Mapping[str, Any]) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = thing.get("spec") or {}
    if kind == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    if kind == "Pod":
        return spec
    return (spec.get("template") or {}).get("spec") or {}


def _is_probe(thing: Mapping[str, Any]) -> bool:
    labels = thing["metadata"].get("labels") or {}
    return thing["metadata"].get("namespace") == SYSTEM_NAMESPACE and labels.get(COMPONENT) in _OURS_INSIDE
