"""Resource groups: their life cycle, and what lies in them."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from aks_wasm.emulator.arm import locks, versions
from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.errors import GatewayError
from aks_wasm.emulator.arm.filters import matching
from aks_wasm.emulator.arm.inventory import (
    CLUSTERS,
    GROUPS,
    find,
    forget_cluster,
    forget_group,
    node_group_id,
    save,
    within,
)
from aks_wasm.emulator.arm.names import group_id, is_within, key_of
from aks_wasm.emulator.arm.operations import RESULT_VERSION, Start, Work
from aks_wasm.emulator.arm.regions import group_location
from aks_wasm.emulator.arm.resources import resources_in
from aks_wasm.emulator.arm.responses import page
from aks_wasm.emulator.arm.routing import Call, Reply, Route

RETRY_AFTER = 15  # seconds; recordings of 2016
DELETE_SECONDS = 200  # with a cluster in it
DELETE_EMPTY_SECONDS = 20
_NAME_LENGTH = 90
_FORBIDDEN = re.compile(r"[^-\w.()]")


def require(arm: Arm, call: Call, *, to_write: bool = False) -> Document:
    """Return the document of the request's group.

    Raises:
        GatewayError: 404 when there is none, 409 when it is to be written into while it is being deleted.
    """
    group = find(arm, GROUPS, group_id(call["subscription"], call["group"]))
    if group is None:
        raise GatewayError(404, "ResourceGroupNotFound", f"Resource group '{call['group']}' could not be found.")
    if to_write:
        _refuse_when_deleting(group)
    return group


def new_group(subscription: str, name: str, location: str, tags: Document, managed_by: str | None) -> Document:
    """Return the document of a group."""
    return {
        "id": group_id(subscription, name),
        "name": name,
        "location": location,
        "tags": tags,
        "managedBy": managed_by,
        "state": "Succeeded",
    }


def _refuse_when_deleting(group: Document) -> None:
    if group["state"] == "Deleting":
        message = f"The resource group '{group['name']}' is in deprovisioning state and cannot perform this operation."
        raise GatewayError(409, "ResourceGroupBeingDeleted", message)


def _shown(group: Document) -> dict[str, Any]:
    return {
        "id": group["id"],
        "name": group["name"],
        "type": "Microsoft.Resources/resourceGroups",
        "location": group["location"],
        **({"managedBy": group["managedBy"]} if group["managedBy"] else {}),
        "tags": group["tags"],
        "properties": {"provisioningState": group["state"]},
    }


def _check_name(name: str) -> None:
    if forbidden := "".join(dict.fromkeys(_FORBIDDEN.findall(name))):
        message = (
            f"The provided resource group name '{name}' has these invalid characters: '{forbidden}'. "
            "The name can only be a letter, digit, '-', '.', '(', ')' or '_'."
        )
        raise GatewayError(400, "InvalidResourceGroup", message)
    if name.endswith(".") or len(name) > _NAME_LENGTH:
        message = (
            f"The provided resource group name '{name}' is invalid. It must not end with a period "
            f"nor be longer than {_NAME_LENGTH} characters."
        )
        raise GatewayError(400, "InvalidResourceGroup", message)


def _list(arm: Arm, call: Call) -> Reply:
    groups = within(arm, GROUPS, f"/subscriptions/{call['subscription']}")
    return page(arm, call, matching(call.query.get("$filter"), [_shown(group) for group in groups]))


def _head(arm: Arm, call: Call) -> Reply:
    require(arm, call)
    return Reply(204)


def _get(arm: Arm, call: Call) -> Reply:
    return Reply(body=_shown(require(arm, call)))


def _put(arm: Arm, call: Call) -> Reply:
    name = call["group"]
    _check_name(name)
    location = group_location(call.body.get("location"))
    known = find(arm, GROUPS, group_id(call["subscription"], name))
    if known is None:
        tags, managed_by = call.body.get("tags") or {}, call.body.get("managedBy")
        group = new_group(call["subscription"], name, location, tags, managed_by)
        save(arm, GROUPS, group)
        return Reply(201, _shown(group))
    _refuse_when_deleting(known)
    locks.refuse(arm, known["id"], deletes=False)
    if known["location"] != location:
        message = (
            f"Invalid resource group location '{location}'. "
            f"The Resource group already exists in location '{known['location']}'."
        )
        raise GatewayError(409, "InvalidResourceGroupLocation", message)
    known["tags"] = call.body.get("tags") or {}
    save(arm, GROUPS, known)
    return Reply(body=_shown(known))


def _patch(arm: Arm, call: Call) -> Reply:
    group = require(arm, call, to_write=True)
    locks.refuse(arm, group["id"], deletes=False)
    if "tags" in call.body:
        group["tags"] = call.body["tags"] or {}
    save(arm, GROUPS, group)
    return Reply(body=_shown(group))


def _delete(arm: Arm, call: Call) -> Reply:
    group = require(arm, call)
    locks.refuse(arm, group["id"], deletes=True)
    clusters = _clusters_going(arm, group)
    for cluster in clusters:
        node_group = cluster["properties"]["nodeResourceGroup"]
        scope = group_id(call["subscription"], node_group)
        locks.refuse_node_group(arm, call["subscription"], node_group, scope)
    if group["state"] != "Deleting":
        _start_delete(arm, call, group, clusters)
    return Reply(202, headers=_result_headers(arm, call, _job(group)))


def _clusters_going(arm: Arm, group: Document) -> list[Document]:
    return within(arm, CLUSTERS, group["id"])


def _start_delete(arm: Arm, call: Call, group: Document, clusters: list[Document]) -> None:
    for cluster in clusters:
        arm.operations.preempt(cluster["id"], preempted_by_delete())
        cluster["state"] = "Deleting"
        save(arm, CLUSTERS, cluster)
    group["state"] = "Deleting"
    save(arm, GROUPS, group)
    work = "group-delete" if clusters else "empty-group-delete"
    start = Start(work, group["id"], "Deleting", group["location"], payload={"job": _job(group)})
    arm.operations.start(call, start)


def preempted_by_delete() -> dict[str, str]:
    """Return the error of an operation that a delete has overtaken."""
    message = "This operation has been preempted by Deleting operation."
    return {"code": "AKSOperationPreemptedByDelete", "message": message}


async def _run_delete(arm: Arm, operation: Document) -> None:
    for cluster in within(arm, CLUSTERS, operation["target"]):
        await arm.context.fleet.delete(cluster["fleetKey"])
    for cluster in within(arm, CLUSTERS, ""):
        orphan = arm.context.fleet.get(cluster["fleetKey"])
        if orphan is not None and is_within(node_group_id(cluster), operation["target"]):
            await orphan.converge([])  # somebody deletes a cluster's machines behind its back


def _settle_delete(arm: Arm, operation: Document, error: Document | None) -> None:
    for cluster in within(arm, CLUSTERS, operation["target"]):
        if error is None:
            forget_cluster(arm, cluster)
        else:
            cluster["state"] = "Failed"
            save(arm, CLUSTERS, cluster)
    group = find(arm, GROUPS, operation["target"])
    if error is None:
        forget_group(arm, operation["target"])
    elif group is not None:
        group["state"] = "Succeeded"
        save(arm, GROUPS, group)


WORKS = {
    "group-delete": Work(DELETE_SECONDS, _run_delete, _settle_delete),
    "empty-group-delete": Work(DELETE_EMPTY_SECONDS, _run_delete, _settle_delete),
}


def _job(group: Document) -> str:
    """Return the id in the Location header: base64url of a JSON object (recordings of 2016 to 2021)."""
    name = str(group["name"]).upper().replace("-", ":2D").replace("_", ":5F").replace(".", ":2E")
    job = {
        "jobId": f"RESOURCEGROUPDELETIONJOB-{name}-{str(group['location']).upper()}",
        "jobLocation": group["location"],
    }
    return base64.urlsafe_b64encode(json.dumps(job, separators=(",", ":")).encode()).rstrip(b"=").decode()


def _result_headers(arm: Arm, call: Call, job: str) -> dict[str, str]:
    path = f"/subscriptions/{call['subscription']}/operationresults/{job}"
    query = arm.operations.signer.query(path, RESULT_VERSION, call.caller)
    retry = str(round(arm.pace.scaled(RETRY_AFTER)))
    return {"location": f"{arm.base_url}{path}?{query}", "retry-after": retry}


def _delete_result(arm: Arm, call: Call) -> Reply:
    arm.operations.signer.check(call.path, call.raw_query, call.caller)
    jobs = [operation for operation in arm.operations.all() if operation["payload"].get("job") == call["job"]]
    if not jobs:
        message = f"The operation result '{call['job']}' could not be found."
        raise GatewayError(404, "OperationResultNotFound", message)
    if jobs[-1]["ended"] is None:
        return Reply(202, headers=_result_headers(arm, call, call["job"]))
    if error := jobs[-1]["error"]:
        raise GatewayError(409, error["code"], error["message"])
    return Reply(200)


def _list_resources(arm: Arm, call: Call) -> Reply:
    group = require(arm, call)
    return page(arm, call, matching(call.query.get("$filter"), resources_in(arm, key_of(group["id"]))))


def _list_all_resources(arm: Arm, call: Call) -> Reply:
    scope = key_of(f"/subscriptions/{call['subscription']}")
    return page(arm, call, matching(call.query.get("$filter"), resources_in(arm, scope)))


_GROUP = "/subscriptions/{subscription}/resourcegroups/{group}"
_TYPE = "Microsoft.Resources/subscriptions/resourceGroups"
ROUTES = (
    Route("GET", "/subscriptions/{subscription}/resourcegroups", _list, versions.RESOURCES),
    Route("HEAD", _GROUP, _head, versions.RESOURCES),
    Route("GET", _GROUP, _get, versions.RESOURCES),
    Route("PUT", _GROUP, _put, versions.RESOURCES, f"{_TYPE}/write"),
    Route("PATCH", _GROUP, _patch, versions.RESOURCES, f"{_TYPE}/write"),
    Route("DELETE", _GROUP, _delete, versions.RESOURCES, f"{_TYPE}/delete"),
    Route("GET", f"{_GROUP}/resources", _list_resources, versions.RESOURCES),
    Route("GET", "/subscriptions/{subscription}/resources", _list_all_resources, versions.RESOURCES),
    Route("GET", "/subscriptions/{subscription}/operationresults/{job}", _delete_result, versions.SIGNED),
)
