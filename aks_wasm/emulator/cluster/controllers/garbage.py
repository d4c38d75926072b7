"""Garbage collection by ownerReferences: what has no owner left goes; owners wait for theirs, or let them go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from aks_wasm.emulator.cluster.controllers.pods import is_going
from aks_wasm.emulator.cluster.controllers.work import Key, Notice
from aks_wasm.emulator.cluster.controllers.world import World
from aks_wasm.emulator.cluster.trees import Tree

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_IGNORED = frozenset({"events", "leases.coordination.k8s.io"})  # as the real one ignores events: they own nothing


class Place(NamedTuple):
    """Where an object is in the store."""

    plural: str
    name: str
    namespace: str | None


class GarbageCollector:
    """Keeps a graph of owners and dependents by uid; a key's name is the uid to look at."""

    watches = ()

    def __init__(self, world: World) -> None:
        self._store = world.store
        self._places: dict[str, Place] = {}
        self._owners: dict[str, frozenset[str]] = {}
        self._dependents: dict[str, set[str]] = defaultdict(set)

    def keys(self, notice: Notice) -> Iterable[Key]:
        """An object that may have lost its owners, owners that may have lost a dependent, or a waiting owner."""
        if notice.plural in _IGNORED:
            return []
        metadata = notice.object["metadata"]
        uid = metadata["uid"]
        before = self._owners.get(uid, frozenset())
        if notice.kind == "DELETED":
            self._forget(uid)
            return [Key("", other) for other in (*self._dependents.pop(uid, ()), *before)]
        now = frozenset(reference["uid"] for reference in metadata.get("ownerReferences") or [])
        self._places[uid] = Place(notice.plural, metadata["name"], metadata.get("namespace"))
        self._own(uid, now)
        waits = is_going(notice.object) and {FOREGROUND, ORPHAN} & set(metadata.get("finalizers") or [])
        lost = [Key("", owner) for owner in before - now]
        return [*lost, Key("", uid)] if now or waits else lost

    def reconcile(self, key: Key) -> None:
        """Look at one object: free it, delete it, or let it go on."""
        place = self._places.get(key.name)
        obj = self._store.peek(*place) if place else None
        if place is None or obj is None or obj["metadata"]["uid"] != key.name:
            return
        finalizers = obj["metadata"].get("finalizers") or []
        if is_going(obj) and ORPHAN in finalizers:
            self._set_dependents_free(key.name)
            self._finish(place, ORPHAN)
        elif is_going(obj) and FOREGROUND in finalizers:
            self._delete_dependents(key.name, place)
        elif not is_going(obj):
            self._judge(obj, place)

    def _own(self, uid: str, owners: frozenset[str]) -> None:
        for owner in self._owners.get(uid, frozenset()) - owners:
            self._dependents[owner].discard(uid)
        for owner in owners:
            self._dependents[owner].add(uid)
        self._owners[uid] = owners

    def _forget(self, uid: str) -> None:
        self._own(uid, frozenset())
        self._owners.pop(uid, None)
        self._places.pop(uid, None)

    def _judge(self, obj: Tree, place: Place) -> None:
        references = obj["metadata"].get("ownerReferences") or []
        owners = {reference["uid"]: self._owner(reference["uid"], place) for reference in references}
        solid = {uid for uid, owner in owners.items() if owner and not _waits_for_dependents(owner)}
        if not references or len(solid) == len(owners):
            return
        if solid:
            self._store.mutate(*place, lambda fresh: _keep_references(fresh, solid))
            return
        waiting = any(owner is not None for owner in owners.values())
        self._delete(obj["metadata"]["uid"], place, foreground=waiting)

    def _owner(self, uid: str, dependent: Place) -> Tree | None:
        """Return the living owner; one in another namespace does not count."""
        place = self._places.get(uid) or self._search(uid)
        if place is None or place.namespace not in {None, dependent.namespace}:
            return None
        owner = self._store.peek(*place)
        return owner if owner is not None and owner["metadata"]["uid"] == uid else None

    def _search(self, uid: str) -> Place | None:
        """Look for an owner the graph has not heard of yet, before its dependent is deleted."""
        for plural in self._store.plurals():
            for obj in self._store.view(plural):
                if obj["metadata"]["uid"] == uid:
                    return Place(plural, obj["metadata"]["name"], obj["metadata"].get("namespace"))
        return None

    def _set_dependents_free(self, uid: str) -> None:
        for dependent in sorted(self._dependents.get(uid, ())):
            self._store.mutate(*self._places[dependent], lambda fresh: _drop_reference(fresh, uid))

    def _delete_dependents(self, uid: str, place: Place) -> None:
        blocking = False
        for dependent in sorted(self._dependents.get(uid, ())):
            obj = self._store.peek(*self._places[dependent])
            if obj is None:
                continue
            references = obj["metadata"].get("ownerReferences") or []
            others = [row["uid"] for row in references if row["uid"] != uid]
            if any(self._owner(other, self._places[dependent]) for other in others):
                self._store.mutate(*self._places[dependent], lambda fresh: _drop_reference(fresh, uid))
                continue
            if not is_going(obj):
                self._delete(dependent, self._places[dependent], foreground=True)
            still = self._store.peek(*self._places[dependent])
            blocking |= still is not None and any(
                row["uid"] == uid and row.get("blockOwnerDeletion") for row in references
            )
        if not blocking:
            self._finish(place, FOREGROUND)

    def _delete(self, uid: str, place: Place, *, foreground: bool) -> None:
        has_dependents = bool(self._dependents.get(uid))
        propagation = "Foreground" if foreground and has_dependents else "Background"
        self._store.delete(*place, propagation=propagation)

    def _finish(self, place: Place, finalizer: str) -> None:
        def change(fresh: Tree) -> None:
            rest = [one for one in fresh["metadata"].get("finalizers") or [] if one != finalizer]
            if rest:
                fresh["metadata"]["finalizers"] = rest
            else:
                fresh["metadata"].pop("finalizers", None)

        self._store.mutate(*place, change)


def _waits_for_dependents(owner: Tree) -> bool:
    return is_going(owner) and FOREGROUND in (owner["metadata"].get("finalizers") or [])


def _keep_references(obj: Tree, uids: set[str]) -> None:
    references = obj["metadata"].get("ownerReferences") or []
    obj["metadata"]["ownerReferences"] = [reference for reference in references if reference["uid"] in uids]


def _drop_reference(obj: Tree, uid: str) -> None:
    references = obj["metadata"].get("ownerReferences") or []
    rest = [reference for reference in references if reference["uid"] != uid]
    if rest:
        obj["metadata"]["ownerReferences"] = rest
    else:
        obj["metadata"].pop("ownerReferences", None)
