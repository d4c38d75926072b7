"""Managed clusters: reading, creating, changing and deleting them, and the operations these start."""

from __future__ import annotations

from aks_wasm.emulator.arm import cluster_rules, etags, groups, locks, pool_rules, usages, versions, wasi
from aks_wasm.emulator.arm.admission import admit, ground_of, id_of, refuse_stopped, require_cluster
from aks_wasm.emulator.arm.agent_pools import new_pool, settle_pool
from aks_wasm.emulator.arm.cluster_model import merged, new_cluster, shown, with_version
from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.errors import ProviderError, invalid_parameter
from aks_wasm.emulator.arm.inventory import (
    CLUSTERS,
    GROUPS,
    POOLS,
    find,
    forget_cluster,
    node_group_id,
    save,
    within,
)
from aks_wasm.emulator.arm.kubernetes_versions import check_upgrade, resolve
from aks_wasm.emulator.arm.nodes import converge
from aks_wasm.emulator.arm.operations import Start, Work
from aks_wasm.emulator.arm.pool_model import changed, completed, with_image
from aks_wasm.emulator.arm.responses import page
from aks_wasm.emulator.arm.routing import Call, Reply, Route

CREATE_SECONDS = 222  # 3 min 42 s in westus2, 2023; facts azure.md section 1
UPDATE_SECONDS = 60
TAGS_SECONDS = 20
DELETE_SECONDS = 180
_CREATE_PHASES = ((0.0, "InProgress"), (0.15, "ProvisioningControlPlane"), (0.7, "ReconcilingAddons"))
_UPDATE_PHASES = ((0.0, "InProgress"), (0.5, "ReconcilingAddons"))


def shown_with_pools(arm: Arm, cluster: Document) -> Document:
    """Return the cluster as AKS answers it, its pools included."""
    return shown(cluster, within(arm, POOLS, cluster["id"]))


def _list(arm: Arm, call: Call) -> Reply:
    scope = f"/subscriptions/{call['subscription']}"
    if "group" in call.params:
        scope = groups.require(arm, call)["id"]
    return page(arm, call, [shown_with_pools(arm, cluster) for cluster in within(arm, CLUSTERS, scope)])


def _get(arm: Arm, call: Call) -> Reply:
    return Reply(body=shown_with_pools(arm, require_cluster(arm, call)))


def _put(arm: Arm, call: Call) -> Reply:
    location = cluster_rules.location_of(call)
    admit(arm, call)
    known = find(arm, CLUSTERS, id_of(call))
    etags.check(call.headers, exists=known is not None, etag=known["eTag"] if known else None, creates=True)
    if known is None:
        cluster_rules.check_new(call)
        cluster = new_cluster(id_of(call), call.body, location, arm.context.tokens.tenant_id)
        _refuse_taken_node_group(arm, cluster)
    else:
        arm.operations.refuse_when_busy(known["id"])
        refuse_stopped(known)
        cluster_rules.check_update(known, call, location)
        cluster = _updated(known, call)
    cluster = _versioned(cluster, call, known)
    cluster_rules.check(cluster)
    pools = _judged_pools(arm, cluster, call)
    return _start_put(arm, call, cluster, pools, created=known is None)


def _refuse_taken_node_group(arm: Arm, cluster: Document) -> None:
    if find(arm, GROUPS, node_group_id(cluster)) is not None:
        name = cluster["properties"]["nodeResourceGroup"]
        message = f"The node resource group '{name}' already exists. Please use another name."
        raise ProviderError(409, "NodeResourceGroupAlreadyExists", message)


def _updated(known: Document, call: Call) -> Document:
    body = call.body
    return {
        **known,
        "properties": merged(known["properties"], body.get("properties") or {}),
        "tags": body["tags"] if body.get("tags") is not None else known["tags"],
        "sku": {**known["sku"], **(body.get("sku") or {})},
        "state": "Updating",
        "eTag": etags.new_etag(),
    }


