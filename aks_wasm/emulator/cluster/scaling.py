"""The scale subresource: an autoscaling/v1 Scale seen in the place of a Deployment, ReplicaSet or custom object."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from aks_wasm.emulator.cluster import answers
from aks_wasm.emulator.cluster.calls import Call
from aks_wasm.emulator.cluster.causes import invalid
from aks_wasm.emulator.cluster.columns import selector_text
from aks_wasm.emulator.cluster.context import ApiContext
from aks_wasm.emulator.cluster.options import WriteOptions
from aks_wasm.emulator.cluster.patching import patched
from aks_wasm.emulator.cluster.statuses import BadRequest, Conflict, Invalid, NotFound
from aks_wasm.emulator.cluster.trees import Tree, copied, dig
from aks_wasm.emulator.cluster.writing import Write, update_object


@dataclass(frozen=True)
class _Paths:
    """Where in an object its replicas are."""

    spec: tuple[str, ...]
    status: tuple[str, ...]
    selector: tuple[str, ...]


async def scale(context: ApiContext, call: Call) -> web.Response:
    """Answer a GET, PUT or PATCH of a scale.

    Raises:
        NotFound: The object is not there.
        Conflict: The Scale was made of an older version of it.
        Invalid: The number is negative.
    """
    obj = context.store.get(call.kind.stored_as, call.name, call.namespace)
    if obj is None:
        raise NotFound(call.kind.plural, call.name)
    paths = _paths(call)
    present = _scale_of(obj, paths)
    if call.verb == "get":
        return answers.document(present)
    if call.verb == "patch":
        asked = patched(call, present, call.request.content_type, await call.request.read())
    else:
        asked = await call.body()
    revision = dig(asked, "metadata", "resourceVersion")
    if revision not in {None, "", obj["metadata"]["resourceVersion"]}:
        raise Conflict(call.kind.plural, call.name)
    replicas = dig(asked, "spec", "replicas") or 0
    if not isinstance(replicas, int):
        raise BadRequest(
            f"json: cannot unmarshal {type(replicas).__name__} into Go struct field ScaleSpec.spec.replicas"
        )
    if replicas < 0:
        causes = [invalid("spec.replicas", replicas, "must be greater than or equal to 0")]
        raise Invalid("Scale", call.name, causes, group="autoscaling")
    new = copied(obj)
    _put(new, paths.spec, replicas)
    stored = update_object(Write(context, call, WriteOptions.of(call)), obj, new)
    return answers.document(_scale_of(stored, paths))


def _paths(call: Call) -> _Paths:
    if call.kind.definition is None:
        return _Paths(("spec", "replicas"), ("status", "replicas"), ("spec", "selector"))
    told = call.kind.definition["subresources"]["scale"]
    spec, status, selector = (
        tuple(filter(None, told.get(name, "").split(".")))
        for name in ("specReplicasPath", "statusReplicasPath", "labelSelectorPath")
    )
    return _Paths(spec, status, selector)


def _scale_of(obj: Tree, paths: _Paths) -> Tree:
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Tree = {"replicas": dig(obj, *paths.status) or 0}
    selector = dig(obj, *paths.selector) if paths.selector else None
    if selector:
        status["selector"] = selector if isinstance(selector, str) else selector_text(selector)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: meta[name] for name in kept if name in meta},
        "spec": {"replicas": dig(obj, *paths.spec) or 0},
        "status": status,
    }


def _put(obj: Tree, path: tuple[str, ...], value: int) -> None:
    for name in path[:-1]:
        obj = obj.setdefault(name, {})
    obj[path[-1]] = value
