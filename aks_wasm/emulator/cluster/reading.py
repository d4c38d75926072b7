"""get and list: single objects and collections, selected, paged, in the form the client wants."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from aks_wasm.emulator.cluster import answers, conversion, tables
from aks_wasm.emulator.cluster.calls import Call
from aks_wasm.emulator.cluster.context import ApiContext
from aks_wasm.emulator.cluster.kinds import Kind
from aks_wasm.emulator.cluster.pages import Page, Position, paged, place
from aks_wasm.emulator.cluster.selectors import Matcher, field_matcher, label_matcher
from aks_wasm.emulator.cluster.statuses import BadRequest, NotFound, TooLargeResourceVersion
from aks_wasm.emulator.cluster.trees import Tree


def get(context: ApiContext, call: Call) -> web.Response:
    """Answer a GET of one object.

    Raises:
        NotFound: It is not there.
    """
    found = context.store.peek(call.kind.stored_as, call.name, call.namespace)
    if found is None:
        raise NotFound(call.kind.plural, call.name)
    return shown(call, conversion.outward(call.kind, found))


def shown(call: Call, obj: Tree, status: int = 200, warnings: tuple[str, ...] = ()) -> web.Response:
    """Answer with one object in the form the client wants."""
    form = answers.wanted_form(call.request)
    if form == "Table":
        meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return answers.document(tables.table(call.kind, [obj], meta, call.text("includeObject")), status, warnings)
    if form != "plain":
        return answers.document(metadata_only(obj), status, warnings)
    return answers.document(obj, status, warnings)


def list_objects(context: ApiContext, call: Call) -> web.Response:
    """Answer a GET of a collection."""
    page = selected_page(context, call)
    form = answers.wanted_form(call.request)
    meta = page.metadata()
    if form == "Table":
        items = [conversion.outward(call.kind, item) for item in page.items]
        return answers.document(tables.table(call.kind, items, meta, call.text("includeObject")))
    kind = call.kind
    if form != "plain":
        bare = [metadata_only(item) for item in page.items]
        return answers.document(
            {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": bare}
        )
    return answers.document(listed(kind, page, [_listed(kind, item) for item in page.items]))


def listed(kind: Kind, page: Page, items: list[Tree]) -> Tree:
    """Return the list of a kind that has these items."""
    # Untyped lists have the token, empty or not.
    meta = ({"continue": ""} if kind.definition is not None else {}) | page.metadata()
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": items}


def _listed(kind: Kind, obj: Tree) -> Tree:
    converted = conversion.outward(kind, obj)
    if kind.definition is not None:
        return converted
    # Typed lists don't repeat apiVersion and kind in their items.
    return {key: value for key, value in converted.items() if key not in {"apiVersion", "kind"}}


def metadata_only(obj: Tree) -> Tree:
    """Return the object as metav1.PartialObjectMetadata."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }


def selected_page(context: ApiContext, call: Call) -> Page:
    """Return the page of the collection that the query asks for.

    Raises:
        BadRequest: A selector, limit or token can't be read.
        Expired: The token has grown too old.
        TooLargeResourceVersion: The client has seen the future.
    """
    store = context.store
    asked = call.number("resourceVersion") or 0
    if asked > store.revision:
        raise TooLargeResourceVersion(asked, store.revision)
    limit = call.number("limit") or 0
    if limit < 0:
        raise BadRequest(f"limit: Invalid value: {limit}: must be greater than or equal to 0")
    matches = matcher(call)
    items = [obj for obj in store.view(call.kind.stored_as, call.namespace) if matches(obj)]
    revision = store.revision
    if token := call.text("continue"):
        position = Position.read(token, store.log.oldest)
        items = [obj for obj in items if place(obj) > position.after]
        revision = position.revision
    filtered = bool(call.text("labelSelector") or call.text("fieldSelector"))
    return paged(items, limit, revision, filtered=filtered)


def matcher(call: Call) -> Matcher:
    """Return whether an object is one of those the query selects.

    Raises:
        BadRequest: A selector can't be read.
    """
    tests: list[Callable[[Tree], bool]] = []
    if labels := call.text("labelSelector"):
        tests.append(label_matcher(labels))
    if fields := call.text("fieldSelector"):
        tests.append(field_matcher(call.kind.stored_as, fields))
    if call.name:
        tests.append(lambda obj: bool(obj["metadata"]["name"] == call.name))

    def matches(obj: Tree) -> bool:
        return all(test(obj) for test in tests)

    return matches
