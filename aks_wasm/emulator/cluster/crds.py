"""CustomResourceDefinitions: established as soon as they are stored, served until they are gone."""

from __future__ import annotations

from aks_wasm.emulator.cluster import custom_schemas
from aks_wasm.emulator.cluster.context import ApiContext
from aks_wasm.emulator.cluster.trees import Tree, now

PLURAL = "customresourcedefinitions.apiextensions.k8s.io"


def establish(context: ApiContext, crd: Tree) -> Tree:
    """Serve what a stored definition describes and say so in its status; returns it as it is now stored."""
    context.kinds.define(crd)

    def accept(obj: Tree) -> None:
        names = obj["spec"]["names"]
        status = obj.setdefault("status", {})
        status["acceptedNames"] = names
        status["storedVersions"] = [version["name"] for version in obj["spec"]["versions"] if version.get("storage")]
        if not status.get("conditions"):
            status["conditions"] = [
                _condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                _condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ]

    return context.store.mutate(PLURAL, crd["metadata"]["name"], None, accept) or crd


def serve_stored(context: ApiContext) -> None:
    """Serve every definition there is, for example after a restart."""
    for crd in context.store.view(PLURAL):
        context.kinds.define(crd)


def unchecked(crd: Tree) -> list[str]:
    """Return the warning for whoever stores a definition with rules that nothing here looks at."""
    versions = (crd.get("spec") or {}).get("versions") or ()
    words = sorted(set().union(*(custom_schemas.unchecked(custom_schemas.schema_of(one)) for one in versions)))
    return [f"the aks-wasm emulator does not look at {', '.join(words)} of schemas"] if words else []


def withdraw(context: ApiContext, crd: Tree) -> None:
    """Serve a deleted definition no longer; its objects go with it."""
    context.kinds.undefine(crd)
    plural = f"{crd['spec']['names']['plural']}.{crd['spec']['group']}"
    for obj in context.store.view(plural):
        context.store.finish_delete(plural, obj["metadata"]["name"], obj["metadata"].get("namespace"))


def _condition(kind: str, reason: str, message: str) -> Tree:
    return {"type": kind, "status": "True", "lastTransitionTime": now(), "reason": reason, "message": message}
