"""Who owns what: controller references, and claiming orphans that match a selector."""

from __future__ import annotations

from collections.abc import Iterable

from aks_wasm.emulator.cluster.selectors import selects
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.cluster.trees import Tree


def controller_of(obj: Tree) -> Tree | None:
    """Return the owner reference that says `controller: true`, or None."""
    references = obj["metadata"].get("ownerReferences") or []
    return next((ref for ref in references if ref.get("controller")), None)


def is_controlled_by(obj: Tree, owner: Tree) -> bool:
    """Tell whether the object's controller is this owner (this very one, by uid)."""
    reference = controller_of(obj)
    return reference is not None and reference["uid"] == owner["metadata"]["uid"]


def controller_reference(owner: Tree) -> Tree:
    """Return the reference that a controller puts on what it makes for `owner`."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def claim(store: Store, plural: str, owner: Tree, selector: Tree | None) -> list[Tree]:
    """Return what `owner` controls, after adopting matching orphans and letting go what does not match.

    What is returned may be the store's own objects: never change them.

    Args:
        store: The cluster.
        plural: What to claim, in the owner's namespace.
        owner: The claiming object; one that is being deleted adopts nothing.
        selector: The owner's metav1.LabelSelector.
    """
    claimed: list[Tree] = []
    for obj in store.view(plural, owner["metadata"].get("namespace")):
        matching = selects(selector, obj["metadata"].get("labels"))
        if is_controlled_by(obj, owner):
            if matching:
                claimed.append(obj)
            else:
                _release(store, plural, obj, owner)
        elif matching and controller_of(obj) is None and not _is_going(owner) and not _is_going(obj):
            claimed += _adopted(store, plural, obj, owner)
    return claimed


def owned_by(objects: Iterable[Tree], owner: Tree) -> list[Tree]:
    """Return those whose controller is `owner`."""
    return [obj for obj in objects if is_controlled_by(obj, owner)]


def _is_going(obj: Tree) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def _adopted(store: Store, plural: str, obj: Tree, owner: Tree) -> list[Tree]:
    def change(fresh: Tree) -> None:
        fresh["metadata"].setdefault("ownerReferences", []).append(controller_reference(owner))

    fresh = store.mutate(plural, obj["metadata"]["name"], obj["metadata"].get("namespace"), change)
    return [] if fresh is None else [fresh]


def _release(store: Store, plural: str, obj: Tree, owner: Tree) -> None:
    def change(fresh: Tree) -> None:
        references = fresh["metadata"].get("ownerReferences") or []
        fresh["metadata"]["ownerReferences"] = [ref for ref in references if ref["uid"] != owner["metadata"]["uid"]]

    store.mutate(plural, obj["metadata"]["name"], obj["metadata"].get("namespace"), change)
