from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster.controllers.job_plan import backoff, parsed_ranges, ranges
from tests.emulator.controllers.cluster import Cluster, node, running, template, workload

PLURAL = "jobs.batch"


def job(does: str = "succeed", **spec: Any) -> dict[str, Any]:
    pods = template(does=does)
    pods["spec"]["restartPolicy"] = "Never"
    return workload("Job", "sum", {"template": pods, "completions": 1, "parallelism": 1, **spec})


def status(cluster: Cluster) -> dict[str, Any]:
    found = cluster.store.get(PLURAL, "sum", "default")
    return found.get("status", {}) if found else {}


def verdict(cluster: Cluster, type_: str) -> dict[str, Any] | None:
    row = cluster.condition(PLURAL, "sum", type_)
    return row if row and row["status"] == "True" else None


async def test_a_job_is_complete_when_its_pod_succeeded(cluster: Cluster):
    cluster.store.create(PLURAL, job())

    complete = await cluster.until(lambda: verdict(cluster, "Complete"))

    assert complete["reason"] == "CompletionsReached"
    assert complete["message"] == "Reached expected number of succeeded pods"
    assert verdict(cluster, "SuccessCriteriaMet")["reason"] == "CompletionsReached"
    assert status(cluster)["succeeded"] == 1
    assert "active" not in status(cluster)
    assert status(cluster)["ready"] == 0
    assert status(cluster)["startTime"] <= status(cluster)["completionTime"]
    [made] = cluster.pods()
    assert made["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "sum"
    assert not made["metadata"].get("finalizers")
    assert cluster.told("SuccessfulCreate") == [f"Created pod: {made['metadata']['name']}"]
    assert cluster.told("Completed") == ["Job completed"]


async def test_never_more_than_parallelism_run_until_all_completions_are_there(cluster: Cluster):
    most = 0
    cluster.store.create(PLURAL, job("hang", completions=5, parallelism=2))

    def step() -> Any:
        nonlocal most
        active = [one for one in cluster.pods() if one.get("status", {}).get("phase", "Pending") == "Pending"]
        most = max(most, len(active))
        for one in active[:1]:
            cluster.set_status(one, phase="Succeeded")
        return verdict(cluster, "Complete")

    await cluster.until(step)

    assert most == 2
    assert status(cluster)["succeeded"] == 5


async def test_a_job_fails_when_its_pods_failed_once_more_than_the_limit(cluster: Cluster):
    cluster.store.create(PLURAL, job("fail", backoffLimit=2))

    failed = await cluster.until(lambda: verdict(cluster, "Failed"))

    assert failed["reason"] == "BackoffLimitExceeded"
    assert failed["message"] == "Job has reached the specified backoff limit"
    assert verdict(cluster, "FailureTarget")
    assert status(cluster)["failed"] == 3
    assert len(cluster.pods()) == 3
    assert cluster.told("BackoffLimitExceeded") == ["Job has reached the specified backoff limit"]


async def test_restarts_count_against_the_limit_when_containers_restart_in_place(cluster: Cluster):
    wanted = job("run", backoffLimit=2)
    wanted["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    cluster.store.create(PLURAL, wanted)
    one = (await cluster.until(cluster.pods))[0]

    cluster.set_status(one, containerStatuses=[{"name": "main", "restartCount": 2}])

    await cluster.until(lambda: verdict(cluster, "Failed"))


async def test_a_job_past_its_deadline_fails_and_its_pods_go(cluster: Cluster):
    cluster.store.create(PLURAL, job("run", activeDeadlineSeconds=1))

    failed = await cluster.until(lambda: verdict(cluster, "Failed"))

    assert failed["reason"] == "DeadlineExceeded"
    assert failed["message"] == "Job was active longer than specified deadline"
    assert cluster.pods() == []
    assert status(cluster)["failed"] == 1


async def test_the_verdict_waits_until_the_pods_have_stopped(cluster: Cluster):
    cluster.kubelet.stops = False
    cluster.store.create(PLURAL, job("run", activeDeadlineSeconds=1))
    await cluster.until(lambda: verdict(cluster, "FailureTarget"))
    await cluster.settled()
    assert verdict(cluster, "Failed") is None
    assert status(cluster)["terminating"] == 1

    for one in cluster.pods():
        cluster.store.finish_delete("pods", one["metadata"]["name"], "default")

    await cluster.until(lambda: verdict(cluster, "Failed"))


async def test_a_deleted_pod_counts_as_failed_and_is_replaced(cluster: Cluster):
    cluster.store.create(PLURAL, job("run"))
    first = (await cluster.until(cluster.pods))[0]["metadata"]["name"]
    await cluster.until(lambda: status(cluster).get("active"))

    cluster.store.delete("pods", first, "default")

    await cluster.until(lambda: status(cluster).get("failed") == 1)
    await cluster.until(lambda: [one for one in cluster.pods() if one["metadata"]["name"] != first])


async def test_a_pod_that_vanishes_without_a_word_counts_as_failed(cluster: Cluster):
    cluster.store.create(PLURAL, job("run"))
    first = (await cluster.until(cluster.pods))[0]["metadata"]["name"]
    await cluster.settled()

    cluster.store.finish_delete("pods", first, "default")

    await cluster.until(lambda: status(cluster).get("failed") == 1)


async def test_a_suspended_job_has_no_pods_until_it_goes_on(cluster: Cluster):
    cluster.store.create(PLURAL, job("run", suspend=True))
    await cluster.until(lambda: verdict(cluster, "Suspended"))
    await cluster.settled()
    assert cluster.pods() == []
    assert "startTime" not in status(cluster)

    cluster.store.mutate(PLURAL, "sum", "default", lambda fresh: fresh["spec"].update(suspend=False))
    await cluster.until(cluster.pods)
    cluster.store.mutate(PLURAL, "sum", "default", lambda fresh: fresh["spec"].update(suspend=True))
    await cluster.until(lambda: not cluster.pods())
    await cluster.settled()

    assert "failed" not in status(cluster)
    assert cluster.told("Resumed") == ["Job resumed"]


async def test_a_finished_job_is_deleted_with_its_pods_after_its_time_to_live(cluster: Cluster):
    cluster.store.create(PLURAL, job(ttlSecondsAfterFinished=0))

    await cluster.until(lambda: cluster.told("Completed"))
    await cluster.until(lambda: cluster.store.get(PLURAL, "sum", "default") is None)

    await cluster.until(lambda: not cluster.pods())


async def test_without_completions_one_success_is_enough_and_the_others_may_end(cluster: Cluster):
    cluster.store.create(PLURAL, job("hang", completions=None, parallelism=2))
    first, second = await cluster.until(lambda: cluster.pods() if len(cluster.pods()) == 2 else None)
    cluster.set_status(first, phase="Succeeded")
    await cluster.settled()
    assert verdict(cluster, "Complete") is None

    cluster.set_status(second, phase="Succeeded")

    await cluster.until(lambda: verdict(cluster, "Complete"))
    assert status(cluster)["succeeded"] == 2


async def test_each_completion_of_an_indexed_job_has_its_own_index(cluster: Cluster):
    cluster.store.create(PLURAL, job(completions=3, parallelism=2, completionMode="Indexed"))

    await cluster.until(lambda: verdict(cluster, "Complete"))

    assert status(cluster)["completedIndexes"] == "0-2"
    key = "batch.kubernetes.io/job-completion-index"
    assert sorted(one["metadata"]["annotations"][key] for one in cluster.pods()) == ["0", "1", "2"]
    assert sorted(one["metadata"]["name"][:6] for one in cluster.pods()) == ["sum-0-", "sum-1-", "sum-2-"]
    variables = cluster.pods()[0]["spec"]["containers"][0]["env"]
    assert variables[0]["name"] == "JOB_COMPLETION_INDEX"


async def test_a_job_goes_on_where_the_daemon_was_stopped(tmp_path: Path):
    async with running(tmp_path) as cluster:
        cluster.store.create("nodes", node())
        cluster.store.create(PLURAL, job("run", completions=2))
        first = (await cluster.until(cluster.pods))[0]
        await cluster.settled()
        cluster.set_status(first, phase="Succeeded")
    async with running(tmp_path) as cluster:
        second = await cluster.until(
            lambda: [one for one in cluster.pods() if one.get("status", {}).get("phase") == "Running"]
        )
        assert status(cluster)["succeeded"] == 1
        cluster.set_status(second[0], phase="Succeeded")
        await cluster.until(lambda: verdict(cluster, "Complete"))


async def test_the_back_off_follows_the_pace(tmp_path: Path):
    async with running(tmp_path, Pace(0.01)) as cluster:
        cluster.store.create("nodes", node())
        cluster.store.create(PLURAL, job("fail", backoffLimit=1))
        await cluster.until(lambda: status(cluster).get("failed") == 1)
        await cluster.settled()
        assert len(cluster.pods()) == 1  # 10 s of the real service: 0.1 s here
        await cluster.until(lambda: verdict(cluster, "Failed"))
        assert len(cluster.pods()) == 2


def test_the_back_off_doubles_up_to_ten_minutes():
    assert [backoff(failures) for failures in (0, 1, 2, 3, 6, 7, 60)] == [0, 10, 20, 40, 320, 600, 600]


@pytest.mark.parametrize(("indexes", "text"), [([], ""), ([0], "0"), ([0, 1, 2], "0-2"), ([1, 3, 4, 5, 7], "1,3-5,7")])
def test_completed_indexes_are_written_as_ranges(indexes: list[int], text: str):
    assert ranges(indexes) == text
    assert parsed_ranges(text) == frozenset(indexes)
