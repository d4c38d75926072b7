"""Agent pools: requests, and the operations they start."""

from __future__ import annotations

from aks_wasm.emulator.arm import etags, pool_rules, usages, versions, wasi
from aks_wasm.emulator.arm.admission import admit, cluster_of, ground_of, refuse_stopped
from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.errors import ProviderError
from aks_wasm.emulator.arm.inventory import POOLS, find, forget, save, within
from aks_wasm.emulator.arm.nodes import converge, fleet_cluster
from aks_wasm.emulator.arm.operations import Start, Work
from aks_wasm.emulator.arm.pool_model import changed, completed, shown, with_image
from aks_wasm.emulator.arm.responses import page
from aks_wasm.emulator.arm.routing import Call, Reply, Route

CREATE_SECONDS = 94  # a WASI pool of 3 in 2023; facts azure.md section 1
UPDATE_SECONDS = 60
DELETE_SECONDS = 90
ABORT_SECONDS = 20


def _pool_id(cluster: Document, call: Call) -> str:
    return f"{cluster['id']}/agentPools/{call['pool']}"


def require(arm: Arm, cluster: Document, call: Call) -> Document:
    """Return the document of the request's pool.

    Raises:
        ProviderError: 404 GetAgentPool_NotFound; here AKS itself answers.
    """
    pool = find(arm, POOLS, _pool_id(cluster, call))
    if pool is None:
        place = f"{call['pool']} in subscription: {call['subscription']}, resourceGroup: {call['group']}"
        message = f"Could not find the agentpool: {place}, resource: {cluster['name']}"
        detail = f"rpc error: code = NotFound desc = agent pool {call['pool']} not found"
        details = [{"code": "Unspecified", "message": detail}]
        raise ProviderError(404, "NotFound", message, extra={"details": details, "subcode": "GetAgentPool_NotFound"})
    return pool


def new_pool(cluster_id: str, name: str, properties: Document) -> Document:
    """Return the document of a pool that is being created; there is no eTag yet."""
    return {
        "id": f"{cluster_id}/agentPools/{name}",
        "name": name,
        "cluster": cluster_id,
        "properties": with_image(properties),
        "state": "Creating",
        "power": "Running",
        "eTag": None,
        "error": None,
    }


def _list(arm: Arm, call: Call) -> Reply:
    cluster = cluster_of(arm, call, verb="read")
    return page(arm, call, [shown(pool) for pool in within(arm, POOLS, cluster["id"])])


def _get(arm: Arm, call: Call) -> Reply:
    return Reply(body=shown(require(arm, cluster_of(arm, call, verb="read"), call)))


def _put(arm: Arm, call: Call) -> Reply:
    admit(arm, call)
    cluster = cluster_of(arm, call, verb="write")
    known = find(arm, POOLS, _pool_id(cluster, call))
    etags.check(call.headers, exists=known is not None, etag=known["eTag"] if known else None, creates=True)
    arm.operations.refuse_when_busy(cluster["id"], pool=call["pool"])
    refuse_stopped(cluster)
    pool = _judged(arm, cluster, known, call)
    start = Start(
        "pool-update" if known else "pool-create",
        pool["id"],
        pool["state"],
        cluster["location"],
        cluster=cluster["id"],
        pool=pool["name"],
    )
    save(arm, POOLS, pool)
    operation = arm.operations.start(call, start)
    headers = arm.operations.status_headers(call, operation)
    return Reply(200 if known else 201, shown(pool), headers)


def _judged(arm: Arm, cluster: Document, known: Document | None, call: Call) -> Document:
    """Return the pool as it will be, once every rule has passed; nothing is written here."""
    ground, wanted = ground_of(cluster), call.body.get("properties") or {}
    name = known["name"] if known else call["pool"]
    before = known["properties"] if known else None
    properties = changed(before, wanted, ground) if before else completed(wanted, ground)
    wasi.judge(arm, name, properties)
    pool_rules.check(ground, name, properties)
    others = [pool["properties"] for pool in within(arm, POOLS, cluster["id"]) if pool["name"] != name]
    pool_rules.require_system_pool([*others, properties])
    usages.check(arm, ground.location, [(before, properties)])
    if known is None:
        return new_pool(cluster["id"], name, properties)
    return {**known, "properties": with_image(properties), "state": _verb(known, properties), "eTag": etags.new_etag()}


def _verb(known: Document, properties: Document) -> str:
    if known["properties"]["count"] != properties["count"]:
        return "Scaling"
    version = "currentOrchestratorVersion"
    return "Upgrading" if known["properties"][version] != properties[version] else "Updating"


