"""What happens to an object between defaulting and validation: the plugins that fill in and refuse."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from aks_wasm.emulator.cluster import addresses, defaults
from aks_wasm.emulator.cluster.admission_pods import admit_pod
from aks_wasm.emulator.cluster.causes import Cause
from aks_wasm.emulator.cluster.statuses import NotFound, Rejected
from aks_wasm.emulator.cluster.trees import Tree, dig, metadata

if TYPE_CHECKING:
    from aks_wasm.emulator.cluster.store import Store

_JOB_LABELS = ("batch.kubernetes.io/", "")  # labels come twice: with the prefix, and as they were before 1.27


def prepare(store: Store, plural: str, obj: Tree) -> None:
    """Default and admit a new object in place.

    Raises:
        Rejected: A plugin forbids it: a namespace that is going, an unknown RuntimeClass or PriorityClass.
        Invalid: A Service asks for an address that can't be given.
    """
    metadata(obj)["uid"] = str(uuid.uuid4())
    namespace = obj["metadata"].get("namespace")
    if namespace:
        _refuse_terminating(store, plural, obj, namespace)
    defaults.apply(plural, obj)
    admit = _ADMISSIONS.get(plural)
    if admit is not None:
        admit(store, obj)


def prepare_update(store: Store, plural: str, old: Tree, new: Tree) -> None:
    """Admit a changed object in place.

    Raises:
        Invalid: A Service asks for an address that can't be given.
    """
    if plural == "services":
        addresses.keep(old, new)
        if new["spec"].get("clusterIP") == old["spec"].get("clusterIP") or "clusterIP" not in old["spec"]:
            addresses.allocate(store, new)


def validate(store: Store, plural: str, old: Tree | None, new: Tree) -> list[str]:
    """Ask the cluster's guards about an object as it is to be stored; return what its writer is warned of.

    Raises:
        ApiFailure: One of them refuses it.
    """
    return [warning for guard in store.guards.values() for warning in guard(store, plural, old, new)]


def require_namespace(store: Store, plural: str, obj: Tree) -> None:
    """Refuse an object for a namespace that is not there.

    Raises:
        NotFound: The namespace is missing.
    """
    namespace = obj["metadata"].get("namespace")
    if namespace and plural != "namespaces" and store.peek("namespaces", namespace) is None:
        raise NotFound("namespaces", namespace)


def _refuse_terminating(store: Store, plural: str, obj: Tree, namespace: str) -> None:
    found = store.peek("namespaces", namespace)
    if found is None or "deletionTimestamp" not in found["metadata"]:
        return
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    cause = Cause("metadata.namespace", "NamespaceTerminating", f"namespace {namespace} is being terminated")
    raise Rejected(plural, obj["metadata"].get("name", ""), why, [cause])


def _admit_service(store: Store, obj: Tree) -> None:
    addresses.allocate(store, obj)
    obj.setdefault("status", {}).setdefault("loadBalancer", {})


def _admit_job(store: Store, obj: Tree) -> None:
    """Give a Job its selector and its pods the labels that go with it."""
    del store
    spec, meta = obj["spec"], obj["metadata"]
    if spec.get("manualSelector") or not isinstance(spec.get("template"), dict):
        return
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    for prefix in _JOB_LABELS:
        labels[f"{prefix}controller-uid"] = meta["uid"]
        labels[f"{prefix}job-name"] = meta["name"]
    # A Job without labels of its own shows those of its pods.
    if not meta.get("labels"):
        meta["labels"] = dict(labels)
    if not dig(spec, "selector", "matchLabels"):
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": meta["uid"]}}


def _admit_namespace(store: Store, obj: Tree) -> None:
    del store
    obj["spec"].setdefault("finalizers", ["kubernetes"])


_ADMISSIONS: Mapping[str, Callable[[Store, Tree], None]] = {
    "pods": admit_pod,
    "services": _admit_service,
    "jobs.batch": _admit_job,
    "namespaces": _admit_namespace,
}
