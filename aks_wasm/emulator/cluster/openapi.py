"""/openapi/v3 and /openapi/v2: the field schemas as kubectl reads them for explain, apply and validation."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aiohttp import web

from aks_wasm.emulator.cluster import answers
from aks_wasm.emulator.cluster.kinds import Kind
from aks_wasm.emulator.cluster.resources import Kinds
from aks_wasm.emulator.cluster.schemas import Node, built_in, node_of
from aks_wasm.emulator.cluster.statuses import NotAcceptable, UnknownPath

_V3 = "#/components/schemas/"
_V2 = "#/definitions/"
_PREFIX = "io.k8s.api."  # before our type names; clients show the last part only
_SCALARS: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer", "format": "int32"},
    "boolean": {"type": "boolean"},
    "number": {"type": "number", "format": "double"},
    "time": {"type": "string", "format": "date-time"},
    "bytes": {"type": "string", "format": "byte"},
    "quantity": {"type": "string"},
    "int-or-string": {"type": "string", "format": "int-or-string"},
}
# kubectl computes strategic merge patches by this document only where the PATCH operation takes them.
_PATCH_MEDIA = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")


def answer(kinds: Kinds, request: web.Request, path: str) -> web.Response:
    """Answer a GET below /openapi/.

    Raises:
        UnknownPath: There is no such document.
        NotAcceptable: The client takes the protobuf form only.
    """
    if path == "/openapi/v2":
        accept = request.headers.get("Accept", "")
        if "protobuf" in accept and "json" not in accept:
            raise NotAcceptable(["application/json"])
        return answers.document(_Writer(_V2).v2(kinds))
    if path == "/openapi/v3":
        return answers.document({"paths": _index(kinds)})
    below = path.removeprefix("/openapi/v3/")
    for group, version in _versions(kinds):
        if below == _place(group, version):
            return _cacheable(request, _Writer(_V3).v3(kinds, group, version))
    raise UnknownPath


def _versions(kinds: Kinds) -> list[tuple[str, str]]:
    return list(dict.fromkeys((kind.group, kind.version) for kind in kinds))


def _place(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _index(kinds: Kinds) -> dict[str, Any]:
    paths = {}
    for group, version in _versions(kinds):
        place = _place(group, version)
        definitions = [str(kind.definition) for kind in kinds if (kind.group, kind.version) == (group, version)]
        digest = hashlib.sha256("".join([place, *definitions]).encode()).hexdigest().upper()
        paths[place] = {"serverRelativeURL": f"/openapi/v3/{place}?hash={digest}"}
    return paths


def _cacheable(request: web.Request, document: dict[str, Any]) -> web.Response:
    response = answers.document(document)
    digest = hashlib.sha256(json.dumps(document).encode()).hexdigest().upper()
    response.headers["ETag"] = f'"{digest}"'
    if request.query.get("hash"):
        # The hash in the URL changes with the content, so the answer to it never does.
        response.headers["Cache-Control"] = "public, immutable"
    return response


class _Writer:
    """Writes one document; the schemas met on the way are collected."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._schemas: dict[str, Any] = {}

    def v3(self, kinds: Kinds, group: str, version: str) -> dict[str, Any]:
        served = [kind for kind in kinds if (kind.group, kind.version) == (group, version)]
        paths: dict[str, Any] = {}
        for kind in served:
            paths |= self._paths(kind)
        return {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": "unversioned"},
            "paths": paths,
            "components": {"schemas": self._schemas},
        }

    def v2(self, kinds: Kinds) -> dict[str, Any]:
        paths: dict[str, Any] = {}
        for kind in kinds:
            paths |= self._paths(kind)
        return {
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": "unversioned"},
            "paths": paths,
            "definitions": self._schemas,
        }

    def _paths(self, kind: Kind) -> dict[str, Any]:
        root = f"/{_place(kind.group, kind.version)}/"
        place = f"{root}namespaces/{{namespace}}/{kind.resource}" if kind.namespaced else f"{root}{kind.resource}"
        reference = {"$ref": self._prefix + self._whole(kind)}
        paths = {
            place: self._item(kind, {"get": "list", "post": "post", "delete": "deletecollection"}, reference),
            f"{place}/{{name}}": self._item(
                kind, {"get": "get", "put": "put", "patch": "patch", "delete": "delete"}, reference
            ),
        }
        if kind.namespaced:
            paths[f"{root}{kind.resource}"] = self._item(kind, {"get": "list"}, reference)
        return {where: item for where, item in paths.items() if item}

    def _item(self, kind: Kind, methods: dict[str, str], reference: dict[str, str]) -> dict[str, Any]:
        verbs = {"post": "create", "put": "update"}
        return {
            method: self._operation(kind, action, reference)
            for method, action in methods.items()
            if verbs.get(action, action) in kind.verbs
        }

    def _operation(self, kind: Kind, action: str, reference: dict[str, str]) -> dict[str, Any]:
        writes = action in {"post", "put", "patch"}
        names = (*_WRITE_PARAMETERS, *(["force"] if action == "patch" else [])) if writes else ()
        text: dict[str, Any] = {"type": "string", "uniqueItems": True}
        if self._prefix == _V3:
            parameters = [{"name": name, "in": "query", "schema": text} for name in names]
            content: dict[str, Any] = {"content": {"application/json": {"schema": reference}}}
        else:
            parameters = [{"name": name, "in": "query", **text} for name in names]
            content = {"schema": reference}
        body: dict[str, Any] = (
            {"requestBody": {"content": {media: {"schema": {}} for media in _patch_media(kind)}}}
            if action == "patch"
            else {}
        )
        return {
            **body,
            "operationId": f"{action}{kind.group.title().replace('.', '')}{kind.version.title()}{kind.kind}",
            "parameters": parameters,
            "responses": {"200": {"description": "OK", **content}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": _gvk(kind),
        }

    def _whole(self, kind: Kind) -> str:
        """Write the schema of a kind and return its name."""
        node = node_of(kind)
        if kind.definition is None:
            name = self._named(node)
        else:
            name = ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])
            self._schemas[name] = self._struct(node)
        self._schemas[name]["x-kubernetes-group-version-kind"] = [_gvk(kind)]
        return name

    def _named(self, node: Node) -> str:
        name = _PREFIX + node.name
        if name not in self._schemas:
            self._schemas[name] = {}
            # A field's own description overrides its type's, so the type is looked up anew.
            self._schemas[name] |= self._struct(built_in(node.name))
        return name

    def _struct(self, node: Node) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object"}
        if node.description:
            schema["description"] = node.description
        if node.fields:
            schema["properties"] = {name: self._schema(field) for name, field in node.fields.items()}
        if node.required:
            schema["required"] = list(node.required)
        if node.atomic:
            schema["x-kubernetes-map-type"] = "atomic"
        if node.open_fields:
            schema["x-kubernetes-preserve-unknown-fields"] = True
        return schema

    def _schema(self, node: Node) -> dict[str, Any]:
        described = {"description": node.description} if node.description else {}
        if node.shape == "scalar":
            return {**_SCALARS[node.name], **described}
        if node.shape == "list":
            return {"type": "array", "items": self._schema(node.item), **described, **_list_extensions(node)}
        if node.shape == "map":
            return {"type": "object", "additionalProperties": self._schema(node.item), **described}
        if node.shape == "any":
            return described
        retained = {"x-kubernetes-patch-strategy": "retainKeys"} if node.retain_keys else {}
        if built_in(node.name).shape != "struct":
            return {**self._struct(node), **described}
        reference = {"$ref": self._prefix + self._named(node)}
        if self._prefix == _V2:
            return {**reference, **described, **retained}
        return {"allOf": [reference], "default": {}, **described, **retained}


def _patch_media(kind: Kind) -> tuple[str, ...]:
    return _PATCH_MEDIA if kind.definition is None else _PATCH_MEDIA[:-1]


def _list_extensions(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"x-kubernetes-list-type": "map" if node.keys else "set" if node.is_set else "atomic"}
    if node.keys:
        found["x-kubernetes-list-map-keys"] = list(node.keys)
    if node.merge is not None:
        found["x-kubernetes-patch-strategy"] = "merge,retainKeys" if node.retain_keys else "merge"
        if node.merge:
            found["x-kubernetes-patch-merge-key"] = node.merge
    return found


def _gvk(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}