def _versioned(cluster: Document, call: Call, known: Document | None) -> Document:
    wanted = (call.body.get("properties") or {}).get("kubernetesVersion")
    plan = cluster["properties"]["supportPlan"]
    if known is None:
        return with_version(cluster, resolve(wanted, cluster=cluster["name"], plan=plan))
    before = known["properties"]
    if not wanted or wanted in {before["kubernetesVersion"], before["currentKubernetesVersion"]}:
        return cluster
    version = resolve(wanted, cluster=cluster["name"], plan=plan)
    check_upgrade(before["currentKubernetesVersion"], version.exact)
    return {**with_version(cluster, version), "state": "Upgrading"}


def _judged_pools(arm: Arm, cluster: Document, call: Call) -> list[Document]:
    """Return the pools that the PUT creates or changes, once every rule has passed; nothing is written here."""
    ground = ground_of(cluster)
    known = {pool["name"]: pool for pool in within(arm, POOLS, cluster["id"])}
    profiles = (call.body.get("properties") or {}).get("agentPoolProfiles") or []
    names = [str(profile.get("name") or "") for profile in profiles]
    if len(set(names)) != len(names):
        raise invalid_parameter("agentPoolProfile.name", "Agent pool names must be unique.")
    pools, changes = [], []
    for name, profile in zip(names, profiles, strict=True):
        before = known[name]["properties"] if name in known else None
        properties = changed(before, profile, ground) if before else completed(profile, ground)
        wasi.judge(arm, name, properties)
        pool_rules.check(ground, name, properties)
        changes.append((before, properties))
        if name in known:
            pools.append({**known[name], "properties": with_image(properties), "state": "Updating"})
        else:
            pools.append(new_pool(cluster["id"], name, properties))
    untouched = [pool["properties"] for name, pool in known.items() if name not in names]
    pool_rules.require_system_pool([*untouched, *(properties for _, properties in changes)])
    usages.check(arm, ground.location, changes)
    return pools


def _start_put(arm: Arm, call: Call, cluster: Document, pools: list[Document], *, created: bool) -> Reply:
    save(arm, CLUSTERS, cluster)
    for pool in pools:
        save(arm, POOLS, pool)
    if created:
        _save_node_group(arm, cluster)
    else:
        _change_pool_etags(arm, cluster)
    start = Start(
        "cluster-create" if created else "cluster-update",
        cluster["id"],
        cluster["state"],
        cluster["location"],
        cluster=cluster["id"],
    )
    operation = arm.operations.start(call, start)
    headers = arm.operations.status_headers(call, operation)
    return Reply(201 if created else 200, shown_with_pools(arm, cluster), headers)


def _save_node_group(arm: Arm, cluster: Document) -> None:
    name = cluster["properties"]["nodeResourceGroup"]
    tags = {
        **cluster["tags"],
        "aks-managed-cluster-name": cluster["name"],
        "aks-managed-cluster-rg": cluster["group"],
    }
    save(arm, GROUPS, groups.new_group(cluster["subscription"], name, cluster["location"], tags, cluster["id"]))


def _change_pool_etags(arm: Arm, cluster: Document) -> None:
    """A change of the cluster changes the tags of its pools too; the other way round it does not."""
    for pool in within(arm, POOLS, cluster["id"]):
        if pool["eTag"]:
            pool["eTag"] = etags.new_etag()
            save(arm, POOLS, pool)


def _patch(arm: Arm, call: Call) -> Reply:
    admit(arm, call)
    cluster = require_cluster(arm, call)
    etags.check(call.headers, exists=True, etag=cluster["eTag"], creates=False)
    arm.operations.refuse_when_busy(cluster["id"])
    cluster.update(tags=call.body.get("tags") or {}, state="Updating", eTag=etags.new_etag())
    save(arm, CLUSTERS, cluster)
    _change_pool_etags(arm, cluster)
    start = Start("cluster-tags", cluster["id"], "Updating", cluster["location"], cluster=cluster["id"])
    operation = arm.operations.start(call, start)
    return Reply(200, shown_with_pools(arm, cluster), arm.operations.status_headers(call, operation))


