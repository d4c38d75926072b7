from __future__ import annotations

from typing import Any

from tests.emulator.controllers.cluster import Cluster, template, workload

PLURAL = "deployments.apps"
SETS = "replicasets.apps"


def deployment(replicas: int = 2, *, pod: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    wanted = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "web"}},
        "progressDeadlineSeconds": 600,
        "template": pod or template(),
    }
    return workload("Deployment", "web", {**wanted, **spec})


def is_rolled_out(cluster: Cluster) -> bool:
    """What `kubectl rollout status` waits for."""
    found = cluster.store.get(PLURAL, "web", "default") or {}
    status, replicas = found.get("status", {}), found["spec"]["replicas"]
    return (
        status.get("observedGeneration", 0) >= found["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == replicas == status.get("replicas", 0)
        and status.get("availableReplicas", 0) == replicas
    )


def change_template(cluster: Cluster, **labels: str) -> None:
    def change(fresh: dict[str, Any]) -> None:
        fresh["spec"]["template"]["metadata"]["labels"] = {"app": "web", **labels}

    cluster.store.mutate(PLURAL, "web", "default", change)


def scale(cluster: Cluster, replicas: int) -> None:
    cluster.store.mutate(PLURAL, "web", "default", lambda fresh: fresh["spec"].update(replicas=replicas))


def sizes(cluster: Cluster) -> dict[str, int]:
    return {one["metadata"]["name"]: one["spec"]["replicas"] for one in cluster.store.list(SETS, "default")}


async def test_a_deployment_becomes_a_replica_set_and_ready_pods(cluster: Cluster):
    cluster.store.create(PLURAL, deployment(2))
    await cluster.until(lambda: is_rolled_out(cluster))

    [(name, size)] = sizes(cluster).items()
    assert size == 2
    hashed = name.removeprefix("web-")
    assert [one["metadata"]["labels"]["pod-template-hash"] for one in cluster.pods()] == [hashed, hashed]
    assert all(one["metadata"]["name"].startswith(f"{name}-") for one in cluster.pods())
    assert cluster.told("ScalingReplicaSet") == [f"Scaled up replica set {name} from 0 to 2"]
    assert len(cluster.told("SuccessfulCreate")) == 2
    progressing = cluster.condition(PLURAL, "web", "Progressing")
    assert progressing["reason"] == "NewReplicaSetAvailable"
    assert progressing["message"] == f'ReplicaSet "{name}" has successfully progressed.'
    assert cluster.condition(PLURAL, "web", "Available")["reason"] == "MinimumReplicasAvailable"


async def test_a_new_template_is_rolled_out_within_surge_and_unavailability(cluster: Cluster):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    cluster.store.create(PLURAL, deployment(3, strategy=strategy))
    await cluster.until(lambda: is_rolled_out(cluster))
    counts: list[int] = []
    ready: list[int] = []

    def look() -> bool:
        active = [one for one in cluster.pods() if "deletionTimestamp" not in one["metadata"]]
        counts.append(len(active))
        ready.append(sum(_is_ready(one) for one in active))
        return is_rolled_out(cluster)

    change_template(cluster, version="2")
    await cluster.until(look)

    assert max(counts) <= 4
    assert min(ready) >= 3
    assert {one["metadata"]["labels"].get("version") for one in cluster.pods()} == {"2"}
    assert sorted(sizes(cluster).values()) == [0, 3]


def _is_ready(pod: dict[str, Any]) -> bool:
    return any(
        row["type"] == "Ready" and row["status"] == "True" for row in pod.get("status", {}).get("conditions", [])
    )


async def test_each_template_is_a_revision_and_going_back_makes_the_old_one_the_newest(cluster: Cluster):
    cluster.store.create(PLURAL, deployment())
    await cluster.until(lambda: is_rolled_out(cluster))
    [first] = sizes(cluster)
    change_template(cluster, version="2")
    await cluster.until(lambda: len(sizes(cluster)) == 2 and is_rolled_out(cluster))
    assert _annotation(cluster.store.get(PLURAL, "web", "default"), "revision") == "2"

    change_template(cluster)
    await cluster.until(lambda: sizes(cluster)[first] == 2 and is_rolled_out(cluster))

    old = cluster.store.get(SETS, first, "default")
    assert _annotation(old, "revision") == "3"
    assert _annotation(old, "revision-history") == "1"
    assert _annotation(cluster.store.get(PLURAL, "web", "default"), "revision") == "3"


def _annotation(obj: dict[str, Any], name: str) -> str:
    return obj["metadata"]["annotations"][f"deployment.kubernetes.io/{name}"]


async def test_scaling_makes_no_new_revision(cluster: Cluster):
    cluster.store.create(PLURAL, deployment(1))
    await cluster.until(lambda: is_rolled_out(cluster))
    [name] = sizes(cluster)

    scale(cluster, 4)
    await cluster.until(lambda: is_rolled_out(cluster))
    scale(cluster, 0)
    await cluster.until(lambda: is_rolled_out(cluster) and not cluster.pods())

    assert sizes(cluster) == {name: 0}
    assert cluster.told("ScalingReplicaSet")[1:] == [
        f"Scaled up replica set {name} from 1 to 4",
        f"Scaled down replica set {name} from 4 to 0",
    ]


async def test_a_paused_deployment_keeps_its_template_and_still_scales(cluster: Cluster):
    cluster.store.create(PLURAL, deployment(1))
    await cluster.until(lambda: is_rolled_out(cluster))
    cluster.store.mutate(PLURAL, "web", "default", lambda fresh: fresh["spec"].update(paused=True))
    await cluster.until(lambda: cluster.condition(PLURAL, "web", "Progressing")["reason"] == "DeploymentPaused")

    change_template(cluster, version="2")
    scale(cluster, 2)
    await cluster.until(lambda: len(cluster.pods()) == 2)
    await cluster.settled()
    assert len(sizes(cluster)) == 1

    cluster.store.mutate(PLURAL, "web", "default", lambda fresh: fresh["spec"].update(paused=False))
    await cluster.until(lambda: is_rolled_out(cluster))
    assert {one["metadata"]["labels"]["version"] for one in cluster.pods()} == {"2"}


async def test_recreate_has_no_old_pod_left_before_the_first_new_one(cluster: Cluster):
    cluster.kubelet.stops = False
    cluster.store.create(PLURAL, deployment(2, strategy={"type": "Recreate"}))
    await cluster.until(lambda: is_rolled_out(cluster))
    change_template(cluster, version="2")
    await cluster.until(lambda: all("deletionTimestamp" in one["metadata"] for one in cluster.pods()))
    await cluster.settled()
    assert cluster.pods(version="2") == []

    for one in cluster.pods():
        cluster.store.finish_delete("pods", one["metadata"]["name"], "default")
    await cluster.until(lambda: is_rolled_out(cluster))
    assert len(cluster.pods(version="2")) == 2


async def test_a_rollout_that_does_not_move_passes_its_deadline(cluster: Cluster):
    cluster.store.create(PLURAL, deployment(1, pod=template(does="hang"), progressDeadlineSeconds=1))

    late = await cluster.until(lambda: _late(cluster))

    assert late["status"] == "False"
    assert late["message"].endswith("has timed out progressing.")
    assert cluster.condition(PLURAL, "web", "Available")["status"] == "False"


def _late(cluster: Cluster) -> dict[str, Any] | None:
    row = cluster.condition(PLURAL, "web", "Progressing")
    return row if row and row["reason"] == "ProgressDeadlineExceeded" else None


async def test_a_bad_template_leaves_enough_old_pods_running(cluster: Cluster):
    cluster.store.create(PLURAL, deployment(4))
    await cluster.until(lambda: is_rolled_out(cluster))

    change_template(cluster, does="hang")
    await cluster.until(lambda: len(cluster.pods(does="hang")) == 2)
    await cluster.settled()

    assert len([one for one in cluster.pods() if _is_ready(one)]) == 3
    assert cluster.condition(PLURAL, "web", "Available")["status"] == "True"
    assert not is_rolled_out(cluster)


async def test_only_as_many_old_revisions_are_kept_as_the_history_limit_says(cluster: Cluster):
    cluster.store.create(PLURAL, deployment(1, revisionHistoryLimit=1))
    await cluster.until(lambda: is_rolled_out(cluster))
    for version in ("2", "3", "4"):
        change_template(cluster, version=version)
        await cluster.until(lambda: is_rolled_out(cluster))

    await cluster.until(lambda: len(sizes(cluster)) == 2)


async def test_orphaned_replica_sets_are_adopted(cluster: Cluster):
    cluster.store.create(PLURAL, deployment(1))
    await cluster.until(lambda: is_rolled_out(cluster))
    [name] = sizes(cluster)
    cluster.store.mutate(SETS, name, "default", lambda fresh: fresh["metadata"].pop("ownerReferences"))

    adopted = await cluster.until(lambda: cluster.store.get(SETS, name, "default")["metadata"].get("ownerReferences"))

    assert adopted[0]["kind"] == "Deployment"
    assert adopted[0]["controller"] is True
