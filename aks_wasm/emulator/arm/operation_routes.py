"""Polling AKS's operations: the status document, and the result that a Location header leads to."""

from __future__ import annotations

from aks_wasm.emulator.arm import versions
from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.errors import ProviderError
from aks_wasm.emulator.arm.routing import Call, Reply, Route


def _require(arm: Arm, call: Call) -> Document:
    arm.operations.signer.check(call.path, call.raw_query, call.caller)
    operation = arm.operations.get(call["operation"])
    if operation is None:
        message = f"The operation '{call['operation']}' could not be found."
        raise ProviderError(404, "NotFound", message)
    return operation


def _status(arm: Arm, call: Call) -> Reply:
    operation = _require(arm, call)
    return Reply(body=arm.operations.status(operation), headers={"x-ms-operation-identifier": operation["id"]})


def _result(arm: Arm, call: Call) -> Reply:
    operation = _require(arm, call)
    if operation["ended"] is None:
        return Reply(202, headers=arm.operations.result_headers(call, operation))
    if operation["status"] != "Succeeded":
        raise ProviderError(409, operation["error"]["code"], operation["error"]["message"])
    return Reply(204)


_LOCATION = "/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/{location}"
ROUTES = (
    Route("GET", f"{_LOCATION}/operations/{{operation}}", _status, versions.SIGNED),
    Route("GET", f"{_LOCATION}/operationresults/{{operation}}", _result, versions.SIGNED),
)