def _delete(arm: Arm, call: Call) -> Reply:
    admit(arm, call, deletes=True)
    cluster = find(arm, CLUSTERS, id_of(call))
    etags.check(call.headers, exists=cluster is not None, etag=cluster["eTag"] if cluster else None, creates=False)
    if cluster is None:
        return Reply(204)
    node_group = cluster["properties"]["nodeResourceGroup"]
    locks.refuse_node_group(arm, call["subscription"], node_group, node_group_id(cluster))
    going = [one for one in arm.operations.running(cluster["id"]) if one["work"] == "cluster-delete"]
    operation = going[0] if going else _start_delete(arm, call, cluster)
    headers = arm.operations.status_headers(call, operation) | arm.operations.result_headers(call, operation)
    return Reply(202, headers=headers)


def _start_delete(arm: Arm, call: Call, cluster: Document) -> Document:
    arm.operations.preempt(cluster["id"], groups.preempted_by_delete())
    cluster["state"] = "Deleting"
    save(arm, CLUSTERS, cluster)
    for pool in within(arm, POOLS, cluster["id"]):
        save(arm, POOLS, {**pool, "state": "Deleting"})
    start = Start("cluster-delete", cluster["id"], "Deleting", cluster["location"], cluster=cluster["id"])
    return arm.operations.start(call, start)


async def _run_put(arm: Arm, operation: Document) -> None:
    await converge(arm, operation["cluster"])


def settle(arm: Arm, operation: Document, error: Document | None) -> None:
    """Write the end of a create or an update into a cluster and those pools that took part in it."""
    cluster = find(arm, CLUSTERS, operation["target"])
    if cluster is None:
        return
    cluster.update(state="Failed" if error else "Succeeded", error=error, eTag=cluster["eTag"] or etags.new_etag())
    save(arm, CLUSTERS, cluster)
    for pool in within(arm, POOLS, cluster["id"]):
        if pool["state"] in {"Creating", "Updating", "Upgrading", "Failed"}:
            settle_pool(arm, pool, error)


async def _run_tags(arm: Arm, operation: Document) -> None:
    """Tags are documents only."""


async def _run_delete(arm: Arm, operation: Document) -> None:
    cluster = find(arm, CLUSTERS, operation["target"])
    if cluster is not None:
        await arm.context.fleet.delete(cluster["fleetKey"])


def _settle_delete(arm: Arm, operation: Document, error: Document | None) -> None:
    cluster = find(arm, CLUSTERS, operation["target"])
    if cluster is None:
        return
    if error is None:
        forget_cluster(arm, cluster)
    else:
        cluster.update(state="Failed", error=error)
        save(arm, CLUSTERS, cluster)


WORKS = {
    "cluster-create": Work(CREATE_SECONDS, _run_put, settle, _CREATE_PHASES),
    "cluster-update": Work(UPDATE_SECONDS, _run_put, settle, _UPDATE_PHASES),
    "cluster-tags": Work(TAGS_SECONDS, _run_tags, settle),
    "cluster-delete": Work(DELETE_SECONDS, _run_delete, _settle_delete),
}
_CLUSTERS = "/providers/Microsoft.ContainerService/managedClusters"
_IN_GROUP = f"/subscriptions/{{subscription}}/resourcegroups/{{group}}{_CLUSTERS}"
_CLUSTER = f"{_IN_GROUP}/{{cluster}}"
_TYPE = "Microsoft.ContainerService/managedClusters"
ROUTES = (
    Route("GET", f"/subscriptions/{{subscription}}{_CLUSTERS}", _list, versions.CLUSTERS),
    Route("GET", _IN_GROUP, _list, versions.CLUSTERS),
    Route("GET", _CLUSTER, _get, versions.CLUSTERS),
    Route("PUT", _CLUSTER, _put, versions.CLUSTERS, f"{_TYPE}/write"),
    Route("PATCH", _CLUSTER, _patch, versions.CLUSTERS, f"{_TYPE}/write"),
    Route("DELETE", _CLUSTER, _delete, versions.CLUSTERS, f"{_TYPE}/delete"),
)
