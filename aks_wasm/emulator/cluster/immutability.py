"""What an update may not change, and what of it is not the client's to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from aks_wasm.emulator.cluster.causes import Cause, forbidden, invalid
from aks_wasm.emulator.cluster.kinds import Kind
from aks_wasm.emulator.cluster.trees import Tree, copied, dig

FIXED = "field is immutable"
_RBAC = "rbac.authorization.k8s.io"
_POD_MAY_CHANGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_STATEFUL_SET_MAY_CHANGE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip


def restrict(kind: Kind, subresource: str, old: Tree, new: Tree) -> None:
    """Put back what this endpoint does not let clients change, in place: the status, or all but the status."""
    if subresource == "status":
        status = new.get("status")
        managed = new.get("metadata", {}).get("managedFields")
        revision = new.get("metadata", {}).get("resourceVersion")
        new.clear()
        new.update(copied(old))
        if status is not None:
            new["status"] = status
        if managed is not None:
            new["metadata"]["managedFields"] = managed
        if revision is not None:
            new["metadata"]["resourceVersion"] = revision
    elif "status" in kind.subresources:
        new.pop("status", None)
        if "status" in old:
            new["status"] = copied(old["status"])


def problems(kind: Kind, old: Tree, new: Tree) -> list[Cause]:
    """Return what an update changes that it may not."""
    check = _CHECKS.get(kind.stored_as)
    return [*_finalizers(old, new), *(check(old, new) if check is not None else ())]


def _finalizers(old: Tree, new: Tree) -> Iterator[Cause]:
    before, after = (obj["metadata"].get("finalizers") or () for obj in (old, new))
    added = sorted(set(after) - set(before))
    if added and "deletionTimestamp" in old["metadata"]:
        listed = ", ".join(f'"{name}"' for name in added)
        why = "no new finalizers can be added if the object is being deleted, found new finalizers"
        yield forbidden("metadata.finalizers", f"{why} []string{{{listed}}}")


def _unchanged(*paths: str) -> Callable[[Tree, Tree], Iterator[Cause]]:
    def check(old: Tree, new: Tree) -> Iterator[Cause]:
        for path in paths:
            before, after = dig(old, *path.split(".")), dig(new, *path.split("."))
            if before != after:
                yield invalid(path, after, FIXED)

    return check


def _pod(old: Tree, new: Tree) -> Iterator[Cause]:
    def fixed(obj: Tree) -> Tree:
        spec: Tree = copied(obj["spec"])
        for name in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates"):
            spec.pop(name, None)
        for field in ("containers", "initContainers"):
            for container in spec.get(field) or ():
                container.pop("image", None)
        return spec

    before, after = old["spec"].get("tolerations") or [], new["spec"].get("tolerations") or []
    if fixed(old) != fixed(new):
        yield forbidden("spec", _POD_MAY_CHANGE)
    elif any(toleration not in after for toleration in before):
        yield forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")


def _service(old: Tree, new: Tree) -> Iterator[Cause]:
    before, after = old["spec"], new["spec"]
    if "ExternalName" in {before.get("type"), after.get("type")} or not before.get("clusterIP"):
        return
    if after.get("clusterIP") != before["clusterIP"]:
        yield invalid("spec.clusterIPs[0]", [after.get("clusterIP", "")], "may not change once set")


def _stateful_set(old: Tree, new: Tree) -> Iterator[Cause]:
    def fixed(obj: Tree) -> Tree:
        return {key: value for key, value in obj["spec"].items() if key not in _STATEFUL_SET_MAY_CHANGE}

    if fixed(old) != fixed(new):
        *first, last = (f"'{name}'" for name in _STATEFUL_SET_MAY_CHANGE)
        listed = f"{', '.join(first)} and {last}"
        yield forbidden("spec", f"updates to statefulset spec for fields other than {listed} are forbidden")


def _job(old: Tree, new: Tree) -> Iterator[Cause]:
    yield from _unchanged("spec.selector", "spec.completionMode", "spec.podFailurePolicy")(old, new)
    before, after = old["spec"], new["spec"]
    if before.get("completions") != after.get("completions") and before.get("completionMode") != "Indexed":
        yield invalid("spec.completions", after.get("completions"), FIXED)
    # A suspended Job that never started may still be steered to other nodes.
    steerable = before.get("suspend") and not dig(old, "status", "startTime")
    if before.get("template") != after.get("template") and not steerable:
        yield invalid("spec.template", after.get("template"), FIXED)


def _held_data(old: Tree, new: Tree) -> Iterator[Cause]:
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        yield forbidden("immutable", "field is immutable when `immutable` is set")
    for field in ("data", "binaryData"):
        if old.get(field) != new.get(field):
            yield forbidden(field, "field is immutable when `immutable` is set")


def _secret(old: Tree, new: Tree) -> Iterator[Cause]:
    yield from _unchanged("type")(old, new)
    yield from _held_data(old, new)


def _role_binding(old: Tree, new: Tree) -> Iterator[Cause]:
    if old.get("roleRef") != new.get("roleRef"):
        yield invalid("roleRef", new.get("roleRef"), "cannot change roleRef")


def _claim(old: Tree, new: Tree) -> Iterator[Cause]:
    def fixed(obj: Tree) -> Tree:
        return {key: value for key, value in obj["spec"].items() if key not in {"resources", "volumeName"}}

    if fixed(old) != fixed(new):
        why = "resources.requests and volumeAttributesClassName for bound claims"
        yield forbidden("spec", f"spec is immutable after creation except {why}")


def _priority_class(old: Tree, new: Tree) -> Iterator[Cause]:
    if old.get("value") != new.get("value"):
        yield forbidden("value", "may not be changed in an update.")


_CHECKS: Mapping[str, Callable[[Tree, Tree], Iterator[Cause]]] = {
    "pods": _pod,
    "services": _service,
    "deployments.apps": _unchanged("spec.selector"),
    "replicasets.apps": _unchanged("spec.selector"),
    "daemonsets.apps": _unchanged("spec.selector"),
    "statefulsets.apps": _stateful_set,
    "jobs.batch": _job,
    "runtimeclasses.node.k8s.io": _unchanged("handler"),
    "configmaps": _held_data,
    "secrets": _secret,
    f"rolebindings.{_RBAC}": _role_binding,
    f"clusterrolebindings.{_RBAC}": _role_binding,
    "persistentvolumeclaims": _claim,
    "priorityclasses.scheduling.k8s.io": _priority_class,
    "customresourcedefinitions.apiextensions.k8s.io": _unchanged("spec.group", "spec.names.plural"),
    "storageclasses.storage.k8s.io": _unchanged("provisioner", "parameters", "reclaimPolicy"),
}
