"""Stopping, starting and aborting: POSTs on managed clusters that answer 202."""

from __future__ import annotations

from aks_wasm.emulator.arm import etags, versions
from aks_wasm.emulator.arm.admission import admit, require_cluster
from aks_wasm.emulator.arm.clusters import shown_with_pools
from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.inventory import CLUSTERS, POOLS, find, save, within
from aks_wasm.emulator.arm.nodes import converge, fleet_cluster
from aks_wasm.emulator.arm.operations import Start, Work
from aks_wasm.emulator.arm.routing import Call, Reply, Route

STOP_SECONDS = 120  # not recorded
START_SECONDS = 150  # not recorded
ABORT_SECONDS = 20  # not recorded


def _switch(arm: Arm, call: Call, *, power: str) -> Reply:
    admit(arm, call)
    cluster = require_cluster(arm, call)
    arm.operations.refuse_when_busy(cluster["id"])
    if cluster["power"] == power:
        return Reply(204)
    work, state = ("cluster-stop", "Stopping") if power == "Stopped" else ("cluster-start", "Starting")
    operation = _start(arm, call, cluster, work, state)
    return Reply(202, headers=arm.operations.result_headers(call, operation))


def _stop(arm: Arm, call: Call) -> Reply:
    return _switch(arm, call, power="Stopped")


def _start_cluster(arm: Arm, call: Call) -> Reply:
    return _switch(arm, call, power="Running")


def _abort(arm: Arm, call: Call) -> Reply:
    admit(arm, call)
    cluster = require_cluster(arm, call)
    if not any(arm.operations.running(cluster["id"])):
        return Reply(204)
    error = {"code": "OperationAborted", "message": "The operation has been aborted by an abort request."}
    arm.operations.preempt(cluster["id"], error, status="Canceled")
    operation = _start(arm, call, cluster, "cluster-abort", "Canceling")
    headers = arm.operations.status_headers(call, operation) | arm.operations.result_headers(call, operation)
    return Reply(202, shown_with_pools(arm, cluster), headers)


def _start(arm: Arm, call: Call, cluster: Document, work: str, state: str) -> Document:
    cluster["state"] = state
    save(arm, CLUSTERS, cluster)
    start = Start(work, cluster["id"], state, cluster["location"], cluster=cluster["id"])
    return arm.operations.start(call, start)


async def _run_stop(arm: Arm, operation: Document) -> None:
    cluster = fleet_cluster(arm, operation["target"])
    if cluster is not None:
        await cluster.converge([])
        await cluster.stop()


async def _run_start(arm: Arm, operation: Document) -> None:
    cluster = fleet_cluster(arm, operation["target"])
    if cluster is not None:
        _set_power(arm, operation["target"], "Running")
        await cluster.start()
        await converge(arm, operation["target"])


async def _run_abort(arm: Arm, operation: Document) -> None:
    """What was done stays; what was not is not."""


def _set_power(arm: Arm, cluster_id: str, power: str) -> None:
    for pool in within(arm, POOLS, cluster_id):
        save(arm, POOLS, {**pool, "power": power})
    cluster = find(arm, CLUSTERS, cluster_id)
    if cluster is not None:
        save(arm, CLUSTERS, {**cluster, "power": power})


def _settle_stop(arm: Arm, operation: Document, error: Document | None) -> None:
    if error is None:
        _set_power(arm, operation["target"], "Stopped")
    _settle(arm, operation, error)


def _settle(arm: Arm, operation: Document, error: Document | None) -> None:
    cluster = find(arm, CLUSTERS, operation["target"])
    if cluster is not None:
        cluster.update(state="Failed" if error else "Succeeded", error=error, eTag=etags.new_etag())
        save(arm, CLUSTERS, cluster)


def _settle_abort(arm: Arm, operation: Document, error: Document | None) -> None:
    cluster = find(arm, CLUSTERS, operation["target"])
    if cluster is None:
        return
    state = "Failed" if error else "Canceled"
    cluster.update(state=state, error=error, eTag=cluster["eTag"] or etags.new_etag())
    save(arm, CLUSTERS, cluster)
    for pool in within(arm, POOLS, cluster["id"]):
        if pool["state"] not in {"Succeeded", "Failed"}:
            save(arm, POOLS, {**pool, "state": state, "eTag": pool["eTag"] or etags.new_etag()})


WORKS = {
    "cluster-stop": Work(STOP_SECONDS, _run_stop, _settle_stop),
    "cluster-start": Work(START_SECONDS, _run_start, _settle),
    "cluster-abort": Work(ABORT_SECONDS, _run_abort, _settle_abort),
}
_CLUSTER = (
    "/subscriptions/{subscription}/resourcegroups/{group}/providers/Microsoft.ContainerService"
    "/managedClusters/{cluster}"
)
_TYPE = "Microsoft.ContainerService/managedClusters"
ROUTES = (
    Route("POST", f"{_CLUSTER}/stop", _stop, versions.CLUSTERS, f"{_TYPE}/stop/action"),
    Route("POST", f"{_CLUSTER}/start", _start_cluster, versions.CLUSTERS, f"{_TYPE}/start/action"),
    Route("POST", f"{_CLUSTER}/abort", _abort, versions.CLUSTERS, f"{_TYPE}/abort/action"),
)
