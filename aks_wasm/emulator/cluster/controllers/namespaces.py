"""Namespaces: what each one has from the start, and how one that is deleted is emptied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from aks_wasm.emulator.cluster.controllers.conditions import Condition, put
from aks_wasm.emulator.cluster.controllers.pods import is_going
from aks_wasm.emulator.cluster.controllers.work import Key, Notice
from aks_wasm.emulator.cluster.controllers.world import World
from aks_wasm.emulator.cluster.trees import Tree

PLURAL = "namespaces"
FINALIZER = "kubernetes"  # in spec.finalizers: the namespace may still have content
ROOT_CA = "kube-root-ca.crt"
_CA_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the"
    " internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of"
    " Kubernetes clusters."
)
_DONE = (
    Condition(
        "NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"
    ),
    Condition(
        "NamespaceDeletionGroupVersionParsingFailure",
        "False",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    Condition(
        "NamespaceDeletionContentFailure",
        "False",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
)

Content = list[tuple[str, Tree]]


class NamespaceController:
    """Gives living namespaces their service account and CA bundle, and takes the content of deleted ones away."""

    watches = ()

    def __init__(self, world: World, root_ca: str) -> None:
        """Start with nothing seen.

        Args:
            world: The store and the pace.
            root_ca: PEM of the CA that pods verify the API server with; empty: no bundle is handed out.
        """
        self._store = world.store
        self._root_ca = root_ca
        self._gone: set[str] = set()

    def keys(self, notice: Notice) -> Iterable[Key]:
        """A namespace; for an object, its namespace when that is going or lost something it always has."""
        metadata = notice.object["metadata"]
        if notice.plural == PLURAL:
            name = metadata["name"]
            if notice.kind == "DELETED":
                self._gone.add(name)
            else:
                self._gone.discard(name)
            return [Key("", name)]
        namespace = metadata.get("namespace")
        if not namespace:
            return []
        found = self._store.peek(PLURAL, namespace)
        if found is None:
            return [Key("", namespace)] if namespace in self._gone and notice.kind == "ADDED" else []
        essential = notice.plural in {"serviceaccounts", "configmaps"} and notice.kind != "ADDED"
        return [Key("", namespace)] if is_going(found) or essential else []

    def reconcile(self, key: Key) -> None:
        """Fill or empty one namespace."""
        found = self._store.peek(PLURAL, key.name)
        if found is None:
            if key.name in self._gone:
                self._empty(key.name)  # an event that came late, or content of one that had no finalizer
        elif is_going(found):
            self._end(key.name)
        else:
            self._furnish(key.name)

    def _furnish(self, name: str) -> None:
        def change(fresh: Tree) -> None:
            fresh["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
            fresh.setdefault("spec", {}).setdefault("finalizers", [FINALIZER])
            fresh.setdefault("status", {}).setdefault("phase", "Active")

        self._store.mutate(PLURAL, name, None, change)
        if self._store.peek("serviceaccounts", "default", name) is None:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
            self._store.create("serviceaccounts", account)
        if self._root_ca:
            self._put_bundle(name)

    def _put_bundle(self, namespace: str) -> None:
        def change(fresh: Tree) -> None:
            fresh["data"] = {"ca.crt": self._root_ca}

        if self._store.mutate("configmaps", ROOT_CA, namespace, change) is None:
            bundle = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": ROOT_CA,
                    "namespace": namespace,
                    "annotations": {"kubernetes.io/description": _CA_DESCRIPTION},
                },
                "data": {"ca.crt": self._root_ca},
            }
            self._store.create("configmaps", bundle)

    def _end(self, name: str) -> None:
        left = self._empty(name)
        if left:
            self._tell_what_is_left(name, left)
            return

        def change(fresh: Tree) -> None:
            rest = [one for one in fresh.get("spec", {}).get("finalizers") or [] if one != FINALIZER]
            fresh["spec"] = {**fresh.get("spec", {}), "finalizers": rest}

        self._store.mutate(PLURAL, name, None, change)

    def _empty(self, name: str) -> Content:
        """Delete what is in the namespace; return what stays for now."""
        for plural, obj in self._content(name):
            if not is_going(obj):
                self._store.delete(plural, obj["metadata"]["name"], name)
        return self._content(name)

    def _content(self, name: str) -> Content:
        return [(plural, obj) for plural in self._store.plurals() for obj in self._store.view(plural, name)]

    def _tell_what_is_left(self, name: str, left: Content) -> None:
        kinds = Counter(plural for plural, _ in left)
        finalizers = Counter(one for _, obj in left for one in obj["metadata"].get("finalizers") or [])
        resources = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(kinds.items()))
        rows = [
            *_DONE,
            Condition(
                "NamespaceContentRemaining", "True", "SomeResourcesRemain", f"Some resources are remaining: {resources}"
            ),
            _finalizers_left(finalizers),
        ]

        def change(fresh: Tree) -> None:
            status = fresh.setdefault("status", {})
            status["phase"] = "Terminating"
            for row in rows:
                put(status, row)

        self._store.mutate(PLURAL, name, None, change)


def _finalizers_left(finalizers: Counter[str]) -> Condition:
    kind = "NamespaceFinalizersRemaining"
    if not finalizers:
        return Condition(kind, "False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
    listed = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))
    text = f"Some content in the namespace has finalizers remaining: {listed}"
    return Condition(kind, "True", "SomeFinalizersRemain", text)