def _delete(arm: Arm, call: Call) -> Reply:
    admit(arm, call, deletes=True)
    cluster = cluster_of(arm, call, verb="delete")
    pool = find(arm, POOLS, _pool_id(cluster, call))
    etags.check(call.headers, exists=pool is not None, etag=pool["eTag"] if pool else None, creates=False)
    if pool is None:
        return Reply(204)
    arm.operations.refuse_when_busy(cluster["id"], pool=pool["name"])
    refuse_stopped(cluster)
    others = [other["properties"] for other in within(arm, POOLS, cluster["id"]) if other["name"] != pool["name"]]
    if not any(properties["mode"] == "System" for properties in others):
        message = "There has to be at least one system agent pool."
        raise ProviderError(400, "MustDefineAtLeastOneSystemPool", message)
    return Reply(202, headers=_start(arm, call, cluster, pool, "pool-delete", "Deleting"))


def _abort(arm: Arm, call: Call) -> Reply:
    admit(arm, call)
    cluster = cluster_of(arm, call, verb="abort")
    pool = require(arm, cluster, call)
    if not any(arm.operations.running(pool["id"])):
        return Reply(204)
    error = {"code": "OperationAborted", "message": "The operation has been aborted by an abort request."}
    arm.operations.preempt(pool["id"], error, status="Canceled")
    headers = _start(arm, call, cluster, pool, "pool-abort", "Canceling")
    return Reply(202, shown(pool), headers)


def _start(arm: Arm, call: Call, cluster: Document, pool: Document, work: str, state: str) -> dict[str, str]:
    pool.update(state=state, eTag=etags.new_etag())
    save(arm, POOLS, pool)
    start = Start(work, pool["id"], state, cluster["location"], cluster=cluster["id"], pool=pool["name"])
    operation = arm.operations.start(call, start)
    return arm.operations.status_headers(call, operation) | arm.operations.result_headers(call, operation)


async def _run_put(arm: Arm, operation: Document) -> None:
    await converge(arm, operation["cluster"])


def _settle_put(arm: Arm, operation: Document, error: Document | None) -> None:
    pool = find(arm, POOLS, operation["target"])
    if pool is not None:
        settle_pool(arm, pool, error)


def settle_pool(arm: Arm, pool: Document, error: Document | None) -> None:
    """Write the end of a create or an update into a pool."""
    pool.update(state="Failed" if error else "Succeeded", error=error, eTag=pool["eTag"] or etags.new_etag())
    save(arm, POOLS, pool)


async def _run_delete(arm: Arm, operation: Document) -> None:
    cluster = fleet_cluster(arm, operation["cluster"])
    if cluster is not None:
        await converge(arm, operation["cluster"], without=operation["target"])


def _settle_delete(arm: Arm, operation: Document, error: Document | None) -> None:
    if error is None:
        forget(arm, POOLS, operation["target"])
    else:
        _settle_put(arm, operation, error)


async def _run_abort(arm: Arm, operation: Document) -> None:
    """What was done stays; what was not is not: there is nothing to do on the nodes."""


def _settle_abort(arm: Arm, operation: Document, error: Document | None) -> None:
    pool = find(arm, POOLS, operation["target"])
    if pool is not None:
        pool.update(state="Failed" if error else "Canceled", error=error, eTag=pool["eTag"] or etags.new_etag())
        save(arm, POOLS, pool)


WORKS = {
    "pool-create": Work(CREATE_SECONDS, _run_put, _settle_put),
    "pool-update": Work(UPDATE_SECONDS, _run_put, _settle_put),
    "pool-delete": Work(DELETE_SECONDS, _run_delete, _settle_delete),
    "pool-abort": Work(ABORT_SECONDS, _run_abort, _settle_abort),
}
_POOLS = (
    "/subscriptions/{subscription}/resourcegroups/{group}/providers/Microsoft.ContainerService"
    "/managedClusters/{cluster}/agentPools"
)
_POOL = f"{_POOLS}/{{pool}}"
_TYPE = "Microsoft.ContainerService/managedClusters/agentPools"
ROUTES = (
    Route("GET", _POOLS, _list, versions.POOLS),
    Route("GET", _POOL, _get, versions.POOLS),
    Route("PUT", _POOL, _put, versions.POOLS, f"{_TYPE}/write"),
    Route("DELETE", _POOL, _delete, versions.POOLS, f"{_TYPE}/delete"),
    Route("POST", f"{_POOL}/abort", _abort, versions.POOLS, f"{_TYPE}/abort/action"),
)
