"""From a request to its handler: path templates without regard to case, what a handler gets and gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aks_wasm.emulator.arm.context import Arm
    from aks_wasm.emulator.faults import Fault
    from aks_wasm.emulator.identity import Principal

_PLACEHOLDER = re.compile(r"\{(\w+)(\*?)\}")


@dataclass(frozen=True)
class Call:
    """A request that has passed the front door.

    Attributes:
        method: The HTTP method.
        path: The path as sent.
        query: Query parameters, names in lower case.
        raw_query: The query as sent, byte for byte.
        headers: Request headers, names in lower case.
        body: The JSON body; empty when there was none.
        caller: Who asks.
        params: What the path template's placeholders matched.
        outcome: The fault that befalls the operation this request starts, or None.
    """

    method: str
    path: str
    query: Mapping[str, str]
    raw_query: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    caller: Principal
    params: Mapping[str, str] = field(default_factory=dict)
    outcome: Fault | None = None

    def __getitem__(self, name: str) -> str:
        """Return what placeholder `name` matched."""
        return self.params[name]

    @property
    def api_version(self) -> str:
        """The version asked for; the front door has checked that there is one."""
        return self.query.get("api-version", "")


@dataclass(frozen=True)
class Reply:
    """An answer below 400.

    Attributes:
        status: The HTTP status.
        body: A JSON document, or None for an empty body.
        headers: Beside those that every answer has.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[["Arm", Call], Reply]


@dataclass(frozen=True)
class Versions:
    """The api-versions of one kind of resource.

    Attributes:
        namespace: Its provider, for example `Microsoft.ContainerService`; empty for Resource Manager's own.
        kind: Its type within the provider, for example `managedClusters`.
        known: The versions, oldest first; empty when the query is checked by the handler.
    """

    namespace: str
    kind: str
    known: Sequence[str]


@dataclass(frozen=True)
class Route:
    """One kind of request.

    Attributes:
        method: The HTTP method.
        template: `/subscriptions/{subscription}/...`; `{scope*}` matches any number of segments.
        handler: Answers it.
        versions: Which api-versions it takes.
        action: What a role must grant for it, for example `Microsoft.Resources/tags/write`; empty for reads.
    """

    method: str
    template: str
    handler: Handler
    versions: Versions
    action: str = ""


class Router:
    """All routes of the emulated Resource Manager; the first that matches wins."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [(_pattern(route.template), route) for route in routes]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route of a request and what its placeholders matched, or None."""
        for pattern, route in self._routes:
            if route.method == method and (match := pattern.fullmatch(path)):
                return route, match.groupdict()
        return None


def _pattern(template: str) -> re.Pattern[str]:
    text, end = "", 0
    for match in _PLACEHOLDER.finditer(template):
        literal = re.escape(template[end : match.start()])
        text += f"{literal}(?P<{match[1]}>{'.*?' if match[2] else '[^/]+'})"
        end = match.end()
    return re.compile(text + re.escape(template[end:]) + "/?", re.IGNORECASE)
