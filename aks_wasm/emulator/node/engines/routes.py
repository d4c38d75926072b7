"""Which route answers a path: exact before wildcard, the longest first (Spin's http trigger)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from aks_wasm.emulator.node.engines.spin_manifest import HttpRoute


@dataclass(frozen=True)
class RouteMatch:
    """A path that a route answers.

    Attributes:
        route: The route.
        trailing: What a trailing `/...` stands for; empty for an exact route.
        named: What each `:name` stands for.
    """

    route: HttpRoute
    trailing: str
    named: dict[str, str] = field(default_factory=dict)

    @property
    def pattern(self) -> str:
        """The route as matched: absolute, without a slash at its end."""
        return normal_route(self.route.route)

    @property
    def prefix(self) -> str:
        """The route without its trailing wildcard."""
        return self.pattern.removesuffix("/...")

    @property
    def raw_prefix(self) -> str:
        """The route as the manifest has it, without its trailing wildcard."""
        return self.route.route.removesuffix("/...")


def match_route(routes: Iterable[HttpRoute], path: str) -> RouteMatch | None:
    """Return the best match, or None."""
    found = [(score, match) for route in routes if (scored := _match(route, path)) for score, match in (scored,)]
    return max(found, key=lambda row: row[0])[1] if found else None


def normal_route(route: str) -> str:
    """Return the route with a slash in front and none at its end."""
    return ("/" + route.removeprefix("/")).removesuffix("/")


def _match(route: HttpRoute, path: str) -> tuple[tuple[int, int, int], RouteMatch] | None:
    pattern = normal_route(route.route)
    wildcard = pattern.endswith(("/...", "/*"))
    steps = [step for step in pattern.removesuffix("/...").removesuffix("/*").split("/") if step]
    parts = [part for part in path.split("/") if part]
    if len(parts) < len(steps) or (len(parts) > len(steps) and not wildcard):
        return None
    named = {}
    for step, part in zip(steps, parts, strict=False):
        if step.startswith(":"):
            named[step[1:]] = part
        elif step != part:
            return None
    trailing = _trailing(parts[len(steps) :], path) if wildcard else ""
    score = (0 if wildcard else 1, len(steps), len(steps) - len(named))
    return score, RouteMatch(route, trailing, named)


def _trailing(rest: list[str], path: str) -> str:
    slash = "/" if path.endswith("/") else ""
    return "/" + "/".join(rest) + slash if rest else slash
