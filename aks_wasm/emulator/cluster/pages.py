"""Lists in pages: `limit`, the `continue` token, and when such a token has grown too old."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

from aks_wasm.emulator.cluster.statuses import BadRequest, Expired
from aks_wasm.emulator.cluster.trees import Tree


@dataclass(frozen=True)
class Page:
    """One page of a list.

    Attributes:
        items: What is on it.
        revision: The resource version of the whole list.
        token: For the next page, None on the last.
        remaining: How many objects come after it; None when a selector makes that unknown.
    """

    items: Sequence[Tree]
    revision: int
    token: str | None = None
    remaining: int | None = None

    def metadata(self) -> Tree:
        """Return the list's `metadata`."""
        meta: Tree = {"resourceVersion": str(self.revision)}
        if self.token is not None:
            meta["continue"] = self.token
            if self.remaining is not None:
                meta["remainingItemCount"] = self.remaining
        return meta


@dataclass(frozen=True)
class Position:
    """Where a `continue` token goes on: after the object of that namespace and name, in that revision."""

    revision: int
    after: tuple[str, str]

    def token(self) -> str:
        """Return the opaque text clients hand back."""
        text = json.dumps({"v": "meta.k8s.io/v1", "rv": self.revision, "start": "/".join(self.after)})
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, token: str, oldest: int) -> Position:
        """Read a token.

        Raises:
            BadRequest: It is none of ours.
            Expired: It is older than revision `oldest`.
        """
        try:
            content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            namespace, _, name = content["start"].partition("/")
            position = cls(int(content["rv"]), (namespace, name))
        except (binascii.Error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadRequest("continue key is not valid: illegal base64 data at input byte 0") from error
        if position.revision < oldest:
            raise Expired(
                "The provided continue parameter is too old to display a consistent list result. You can "
                "start a new list without the continue parameter, or use the continue token in this response "
                "to retrieve the remainder of the results. Continuing with the provided token results in an "
                "inconsistent list - objects that were created, modified, or deleted between the time the "
                "first chunk was returned and now may show up in the list."
            )
        return position


def place(obj: Tree) -> tuple[str, str]:
    """Return where an object stands in the order of lists."""
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def paged(items: Sequence[Tree], limit: int, revision: int, *, filtered: bool) -> Page:
    """Cut the first `limit` objects off (0: all of them)."""
    if not limit or len(items) <= limit:
        return Page(items, revision)
    shown = items[:limit]
    remaining = None if filtered else len(items) - limit
    return Page(shown, revision, Position(revision, place(shown[-1])).token(), remaining)
