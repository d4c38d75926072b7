"""The objects of one cluster: what etcd and the API server's registry are to a real one."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aks_wasm.emulator.cluster import admission, events
from aks_wasm.emulator.cluster.guards import Guard
from aks_wasm.emulator.cluster.kinds import WITHOUT_GENERATION
from aks_wasm.emulator.cluster.statuses import AlreadyExists, Conflict, NotFound, Rejected
from aks_wasm.emulator.cluster.subscription import Change, ChangeLog, ChangeType, Subscription
from aks_wasm.emulator.cluster.trees import Tree, copied, metadata, now
from aks_wasm.emulator.state import Documents

__all__ = ["AlreadyExists", "Conflict", "NotFound", "Rejected", "Store", "Subscription"]

# Revisions are handed out from blocks whose end is on disk: a restart never hands one out twice.
_REVISION_BLOCK = 1000
_FIRST_REVISION = 100
_DEFAULT_POD_GRACE_SECONDS = 30
_PROPAGATION_FINALIZERS = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


class Store:
    """Kubernetes objects by plural (`pods`, `deployments.apps`), namespace and name.

    Everything in the emulator's process goes through it: API server, controllers, node agents. What a method
    hands out is the caller's own copy, unless it says so.
    """

    def __init__(self, documents: Documents, collection_prefix: str) -> None:
        """Load the cluster from the collections of that prefix."""
        self._documents = documents
        self._prefix = collection_prefix
        self._objects: dict[str, dict[str, Tree]] = {}
        start = f"{collection_prefix}/objects/"
        for collection in documents.collections(start):
            self._objects[collection.removeprefix(start)] = dict(documents.items(collection))
        kept = documents.get(f"{collection_prefix}/meta", "revision")
        self._revision = kept["end"] if kept else _FIRST_REVISION
        self._revision_end = self._revision
        self.log = ChangeLog(self._revision)
        self.guards: dict[str, Guard] = {}  # by name, who else judges what clients and controllers write

    @property
    def revision(self) -> int:
        """The resource version of the last write."""
        return self._revision

    def get(self, plural: str, name: str, namespace: str | None = None) -> Tree | None:
        """Return the object, or None."""
        found = self.peek(plural, name, namespace)
        return None if found is None else copied(found)

    def list(self, plural: str, namespace: str | None = None) -> list[Tree]:
        """Return the objects of a plural (of one namespace when given) by namespace and name."""
        return [copied(obj) for obj in self.view(plural, namespace)]

    def peek(self, plural: str, name: str, namespace: str | None = None) -> Tree | None:
        """Return the stored object itself, or None; the caller must not change it."""
        return self._objects.get(plural, {}).get(_key(namespace, name))

    def view(self, plural: str, namespace: str | None = None) -> tuple[Tree, ...]:
        """Return the stored objects themselves, ordered; the caller must not change them."""
        held = self._objects.get(plural, {})
        keys = held if namespace is None else (key for key in held if key.startswith(f"{namespace}/"))
        return tuple(held[key] for key in sorted(keys))

    def secret(self) -> bytes:
        """Return the cluster's own random key, made when it is first asked for; tokens are signed with it."""
        kept = self._documents.get(f"{self._prefix}/meta", "secret")
        if kept is None:
            kept = {"key": secrets.token_hex(32)}
            self._documents.put(f"{self._prefix}/meta", "secret", kept)
        return bytes.fromhex(kept["key"])

    def plurals(self) -> tuple[str, ...]:
        """Return the plurals of which objects exist."""
        return tuple(plural for plural, held in self._objects.items() if held)

    def create(self, plural: str, obj: Tree) -> Tree:
        """Default, admit and store a new object; fills name, uid, times, versions.

        Raises:
            AlreadyExists: There is one of that name.
            Rejected: Admission forbids it, for example an unknown RuntimeClass or a namespace that is going.
        """
        prepared = copied(obj)
        admission.prepare(self, plural, prepared)
        return self.insert(plural, prepared)

    def insert(self, plural: str, obj: Tree, *, dry_run: bool = False) -> Tree:
        """Store an object that has been defaulted and admitted; `dry_run` stops just before writing.

        Raises:
            AlreadyExists: There is one of that name.
        """
        obj = copied(obj)
        meta = metadata(obj)
        key = _key(meta.get("namespace"), meta["name"])
        if key in self._objects.get(plural, {}):
            raise AlreadyExists(plural, meta["name"])
        meta.setdefault("uid", str(uuid.uuid4()))
        meta["creationTimestamp"] = now()
        if plural not in WITHOUT_GENERATION:
            meta["generation"] = 1
        for gone in ("deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "selfLink"):
            meta.pop(gone, None)
        if not dry_run:
            self._write(plural, key, obj, "ADDED", None)
        return copied(obj)

    def replace(self, plural: str, obj: Tree, *, dry_run: bool = False, whole: bool = False) -> Tree:
        """Put an object in the place of its older self; nothing is written when nothing differs.

        The last finalizer's going ends an object that is being deleted.
        With `whole` a status that has no path of its own counts for the generation, too.

        Raises:
            NotFound: There is none of that name.
            Conflict: The object carries a resourceVersion that is not the present one, or another uid.
        """
        obj = copied(obj)
        meta = metadata(obj)
        key = _key(meta.get("namespace"), meta["name"])
        old = self._objects.get(plural, {}).get(key)
        if old is None:
            raise NotFound(plural, meta["name"])
        _check_identity(plural, meta, old["metadata"])
        for name in (
            "uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds",
            "resourceVersion",
        ):  # fmt: skip
            if name in old["metadata"]:
                meta[name] = old["metadata"][name]
            else:
                meta.pop(name, None)
        if obj == old:
            return obj
        changed = _content(obj) != _content(old) or (whole and obj.get("status") != old.get("status"))
        if "generation" in meta and changed:
            meta["generation"] += 1
        if dry_run:
            return obj
        if _ends(plural, obj):
            self._remove(plural, key, obj)
            return copied(obj)
        self._write(plural, key, obj, "MODIFIED", old)
        return copied(obj)

    def mutate(self, plural: str, name: str, namespace: str | None, change: Callable[[Tree], None]) -> Tree | None:
        """Let `change` alter the object in place and store it; None when it is not there.

        No write and no event when nothing changed.
        """
        obj = self.get(plural, name, namespace)
        if obj is None:
            return None
        change(obj)
        return self.replace(plural, obj)

    def delete(
        self,
        plural: str,
        name: str,
        namespace: str | None = None,
        *,
        propagation: str = "Background",
        grace_seconds: int | None = None,
    ) -> Tree | None:
        """Delete the object as the API server does; None when it is not there.

        Finalizers, a node that must stop the pod first, and a namespace's content keep it with a
        deletionTimestamp; `finish_delete` or the last finalizer's removal ends it.

        Args:
            plural: Whose object.
            name: Its name.
            namespace: Its namespace, None for cluster-scoped ones.
            propagation: Background, Foreground or Orphan; what the garbage collector does with dependents.
            grace_seconds: For pods; None is the pod's own terminationGracePeriodSeconds.
        """
        obj = self.get(plural, name, namespace)
        if obj is None:
            return None
        meta = metadata(obj)
        grace = _grace(plural, obj, grace_seconds)
        finalizer = _PROPAGATION_FINALIZERS.get(propagation)
        if finalizer and finalizer not in meta.setdefault("finalizers", []):
            meta["finalizers"].append(finalizer)
        if not meta.get("finalizers"):
            meta.pop("finalizers", None)
        current = meta.get("deletionGracePeriodSeconds")
        if current is None or grace < current:
            meta["deletionTimestamp"] = (datetime.now(UTC) + timedelta(seconds=grace)).strftime("%Y-%m-%dT%H:%M:%SZ")
            meta["deletionGracePeriodSeconds"] = grace
            if "generation" in meta:
                meta["generation"] += 1
        if plural == "namespaces":
            obj.setdefault("status", {})["phase"] = "Terminating"
        key = _key(meta.get("namespace"), name)
        old = self._objects[plural][key]
        if _ends(plural, obj):
            self._remove(plural, key, obj)
        elif obj != old:
            self._write(plural, key, obj, "MODIFIED", old)
        return copied(obj)

    def finish_delete(self, plural: str, name: str, namespace: str | None = None) -> None:
        """Remove the object for good, whatever finalizers it has; nothing happens when it is not there."""
        key = _key(namespace, name)
        old = self._objects.get(plural, {}).get(key)
        if old is not None:
            self._remove(plural, key, copied(old))

    def subscribe(self, *plurals: str) -> Subscription:
        """Follow some plurals (none given: all): ADDED for every object there is, then every change."""
        follower = self.log.follow(plurals)
        wanted = plurals or self.plurals()
        return Subscription([(plural, obj) for plural in wanted for obj in self.view(plural)], follower)

    def record_event(
        self,
        involved: Tree,
        reason: str,
        message: str,
        *,
        type: str = "Normal",  # noqa: A002 - the field's name
        component: str = "kubelet",
    ) -> None:
        """Write a v1 Event about an object; the same event again raises count and lastTimestamp."""
        events.record(self, involved, events.Happening(reason, message, type, component))

    def _write(self, plural: str, key: str, obj: Tree, kind: ChangeType, old: Tree | None) -> None:
        revision = self._next_revision()
        obj["metadata"]["resourceVersion"] = str(revision)
        self._documents.put(self._collection(plural), key, obj)
        stored = copied(obj)
        self._objects.setdefault(plural, {})[key] = stored
        self.log.append(Change(revision, plural, kind, stored, old))

    def _remove(self, plural: str, key: str, obj: Tree) -> None:
        revision = self._next_revision()
        self._documents.delete(self._collection(plural), key)
        old = self._objects[plural].pop(key)
        obj["metadata"]["resourceVersion"] = str(revision)
        self.log.append(Change(revision, plural, "DELETED", copied(obj), old))

    def _collection(self, plural: str) -> str:
        return f"{self._prefix}/objects/{plural}"

    def _next_revision(self) -> int:
        if self._revision == self._revision_end:
            self._revision_end += _REVISION_BLOCK
            self._documents.put(f"{self._prefix}/meta", "revision", {"end": self._revision_end})
        self._revision += 1
        return self._revision


def _key(namespace: str | None, name: str) -> str:
    return f"{namespace or ''}/{name}"


def _content(obj: Tree) -> dict[str, Any]:
    return {key: value for key, value in obj.items() if key not in {"metadata", "status"}}


def _check_identity(plural: str, meta: Tree, old: Tree) -> None:
    if meta.get("resourceVersion") not in {None, "", old["resourceVersion"]}:
        raise Conflict(plural, old["name"])
    if meta.get("uid") not in {None, "", old["uid"]}:
        why = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {old['uid']}"
        raise Conflict(plural, old["name"], why)


def _grace(plural: str, obj: Tree, asked: int | None) -> int:
    """Seconds a pod may take to stop; unscheduled and finished pods get none (pod strategy of k8s)."""
    if plural != "pods":
        return 0
    spec, status = obj.get("spec", {}), obj.get("status", {})
    if not spec.get("nodeName") or status.get("phase") in {"Succeeded", "Failed"}:
        return 0
    if asked is not None:
        return max(asked, 0)
    return int(spec.get("terminationGracePeriodSeconds", _DEFAULT_POD_GRACE_SECONDS))


def _ends(plural: str, obj: Tree) -> bool:
    """Whether an object with this metadata is to go now."""
    meta = obj["metadata"]
    if "deletionTimestamp" not in meta or meta.get("finalizers"):
        return False
    if plural == "namespaces" and obj.get("spec", {}).get("finalizers"):
        return False
    return bool(meta.get("deletionGracePeriodSeconds", 0) == 0)
