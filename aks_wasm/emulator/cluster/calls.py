"""One request to a resource: what its path, verb and query say (the RequestInfo of a real API server)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml
from aiohttp import web

from aks_wasm.emulator.cluster import json_bodies, protobuf
from aks_wasm.emulator.cluster.authentication import User
from aks_wasm.emulator.cluster.authorization import Attributes
from aks_wasm.emulator.cluster.kinds import Kind
from aks_wasm.emulator.cluster.resources import Kinds
from aks_wasm.emulator.cluster.statuses import BadRequest, UnknownPath, UnsupportedMediaType
from aks_wasm.emulator.cluster.trees import Tree

if TYPE_CHECKING:
    from aks_wasm.emulator.cluster.context import ApiContext

_TRUE = {"1", "true", "t", "T", "TRUE", "True"}
_READ = ("application/json", "application/yaml", protobuf.MEDIA)


@dataclass(frozen=True)
class Call:
    """A request to a kind.

    Attributes:
        request: The HTTP request.
        user: Who sends it.
        kind: Whose path it is.
        verb: As RBAC names it.
        namespace: None for cluster scope or all namespaces.
        name: `""` for the whole collection.
        subresource: `""` for the object itself.
    """

    request: web.Request
    user: User
    kind: Kind
    verb: str
    namespace: str | None = None
    name: str = ""
    subresource: str = ""

    def flag(self, name: str) -> bool:
        """Return a boolean of the query."""
        value = self.request.query.get(name)
        return value is not None and (value == "" or value in _TRUE)

    def text(self, name: str) -> str:
        """Return a text of the query, `""` when it is not there."""
        return self.request.query.get(name, "")

    def number(self, name: str) -> int | None:
        """Return an integer of the query, None when it is not there.

        Raises:
            BadRequest: It is no integer.
        """
        value = self.request.query.get(name)
        if value is None or value == "":
            return None
        try:
            return int(value)
        except ValueError as error:
            raise BadRequest(f'strconv.ParseInt: parsing "{value}": invalid syntax') from error

    def attributes(self) -> Attributes:
        """Return what RBAC is asked."""
        resource = f"{self.kind.resource}/{self.subresource}" if self.subresource else self.kind.resource
        namespace = self.name if self.kind.plural == "namespaces" and self.name else self.namespace or ""
        return Attributes(self.verb, self.kind.group, resource, namespace, self.name)

    async def body(self) -> Tree:
        """Return the object in the body: JSON, YAML or protobuf.

        Raises:
            BadRequest: It is not one object.
            UnsupportedMediaType: It is in another form.
        """
        media = self.request.content_type
        if media == protobuf.MEDIA:
            return protobuf.decoded_message(await self.request.read())
        if media not in {"application/json", "application/yaml", "application/octet-stream", ""}:
            raise UnsupportedMediaType(_READ)
        return parsed(await self.request.read(), as_yaml=media == "application/yaml")


def parsed(content: bytes, *, as_yaml: bool) -> Tree:
    """Return the JSON or YAML in a body.

    Raises:
        BadRequest: It is neither, or not an object.
    """
    try:
        value = yaml.load(content, _YAML_LOADER) if as_yaml else json_bodies.read(content)  # noqa: S506 - it is safe
    except (ValueError, yaml.YAMLError) as error:
        raise BadRequest(f"the object provided is unrecognized: couldn't get version/kind; {error}") from error
    if not isinstance(value, dict):
        raise BadRequest("the object provided is unrecognized: couldn't get version/kind; no object")
    document: Tree = value
    return document


class _PlainLoader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: what looks like a date stays text."""


_PlainLoader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_YAML_LOADER = _PlainLoader


def call_of(kinds: Kinds, user: User, request: web.Request) -> Call:
    """Read the path of a request to a resource.

    Raises:
        UnknownPath: Nothing is served there.
    """
    parts = request.path.strip("/").split("/")
    group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
    watching = bool(rest) and rest[0] == "watch"
    rest = rest[1:] if watching else rest
    namespace: str | None = None
    if len(rest) > 2 and rest[0] == "namespaces" and not (group == "" and rest[2] in {"status", "finalize"}):
        namespace, rest = rest[1], rest[2:]
    resource, name, subresource = (*rest, "", "", "")[:3]
    kind = kinds.find(group, version, resource)
    too_long = len(rest) > 3 and subresource != "proxy"
    if kind is None or too_long or (namespace and not kind.namespaced):
        raise UnknownPath
    if (subresource and subresource not in kind.subresources) or (name and kind.namespaced and not namespace):
        raise UnknownPath
    asked = Call(request, user, kind, "", namespace, name, subresource)
    verb = _verb(request.method, asked, watching=watching or asked.flag("watch"))
    return Call(request, user, kind, verb, namespace, name, subresource)


def _verb(method: str, call: Call, *, watching: bool) -> str:
    if method in {"GET", "HEAD"}:
        if watching and not call.subresource:
            return "watch"
        return "get" if call.name else "list"
    if method == "DELETE" and not call.name:
        return "deletecollection"
    return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(method, method.lower())


Handler = Callable[["ApiContext", Call], Awaitable[web.StreamResponse]]
