"""delete and deletecollection."""

from __future__ import annotations

from aiohttp import web

from aks_wasm.emulator.cluster import answers, conversion, crds
from aks_wasm.emulator.cluster.calls import Call
from aks_wasm.emulator.cluster.context import ApiContext
from aks_wasm.emulator.cluster.options import DeleteOptions
from aks_wasm.emulator.cluster.reading import listed, selected_page, shown
from aks_wasm.emulator.cluster.statuses import Conflict, NotFound, Rejected
from aks_wasm.emulator.cluster.trees import Tree

# Kinds whose deletion is answered with the object even when it is gone at once (registry's ReturnDeletedObject).
_RETURNED = frozenset(
    {"pods", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims", "resourcequotas"}
)
_KEPT_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})
_JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or "
    "set propagationPolicy=Orphan to suppress this warning"
)


async def delete(context: ApiContext, call: Call) -> web.Response:
    """Answer a DELETE of one object.

    Raises:
        NotFound: It is not there.
        Conflict: A precondition does not hold.
        Rejected: A namespace the cluster can't be without.
    """
    options = await _options(call)
    plural = call.kind.stored_as
    if plural == "namespaces" and call.name in _KEPT_NAMESPACES:
        raise Rejected(plural, call.name, "this namespace may not be deleted")
    old = context.store.get(plural, call.name, call.namespace)
    if old is None:
        raise NotFound(call.kind.plural, call.name)
    _check_preconditions(call, old, options)
    warnings = (_JOB_WARNING,) if plural == "jobs.batch" and options.propagation is None else ()
    after = remove(context, call, old, options)
    gone = context.store.peek(plural, call.name, call.namespace) is None
    if (gone or options.dry_run) and plural not in _RETURNED:
        return answers.document(_success(call, old), 200, warnings)
    return shown(call, conversion.outward(call.kind, after), 200, warnings)


def remove(context: ApiContext, call: Call, obj: Tree, options: DeleteOptions) -> Tree:
    """Delete one object of the call's kind and return its last state."""
    plural = call.kind.stored_as
    if options.dry_run:
        return obj
    # batch/v1 Jobs leave their pods behind unless told else (job strategy, for backward compatibility).
    default = "Orphan" if plural == "jobs.batch" else "Background"
    meta = obj["metadata"]
    after = context.store.delete(
        plural,
        meta["name"],
        meta.get("namespace"),
        propagation=options.propagation or default,
        grace_seconds=options.grace_seconds,
    )
    if plural == crds.PLURAL and context.store.peek(plural, meta["name"]) is None:
        crds.withdraw(context, obj)
    return after or obj


async def delete_collection(context: ApiContext, call: Call) -> web.Response:
    """Answer a DELETE of all selected objects of a collection with the list of them."""
    options = await _options(call)
    page = selected_page(context, call)
    items = [remove(context, call, obj, options) for obj in page.items]
    return answers.document(listed(call.kind, page, [conversion.outward(call.kind, item) for item in items]))


async def _options(call: Call) -> DeleteOptions:
    has_body = call.request.body_exists and call.request.content_length != 0
    return DeleteOptions.of(call, await call.body() if has_body else {})


def _check_preconditions(call: Call, obj: Tree, options: DeleteOptions) -> None:
    meta = obj["metadata"]
    if options.uid and options.uid != meta["uid"]:
        why = f"Precondition failed: UID in precondition: {options.uid}, UID in object meta: {meta['uid']}"
        raise Conflict(call.kind.plural, call.name, why)
    if options.revision and options.revision != meta["resourceVersion"]:
        why = (
            f"Precondition failed: ResourceVersion in precondition: {options.revision}, ResourceVersion in object "
            f"meta: {meta['resourceVersion']}"
        )
        raise Conflict(call.kind.plural, call.name, why)


def _success(call: Call, obj: Tree) -> Tree:
    details = {
        "name": call.name,
        "group": call.kind.group,
        "kind": call.kind.resource,
        "uid": obj["metadata"]["uid"],
    }
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
