"""Tags at a scope: a subscription, a resource group or a cluster."""

from __future__ import annotations

from aks_wasm.emulator.arm import locks, versions
from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.errors import GatewayError
from aks_wasm.emulator.arm.inventory import CLUSTERS, GROUPS, find, save
from aks_wasm.emulator.arm.names import key_of
from aks_wasm.emulator.arm.routing import Call, Reply, Route

_SUFFIX = "/providers/Microsoft.Resources/tags/default"
_COLLECTION = "arm.tags"


def _read(arm: Arm, scope: str) -> Document:
    for collection in (GROUPS, CLUSTERS):
        if (document := find(arm, collection, scope)) is not None:
            return dict(document["tags"] or {})
    if key_of(scope) == f"subscriptions/{arm.context.tokens.subscription_id.lower()}":
        return dict((arm.documents.get(_COLLECTION, key_of(scope)) or {"tags": {}})["tags"])
    message = f"The Resource '{scope.partition('/providers/')[2] or scope}' was not found."
    raise GatewayError(404, "ResourceNotFound", message)


def _write(arm: Arm, scope: str, tags: Document) -> None:
    locks.refuse(arm, scope, deletes=False)
    for collection in (GROUPS, CLUSTERS):
        if (document := find(arm, collection, scope)) is not None:
            document["tags"] = tags
            save(arm, collection, document)
            return
    arm.documents.put(_COLLECTION, key_of(scope), {"tags": tags})


def _shown(scope: str, tags: Document) -> Reply:
    return Reply(
        body={
            "id": f"{scope}{_SUFFIX}",
            "name": "default",
            "type": "Microsoft.Resources/tags",
            "properties": {"tags": tags},
        }
    )


def _asked(call: Call) -> Document:
    return dict((call.body.get("properties") or {}).get("tags") or {})


def _get(arm: Arm, call: Call) -> Reply:
    return _shown(call["scope"], _read(arm, call["scope"]))


def _put(arm: Arm, call: Call) -> Reply:
    _read(arm, call["scope"])
    _write(arm, call["scope"], _asked(call))
    return _shown(call["scope"], _asked(call))


def _patch(arm: Arm, call: Call) -> Reply:
    tags, asked, operation = _read(arm, call["scope"]), _asked(call), call.body.get("operation")
    changed = {
        "Merge": {**tags, **asked},
        "Replace": asked,
        "Delete": {name: value for name, value in tags.items() if asked.get(name) != value},
    }
    if operation not in changed:
        message = f"The tags operation '{operation}' is not valid. Valid operations are 'Merge, Replace, Delete'."
        raise GatewayError(400, "InvalidTagsOperation", message)
    _write(arm, call["scope"], changed[operation])
    return _shown(call["scope"], changed[operation])


def _delete(arm: Arm, call: Call) -> Reply:
    _read(arm, call["scope"])
    _write(arm, call["scope"], {})
    return Reply(200)


_TAGS = f"{{scope*}}{_SUFFIX}"
_ACTION = "Microsoft.Resources/tags"
ROUTES = (
    Route("GET", _TAGS, _get, versions.TAGS),
    Route("PUT", _TAGS, _put, versions.TAGS, f"{_ACTION}/write"),
    Route("PATCH", _TAGS, _patch, versions.TAGS, f"{_ACTION}/write"),
    Route("DELETE", _TAGS, _delete, versions.TAGS, f"{_ACTION}/delete"),
)
