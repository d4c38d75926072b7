"""What the caller may do at a scope, as Microsoft.Authorization/permissions lists it."""

from __future__ import annotations

from aks_wasm.emulator.arm import versions
from aks_wasm.emulator.arm.context import Arm
from aks_wasm.emulator.arm.responses import page
from aks_wasm.emulator.arm.routing import Call, Reply, Route


def _list(arm: Arm, call: Call) -> Reply:
    actions = ["*"] if call.caller.writes else ["*/read"]  # of the built-in roles Owner and Reader
    permission = {"actions": actions, "notActions": [], "dataActions": [], "notDataActions": []}
    return page(arm, call, [permission])


ROUTES = (Route("GET", "{scope*}/providers/Microsoft.Authorization/permissions", _list, versions.PERMISSIONS),)
