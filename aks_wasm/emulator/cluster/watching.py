"""watch: changes as they come, from a resource version on, with bookmarks, in the form the client wants."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from aks_wasm.emulator.cluster import answers, conversion, tables
from aks_wasm.emulator.cluster.calls import Call
from aks_wasm.emulator.cluster.causes import forbidden
from aks_wasm.emulator.cluster.context import ApiContext
from aks_wasm.emulator.cluster.reading import matcher, metadata_only
from aks_wasm.emulator.cluster.selectors import Matcher
from aks_wasm.emulator.cluster.statuses import Expired, Invalid, TooLargeResourceVersion
from aks_wasm.emulator.cluster.subscription import Change, Follower
from aks_wasm.emulator.cluster.trees import Tree

BOOKMARK_SECONDS = 60.0
# A real server ends a watch without timeoutSeconds after 30 to 60 minutes.
_SHORTEST_SECONDS = 1800


@dataclass(frozen=True)
class _View:
    """How one watcher sees objects."""

    call: Call
    form: answers.Form
    matches: Matcher

    def event(self, kind: str, obj: Tree, *, first: bool = False) -> Tree:
        converted = conversion.outward(self.call.kind, obj)
        if self.form == "Table":
            meta = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            table = tables.table(self.call.kind, [converted], meta, self.call.text("includeObject"))
            # Only the first table of a watch names the columns.
            return {"type": kind, "object": table if first else table | {"columnDefinitions": None}}
        if self.form != "plain":
            return {"type": kind, "object": metadata_only(converted)}
        return {"type": kind, "object": converted}

    def change(self, change: Change) -> tuple[str, Tree] | None:
        """Return what a change means to a watcher with a selector, None when it is none of its business."""
        namespace = self.call.namespace
        if namespace and change.object["metadata"].get("namespace") != namespace:
            return None
        now = change.type != "DELETED" and self.matches(change.object)
        before = change.previous is not None and self.matches(change.previous)
        if now:
            return ("MODIFIED" if before else "ADDED"), change.object
        return ("DELETED", change.object) if before else None


async def watch(context: ApiContext, call: Call) -> web.StreamResponse:
    """Stream changes until the time is over, the client leaves or the server stops.

    Raises:
        Expired: The resource version to start from is no longer remembered; as an event of type ERROR once
            the stream has begun, so only raised for what can be seen before.
    """
    view = _View(call, answers.wanted_form(call.request), matcher(call))
    _check_options(call)
    follower, initial = _start(context, view)
    response = web.StreamResponse(headers=answers.standard_headers())
    response.content_type = "application/json"
    timeout = call.number("timeoutSeconds") or random.uniform(1, 2) * _SHORTEST_SECONDS  # noqa: S311
    try:
        await response.prepare(call.request)
        async with asyncio.timeout(timeout):
            async for event in _events(context, view, follower, initial):
                await response.write(json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
        await response.write_eof()
    except TimeoutError:
        await response.write_eof()
    except ConnectionResetError:
        pass
    finally:
        follower.close()
    return response


def _check_options(call: Call) -> None:
    if not call.flag("sendInitialEvents"):
        return
    if call.text("resourceVersionMatch") != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise Invalid("ListOptions", "", [forbidden("resourceVersionMatch", why)], group="meta.k8s.io")


def _start(context: ApiContext, view: _View) -> tuple[Follower, list[Tree]]:
    """Return the follower and the objects to begin with."""
    store, call = context.store, view.call
    plural = call.kind.stored_as
    since = call.number("resourceVersion") or 0
    if since > store.revision:
        raise TooLargeResourceVersion(since, store.revision)
    if since and not call.flag("sendInitialEvents"):
        if since < store.log.oldest:
            raise Expired(f"too old resource version: {since} ({store.log.oldest})")
        return store.log.follow([plural], since=since, for_client=True), []
    existing = [obj for obj in store.view(plural, call.namespace) if view.matches(obj)]
    wants_existing = "sendInitialEvents" not in call.request.query or call.flag("sendInitialEvents")
    return store.log.follow([plural], for_client=True), existing if wants_existing else []


async def _events(context: ApiContext, view: _View, follower: Follower, initial: list[Tree]) -> AsyncIterator[Tree]:
    first = True
    for obj in initial:
        yield view.event("ADDED", obj, first=first)
        first = False
    bookmarks = view.call.flag("allowWatchBookmarks")
    if bookmarks and view.call.flag("sendInitialEvents"):
        yield _bookmark(view, context.store.revision, {"k8s.io/initial-events-end": "true"})
    clock = asyncio.get_running_loop().time
    due = clock() + BOOKMARK_SECONDS  # also while changes pass by that this client is not told of
    waiting = asyncio.ensure_future(follower.next())
    try:
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=max(due - clock(), 0))
            if not done:
                due = clock() + BOOKMARK_SECONDS
                if bookmarks:
                    yield _bookmark(view, context.store.revision)
                continue
            change = waiting.result()
            if change is None:
                return
            told = view.change(change)
            if told is not None:
                yield view.event(*told, first=first)
                first = False
            waiting = asyncio.ensure_future(follower.next())
    finally:
        waiting.cancel()


def _bookmark(view: _View, revision: int, annotations: dict[str, str] | None = None) -> Tree:
    kind = view.call.kind
    meta: Tree = {"resourceVersion": str(revision), "creationTimestamp": None}
    if annotations:
        meta["annotations"] = annotations
    if view.form == "Table":
        empty = tables.table(kind, [], {"resourceVersion": str(revision)}, "None")
        bare = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
        return {"type": "BOOKMARK", "object": empty | {"rows": [{"cells": [], "object": bare}]}}
    return {"type": "BOOKMARK", "object": {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}}
