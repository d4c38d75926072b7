from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.controllers.cluster import Cluster, template, workload

DEPLOYMENTS, SETS = "deployments.apps", "replicasets.apps"


async def deployed(cluster: Cluster) -> None:
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template()}
    cluster.store.create(DEPLOYMENTS, workload("Deployment", "web", spec))
    await cluster.until(
        lambda: cluster.store.get(DEPLOYMENTS, "web", "default").get("status", {}).get("availableReplicas") == 2
    )


def config(name: str, *owners: dict[str, Any]) -> dict[str, Any]:
    references = [
        {"apiVersion": owner["apiVersion"], "kind": owner["kind"], **_identity(owner), "blockOwnerDeletion": True}
        for owner in owners
    ]
    metadata = {"name": name, "namespace": "default", "ownerReferences": references}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def _identity(owner: dict[str, Any]) -> dict[str, str]:
    return {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}


async def test_what_a_deployment_made_goes_with_it(cluster: Cluster):
    await deployed(cluster)

    cluster.store.delete(DEPLOYMENTS, "web", "default")

    assert cluster.store.get(DEPLOYMENTS, "web", "default") is None
    await cluster.until(lambda: not cluster.store.list(SETS, "default") and not cluster.pods())


async def test_in_the_foreground_the_owner_goes_last(cluster: Cluster):
    await deployed(cluster)
    cluster.kubelet.stops = False

    cluster.store.delete(DEPLOYMENTS, "web", "default", propagation="Foreground")

    await cluster.until(lambda: all("deletionTimestamp" in one["metadata"] for one in cluster.pods()))
    await cluster.settled()
    assert len(cluster.pods()) == 2
    assert cluster.store.get(DEPLOYMENTS, "web", "default")["metadata"]["finalizers"] == ["foregroundDeletion"]
    for one in cluster.pods():
        cluster.store.finish_delete("pods", one["metadata"]["name"], "default")
    await cluster.until(lambda: cluster.store.get(DEPLOYMENTS, "web", "default") is None)
    assert not cluster.store.list(SETS, "default")


async def test_orphans_stay_and_are_adopted_by_the_next_owner(cluster: Cluster):
    await deployed(cluster)
    names = {one["metadata"]["name"] for one in cluster.pods()}

    cluster.store.delete(DEPLOYMENTS, "web", "default", propagation="Orphan")
    await cluster.until(lambda: cluster.store.get(DEPLOYMENTS, "web", "default") is None)
    await cluster.settled()
    [left] = cluster.store.list(SETS, "default")
    assert not left["metadata"].get("ownerReferences")

    await deployed(cluster)
    assert {one["metadata"]["name"] for one in cluster.pods()} == names


async def test_an_object_goes_with_the_last_of_its_owners(cluster: Cluster):
    first, second = (cluster.store.create("configmaps", config(name)) for name in ("first", "second"))
    cluster.store.create("configmaps", config("shared", first, second))

    cluster.store.delete("configmaps", "first", "default")
    rest = await cluster.until(lambda: _owners(cluster, "shared") == ["second"])
    assert rest

    cluster.store.delete("configmaps", "second", "default")
    await cluster.until(lambda: cluster.store.get("configmaps", "shared", "default") is None)


def _owners(cluster: Cluster, name: str) -> list[str]:
    found = cluster.store.get("configmaps", name, "default")
    return [row["name"] for row in found["metadata"].get("ownerReferences", [])]


@pytest.mark.parametrize("uid", ["00000000-0000-0000-0000-000000000000"])
async def test_an_object_whose_owner_never_was_goes(cluster: Cluster, uid: str):
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nobody", "uid": uid}}
    cluster.store.create("configmaps", config("lost", owner))

    await cluster.until(lambda: cluster.store.get("configmaps", "lost", "default") is None)
