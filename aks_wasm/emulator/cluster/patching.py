"""patch: the four kinds of patches, each made into an update or a create."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from aks_wasm.emulator.cluster import conversion
from aks_wasm.emulator.cluster.apply import applied
from aks_wasm.emulator.cluster.calls import Call, parsed
from aks_wasm.emulator.cluster.causes import invalid
from aks_wasm.emulator.cluster.context import ApiContext
from aks_wasm.emulator.cluster.decoding import WrongType, decoded
from aks_wasm.emulator.cluster.field_paths import MissingKey
from aks_wasm.emulator.cluster.immutability import FIXED
from aks_wasm.emulator.cluster.options import APPLY_MEDIA, WriteOptions
from aks_wasm.emulator.cluster.patch_json import json_patched, merge_patched
from aks_wasm.emulator.cluster.patch_strategic import strategic_patched
from aks_wasm.emulator.cluster.reading import shown
from aks_wasm.emulator.cluster.schemas import node_of
from aks_wasm.emulator.cluster.statuses import (
    BadRequest,
    Conflict,
    Invalid,
    NotFound,
    ServerError,
    UnsupportedMediaType,
)
from aks_wasm.emulator.cluster.trees import Tree, copied, metadata
from aks_wasm.emulator.cluster.writing import Write, create_object, fill_custom, update_object

JSON_MEDIA = "application/json-patch+json"
MERGE_MEDIA = "application/merge-patch+json"
STRATEGIC_MEDIA = "application/strategic-merge-patch+json"


async def patch(context: ApiContext, call: Call) -> web.Response:
    """Answer a PATCH of an object or its status.

    Raises:
        ApiFailure: Whatever forbids it.
    """
    media = call.request.content_type
    known = [JSON_MEDIA, MERGE_MEDIA, STRATEGIC_MEDIA, APPLY_MEDIA]
    if call.kind.definition is not None:
        known.remove(STRATEGIC_MEDIA)
    if media not in known:
        raise UnsupportedMediaType(known)
    write = Write(context, call, WriteOptions.of(call))
    content = await call.request.read()
    old = context.store.get(call.kind.stored_as, call.name, call.namespace)
    if media == APPLY_MEDIA:
        stored, status = _apply(write, old, parsed(content, as_yaml=True))
    elif old is None:
        raise NotFound(call.kind.plural, call.name)
    else:
        stored, status = _patch(write, old, media, content), 200
    return shown(call, conversion.outward(call.kind, stored), status, tuple(write.warnings))


def _patch(write: Write, old: Tree, media: str, content: bytes) -> Tree:
    call = write.call
    seen = conversion.outward(call.kind, old)
    changed = patched(call, seen, media, content)
    try:
        read = decoded(node_of(call.kind), changed, loose=call.kind.definition is not None)
    except WrongType as error:
        raise Invalid("", "", [invalid("patch", json.dumps(changed), str(error))]) from error
    if read.unknown and write.options.validation != "Ignore":
        told = [f'unknown field "{path}"' for path in read.unknown]
        if write.options.validation == "Strict":
            why = "strict decoding error: " + ", ".join(told)
            causes = [invalid("patch", content.decode(errors="replace"), why)]
            raise Invalid("", "", causes)
        write.warnings += told
    fill_custom(call.kind, read.obj)
    new = conversion.inward(call.kind, read.obj)
    _check_name(call, new)
    uid = metadata(new).get("uid")
    if uid not in {None, "", old["metadata"]["uid"]}:
        raise Invalid(call.kind.kind, call.name, [invalid("metadata.uid", uid, FIXED)], group=call.kind.group)
    return update_object(write, old, new)


def patched(call: Call, obj: Tree, media: str, content: bytes) -> Tree:
    """Return a copy of the object with a JSON, merge or strategic merge patch done.

    Raises:
        BadRequest: The patch can't be read.
        PatchRejected: It does not fit.
    """
    try:
        asked: Any = json.loads(content)
    except ValueError as error:
        raise BadRequest(f"error decoding patch: {error}") from error
    if media == JSON_MEDIA:
        return json_patched(obj, asked)
    if not isinstance(asked, dict):
        raise BadRequest("json: cannot unmarshal array into Go value of type map[string]interface {}")
    if media == STRATEGIC_MEDIA:
        return strategic_patched(node_of(call.kind), obj, asked)
    merged: Tree = merge_patched(copied(obj), asked)
    return merged


def _check_name(call: Call, obj: Tree) -> None:
    name = metadata(obj).get("name")
    if name != call.name:
        raise BadRequest(f"the name of the object ({name}) does not match the name on the URL ({call.name})")


def _apply(write: Write, old: Tree | None, config: Tree) -> tuple[Tree, int]:
    call, kind = write.call, write.call.kind
    config = _configuration(write, config)
    if old is not None:
        revision = config["metadata"].pop("resourceVersion", None)
        if revision not in {None, "", old["metadata"]["resourceVersion"]}:
            raise Conflict(kind.plural, call.name)
    node = node_of(kind)
    manager = write.options.applier(call)
    try:
        new = applied(node, old or {}, config, manager, force=write.options.force)
    except MissingKey as error:
        raise ServerError(f"failed to create typed patch object ({_told(call, config)}): {error}") from error
    fill_custom(kind, new)
    if old is None:
        if call.subresource:
            raise NotFound(kind.plural, call.name)
        return create_object(write, new), 201
    new = decoded(node, new).obj
    return update_object(write, old, new, track=False), 200


def _configuration(write: Write, config: Tree) -> Tree:
    """Return the part of an applied configuration that this endpoint takes."""
    call, kind = write.call, write.call.kind
    for name in ("apiVersion", "kind"):
        if not config.get(name):
            raise BadRequest(f"invalid object type: {name} not set")
    if (config["apiVersion"], config["kind"]) != (kind.api_version, kind.kind):
        raise BadRequest(f"invalid object type: {_group_version(config['apiVersion'])}, Kind={config['kind']}")
    if metadata(config).get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    metadata(config).setdefault("name", call.name)
    _check_name(call, config)
    obj = _typed(call, config)
    if kind.namespaced:
        metadata(obj).setdefault("namespace", call.namespace)
    if call.subresource == "status":
        kept = {"apiVersion", "kind", "metadata", "status"}
        return {key: value for key, value in obj.items() if key in kept}
    if "status" in kind.subresources:
        obj.pop("status", None)
    return obj


def _typed(call: Call, config: Tree) -> Tree:
    """Return the configuration as the type knows it; a field it does not know is an error even without Strict."""
    try:
        read = decoded(node_of(call.kind), config)
    except WrongType as error:
        raise ServerError(f"failed to create typed patch object ({_told(call, config)}): {error}") from error
    if read.unknown:
        lines = [f".{path}: field not declared in schema" for path in read.unknown]
        told = lines[0] if len(lines) == 1 else "errors:\n" + "\n".join(f"  {line}" for line in lines)
        raise ServerError(f"failed to create typed patch object ({_told(call, config)}): {told}")
    read.obj.setdefault("metadata", {})
    return read.obj


def _told(call: Call, config: Tree) -> str:
    place = f"{metadata(config).get('namespace', '')}/{call.name}"
    return f"{place}; {_group_version(call.kind.api_version)}, Kind={call.kind.kind}"


def _group_version(api_version: str) -> str:
    """Return it as Go prints a group and version: the core group is an empty one."""
    return api_version if "/" in api_version else f"/{api_version}"
