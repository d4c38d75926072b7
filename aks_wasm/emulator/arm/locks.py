"""Management locks: kept at any scope, felt by every write and delete below."""

from __future__ import annotations

from aks_wasm.emulator.arm import versions
from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.errors import GatewayError, ProviderError
from aks_wasm.emulator.arm.inventory import LOCKS, find, forget, save, within
from aks_wasm.emulator.arm.names import is_within
from aks_wasm.emulator.arm.responses import page
from aks_wasm.emulator.arm.routing import Call, Reply, Route

_SUFFIX = "/providers/Microsoft.Authorization/locks"
_LEVELS = ("CanNotDelete", "ReadOnly", "NotSpecified")


def _scope(lock: Document) -> str:
    return str(lock["id"])[: -len(f"{_SUFFIX}/{lock['name']}")]


def _blocking(arm: Arm, resource_id: str, *, deletes: bool) -> list[str]:
    locked = []
    for lock in within(arm, LOCKS, ""):
        if not deletes and lock["properties"]["level"] != "ReadOnly":
            continue
        scope = _scope(lock)
        # A lock holds below its scope; a delete is also held up by locks on what would go with it.
        if is_within(resource_id, scope) or (deletes and is_within(scope, resource_id)):
            locked.append(scope)
    return locked


def refuse(arm: Arm, resource_id: str, *, deletes: bool) -> None:
    """Refuse a change that a lock forbids.

    Raises:
        GatewayError: 409 ScopeLocked.
    """
    locked = _blocking(arm, resource_id, deletes=deletes)
    if not locked:
        return
    verb = "delete" if deletes else "write"
    message = (
        f"The scope '{resource_id}' cannot perform {verb} operation because following scope(s) are locked: "
        f"'{','.join(dict.fromkeys(locked))}'. Please remove the lock and try again."
    )
    raise GatewayError(409, "ScopeLocked", message)


def refuse_node_group(arm: Arm, subscription: str, group: str, group_scope: str) -> None:
    """Refuse to delete a cluster whose node resource group is locked; here AKS itself answers (Azure/AKS#3291).

    Raises:
        ProviderError: 409 ResourceGroupLocked.
    """
    if not _blocking(arm, group_scope, deletes=True):
        return
    message = (
        f"Resource group '{group}' under subscription: '{subscription}' is locked, please remove lock and retry. "
        "Please see http://aka.ms/azure-lock-resources"
    )
    raise ProviderError(409, "ResourceGroupLocked", message)


def _list(arm: Arm, call: Call) -> Reply:
    scope = call["scope"]
    at_scope = "atscope()" in call.query.get("$filter", "").lower()
    found = [
        lock
        for lock in within(arm, LOCKS, "")
        if is_within(scope, _scope(lock)) or (not at_scope and is_within(_scope(lock), scope))
    ]
    return page(arm, call, found)


def _get(arm: Arm, call: Call) -> Reply:
    lock = find(arm, LOCKS, call.path)
    if lock is None:
        message = f"The lock '{call['lock']}' could not be found."
        raise GatewayError(404, "LockNotFound", message)
    return Reply(body=lock)


def _put(arm: Arm, call: Call) -> Reply:
    wanted = call.body.get("properties") or {}
    if wanted.get("level") not in _LEVELS:
        message = f"The lock level '{wanted.get('level')}' is not valid. Valid levels are '{', '.join(_LEVELS)}'."
        raise GatewayError(400, "InvalidLockLevel", message)
    known = find(arm, LOCKS, call.path)
    lock: Document = {
        "properties": {key: wanted[key] for key in ("level", "notes") if wanted.get(key) is not None},
        "id": known["id"] if known else f"{call['scope']}{_SUFFIX}/{call['lock']}",
        "type": "Microsoft.Authorization/locks",
        "name": known["name"] if known else call["lock"],
    }
    save(arm, LOCKS, lock)
    return Reply(200 if known else 201, lock)


def _delete(arm: Arm, call: Call) -> Reply:
    known = find(arm, LOCKS, call.path)
    forget(arm, LOCKS, call.path)
    return Reply(200 if known else 204)


_LOCK = f"{{scope*}}{_SUFFIX}/{{lock}}"
ROUTES = (
    Route("GET", f"{{scope*}}{_SUFFIX}", _list, versions.LOCKS),
    Route("GET", _LOCK, _get, versions.LOCKS),
    Route("PUT", _LOCK, _put, versions.LOCKS, "Microsoft.Authorization/locks/write"),
    Route("DELETE", _LOCK, _delete, versions.LOCKS, "Microsoft.Authorization/locks/delete"),
)
