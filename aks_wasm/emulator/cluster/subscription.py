"""The stream of changes to a store: remembered for watches that resume, handed on to those who follow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from aks_wasm.emulator.cluster.trees import Tree, copied

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]
REMEMBERED = 10_000  # changes; etcd forgets by time (5 minutes), a rehearsal's cluster is small enough for this


@dataclass(frozen=True)
class Change:
    """One write.

    Attributes:
        revision: The resource version it made.
        plural: Whose object, for example `deployments.apps`.
        type: What happened.
        object: The object afterwards, or its last state when deleted. Shared: never change it.
        previous: The object before, or None. Shared as well.
    """

    revision: int
    plural: str
    type: ChangeType
    object: Tree
    previous: Tree | None


class Follower:
    """A queue of changes that one reader drains; `wanted` limits it to some plurals (empty: all)."""

    def __init__(self, wanted: frozenset[str], leave: Callable[[Follower], None], *, for_client: bool) -> None:
        self.wanted = wanted
        self.for_client = for_client
        self._leave = leave
        self._queue: deque[Change] = deque()
        self._awake = asyncio.Event()
        self._closed = False

    def push(self, change: Change) -> None:
        """Hand a change on when the reader wants its plural."""
        if not self.wanted or change.plural in self.wanted:
            self._queue.append(change)
            self._awake.set()

    async def next(self) -> Change | None:
        """Return the next change, waiting for it; None once closed."""
        while not self._queue:
            if self._closed:
                return None
            self._awake.clear()
            await self._awake.wait()
        return self._queue.popleft()

    def close(self) -> None:
        """Stop following; a reader that waits gets None."""
        self._closed = True
        self._queue.clear()
        self._awake.set()
        self._leave(self)


class Subscription:
    """An async iterator of (plural, "ADDED" | "MODIFIED" | "DELETED", object) with copies the reader owns."""

    def __init__(self, existing: Iterable[tuple[str, Tree]], follower: Follower) -> None:
        self._existing = deque(existing)
        self._follower = follower

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> tuple[str, ChangeType, dict[str, Any]]:
        if self._existing:
            plural, obj = self._existing.popleft()
            return plural, "ADDED", copied(obj)
        change = await self._follower.next()
        if change is None:
            raise StopAsyncIteration
        return change.plural, change.type, copied(change.object)

    def close(self) -> None:
        """End the iteration and forget what has not been read."""
        self._existing.clear()
        self._follower.close()


class ChangeLog:
    """The changes last made, and who follows them."""

    def __init__(self, start: int) -> None:
        """Begin at revision `start`; nothing before it can be resumed from."""
        self._changes: deque[Change] = deque(maxlen=REMEMBERED)
        self._followers: list[Follower] = []
        self._forgotten = start

    @property
    def oldest(self) -> int:
        """The earliest revision a watch can resume from."""
        return self._forgotten

    def append(self, change: Change) -> None:
        """Remember a change and hand it on."""
        if len(self._changes) == REMEMBERED:
            self._forgotten = self._changes[0].revision
        self._changes.append(change)
        for follower in self._followers:
            follower.push(change)

    def follow(self, plurals: Iterable[str] = (), *, since: int | None = None, for_client: bool = False) -> Follower:
        """Return a follower of what comes, preceded by what came after revision `since` when given."""
        follower = Follower(frozenset(plurals), self._leave, for_client=for_client)
        if since is not None:
            for change in self._changes:
                if change.revision > since:
                    follower.push(change)
        self._followers.append(follower)
        return follower

    def _leave(self, follower: Follower) -> None:
        if follower in self._followers:
            self._followers.remove(follower)

    def disconnect(self) -> None:
        """End the watches of clients; in-process subscriptions go on."""
        for follower in [one for one in self._followers if one.for_client]:
            follower.close()
