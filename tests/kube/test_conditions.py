from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aks_wasm.emulator.cluster.store import Store
from aks_wasm.errors import Interrupted, TimedOut, WorkloadFailed
from aks_wasm.kube.client import KubeClient
from aks_wasm.kube.conditions import endpoint_of, is_ready, wait_for, wait_gone, why_not_ready
from aks_wasm.kube.workloads import Placement, workload_manifests
from aks_wasm.spec.models import Workload
from aks_wasm.waits import Patience, Seen
from tests.kube.running_api import RunningApi
from tests.unit.clocks import FakeClock

Change = Callable[[Store], object]


class Situation:
    """A workload that was applied, and a clock at whose pauses the cluster moves on."""

    def __init__(self, api: RunningApi, client: KubeClient, name: str, **fields: Any) -> None:
        self.api, self.client, self.name = api, client, name
        workload = Workload(name=name, **fields)
        self.manifests = workload_manifests(
            workload, owner="demo", placement=Placement("none"), image="i:1", secrets={}
        )
        for manifest in self.manifests:
            client.apply(manifest)
        self.main = self.manifests[0]
        self.later: list[Change] = []
        self.states: list[str] = []
        self.clock = FakeClock(self._move)

    def _move(self, _time: float) -> bool:
        if self.later:
            self.api.do(self.later.pop(0))
        return False

    def wait(self, timeout: float = 100.0) -> dict[str, Any]:
        return wait_for(self.client, self.main, Patience(timeout, self.clock, self.states.append))

    def pod(self, name: str, owner: dict[str, Any], state: dict[str, Any]) -> None:
        labels = self.main["spec"]["template"]["metadata"]["labels"]
        self.api.do(
            lambda store: store.create(
                "pods",
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {
                        "name": name,
                        "namespace": "default",
                        "labels": {**labels, **(owner["spec"].get("selector") or {}).get("matchLabels", {})},
                        "ownerReferences": [
                            {
                                "apiVersion": owner["apiVersion"],
                                "kind": owner["kind"],
                                "name": owner["metadata"]["name"],
                                "uid": owner["metadata"]["uid"],
                            }
                        ],
                    },
                    "spec": {"nodeName": "n", "containers": [{"name": self.name, "image": "i:1"}]},
                },
            )
        )
        self.api.do(status("pods", name, **state))

    def live(self, kind: str = "Deployment") -> dict[str, Any]:
        found = self.client.get(kind, self.main["metadata"]["name"], "default")
        assert found is not None
        return found

    def replica_set(self, revision: str) -> dict[str, Any]:
        deployment = self.live()
        name = f"{self.name}-{revision}"
        template = {**self.main["spec"]["template"]}
        return self.api.do(
            lambda store: store.create(
                "replicasets.apps",
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "metadata": {
                        "name": name,
                        "namespace": "default",
                        "labels": template["metadata"]["labels"],
                        "annotations": {"deployment.kubernetes.io/revision": revision},
                        "ownerReferences": [
                            {
                                "apiVersion": "apps/v1",
                                "kind": "Deployment",
                                "name": self.name,
                                "uid": deployment["metadata"]["uid"],
                            }
                        ],
                    },
                    "spec": {"selector": deployment["spec"]["selector"], "template": template},
                },
            )
        )

    def revision(self, number: str) -> None:
        self.client.annotate("Deployment", self.name, {"deployment.kubernetes.io/revision": number}, "default")


def status(plural: str, name: str, **fields: Any) -> Change:
    def change(found: dict[str, Any]) -> None:
        generation = found["metadata"].get("generation", 1)
        found["status"] = {"observedGeneration": generation, **fields}

    return lambda store: store.mutate(plural, name, "default", change)


def rolled_out(name: str, count: int) -> Change:
    return status(
        "deployments.apps", name, replicas=count, updatedReplicas=count, readyReplicas=count, availableReplicas=count
    )


def waiting(reason: str, message: str = "", restarts: int = 0, last: dict[str, Any] | None = None) -> dict[str, Any]:
    container = {
        "name": "c",
        "image": "i:1",
        "imageID": "",
        "ready": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": reason, "message": message}},
    }
    if last:
        container["lastState"] = {"terminated": last}
    return {"phase": "Pending", "containerStatuses": [container]}


def test_a_deployment_is_waited_for_until_all_new_pods_are_there(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "rolls", replicas=2)
    situation.later = [
        status("deployments.apps", "rolls", replicas=2, updatedReplicas=1, availableReplicas=2),
        rolled_out("rolls", 2),
    ]
    found = situation.wait()
    assert is_ready(found)
    assert situation.states == ["not looked at yet", "1 of 2 ready", "2 of 2 ready"]


def test_a_deployment_of_none_is_ready(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "none", replicas=0)
    situation.later = [rolled_out("none", 0)]
    assert is_ready(situation.wait())


def test_time_runs_out_with_the_last_state(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "slow")
    api.do(rolled_out("slow", 0))
    with pytest.raises(TimedOut, match=r"Deployment `slow` was not ready after 5 s \(last seen: 0 of 1 ready\)"):
        situation.wait(5)


def test_an_image_that_is_not_there_ends_the_wait_at_once(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "noimage")
    api.do(rolled_out("noimage", 0))
    situation.revision("1")
    owner = situation.replica_set("1")
    situation.pod("noimage-a", owner, waiting("ErrImagePull", "rpc error: code = NotFound desc = i:1: not found"))
    with pytest.raises(WorkloadFailed, match=r"Deployment `noimage` cannot run: .*cannot be pulled") as caught:
        situation.wait()
    assert caught.value.code == "ImageUnknown"
    assert "(pod `noimage-a`)" in caught.value.message
    assert situation.clock.time == 0
    assert (
        why_not_ready(client, situation.live()) == "the image `i:1` cannot be pulled: i:1: not found (pod `noimage-a`)"
    )


def test_a_node_without_the_runtime_is_given_its_grace_and_then_named(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "noruntime")
    api.do(rolled_out("noruntime", 0))
    situation.revision("1")
    situation.pod("noruntime-a", situation.replica_set("1"), {"phase": "Pending"})
    pod = client.get("Pod", "noruntime-a", "default")
    assert pod is not None
    text = 'rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for "x" is configured'
    api.do(lambda store: store.record_event(pod, "FailedCreatePodSandBox", text, type="Warning"))
    with pytest.raises(WorkloadFailed, match="no runtime for the handler `x`") as caught:
        situation.wait()
    assert caught.value.code == "NoRuntime"
    assert 30 <= situation.clock.time < 45
    assert any("no runtime" in state for state in situation.states)


def test_a_cause_that_passes_ends_nothing(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "passes")
    api.do(rolled_out("passes", 0))
    situation.revision("1")
    situation.pod("passes-a", situation.replica_set("1"), waiting("ImagePullBackOff"))
    situation.later = [
        lambda _store: None,
        lambda store: store.mutate("pods", "passes-a", "default", lambda pod: pod.update(status={"phase": "Pending"})),
        rolled_out("passes", 1),
    ]
    assert is_ready(situation.wait())


def test_a_crash_loop_is_told_with_the_last_lines_of_its_log(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "crashes")
    api.do(rolled_out("crashes", 0))
    situation.revision("1")
    state = waiting("CrashLoopBackOff", "back-off", 3, {"exitCode": 2, "reason": "Error"})
    state["containerStatuses"][0]["name"] = "crashes"
    situation.pod("crashes-a", situation.replica_set("1"), state)
    api.logs.texts["crashes-a", True] = b"starting\npanic: no database\n"
    with pytest.raises(WorkloadFailed, match="3 restarts; it ended with exit code 2") as caught:
        situation.wait()
    assert caught.value.details == "starting\npanic: no database"
    assert "workload logs" in (caught.value.hint or "")


def test_pods_of_an_older_template_may_fail_as_they_like(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "older")
    api.do(rolled_out("older", 0))
    situation.revision("2")
    situation.pod("older-a", situation.replica_set("1"), waiting("InvalidImageName"))
    situation.pod("older-b", situation.replica_set("2"), {"phase": "Pending"})
    situation.later = [lambda _store: None, rolled_out("older", 1)]
    assert is_ready(situation.wait())


def test_pods_that_are_refused_are_told(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "refused")
    condition = {"type": "ReplicaFailure", "status": "True", "message": 'RuntimeClass "x" not found'}
    api.do(status("deployments.apps", "refused", conditions=[condition]))
    with pytest.raises(WorkloadFailed, match='its pods are refused: RuntimeClass "x" not found'):
        situation.wait()


def test_a_job_is_waited_for_until_it_is_complete(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "works", kind="job")
    name = situation.main["metadata"]["name"]
    situation.later = [
        status("jobs.batch", name, active=1),
        status("jobs.batch", name, succeeded=1, conditions=[{"type": "Complete", "status": "True"}]),
    ]
    assert is_ready(situation.wait())
    assert situation.states == ["0 of 1 completed", "1 of 1 completed"]


def test_a_job_that_failed_says_why_with_its_log(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "fails", kind="job")
    name = situation.main["metadata"]["name"]
    ended = {"name": "fails", "image": "i:1", "state": {"terminated": {"exitCode": 7, "reason": "Error"}}}
    situation.pod("fails-a", situation.live("Job"), {"phase": "Failed", "containerStatuses": [ended]})
    api.logs.texts["fails-a", False] = b"cannot open file\n"
    failed = {
        "type": "Failed",
        "status": "True",
        "reason": "BackoffLimitExceeded",
        "message": "Job has reached the specified backoff limit",
    }
    situation.later = [status("jobs.batch", name, failed=3, conditions=[failed])]
    with pytest.raises(WorkloadFailed, match="exit code 7") as caught:
        situation.wait()
    assert caught.value.code == "JobFailed"
    assert "BackoffLimitExceeded" in caught.value.message
    assert caught.value.details == "cannot open file"
    told = why_not_ready(client, situation.live("Job"))
    assert told is not None
    assert told.startswith("it failed: it ended with exit code 7 (BackoffLimitExceeded")
    assert told.endswith("(pod `fails-a`)")


def test_a_load_balancer_is_waited_for_until_it_has_an_address(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "public", port=8080)
    situation.main = situation.manifests[1]
    address = {"loadBalancer": {"ingress": [{"ip": "20.1.2.3"}]}}
    situation.later = [
        lambda store: store.mutate("services", "public", "default", lambda found: found.update(status=address))
    ]
    found = situation.wait()
    assert endpoint_of(found) == "http://20.1.2.3:8080"
    assert situation.states == ["no address yet", "ready"]


def test_a_daemon_set_is_waited_for_on_every_node(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "everywhere")
    daemon = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "everywhere", "namespace": "default"},
        "spec": {key: situation.main["spec"][key] for key in ("selector", "template")},
    }
    client.apply(daemon)
    situation.main = daemon
    counts = {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}
    situation.later = [
        status("daemonsets.apps", "everywhere", **counts, numberReady=1),
        status("daemonsets.apps", "everywhere", **counts, numberReady=2),
    ]
    assert is_ready(situation.wait())
    assert situation.states == ["not looked at yet", "1 of 2 ready", "2 of 2 ready"]


def probe_pod(name: str) -> dict[str, Any]:
    spec = {"nodeName": "n", "restartPolicy": "Never", "containers": [{"name": "probe", "image": "i"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


@pytest.mark.parametrize(
    "fields",
    [{"phase": "Succeeded"}, {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}],
)
def test_a_pod_is_ready_when_it_serves_or_has_succeeded(
    api: RunningApi, client: KubeClient, fields: dict[str, Any]
) -> None:
    name = f"probe-{fields['phase'].lower()}"
    client.apply(probe_pod(name))
    clock = FakeClock(lambda _time: bool(api.do(status("pods", name, **fields))) and False)
    assert is_ready(wait_for(client, probe_pod(name), Patience(10, clock)))


def test_a_pod_that_failed_is_told(api: RunningApi, client: KubeClient) -> None:
    client.apply(probe_pod("probe-bad"))
    ended = {"name": "probe", "image": "i", "state": {"terminated": {"exitCode": 1}}}
    api.do(status("pods", "probe-bad", phase="Failed", containerStatuses=[ended]))
    api.logs.texts["probe-bad", False] = b"trap\n"
    with pytest.raises(WorkloadFailed, match="Pod `probe-bad` cannot run: it ended with exit code 1") as caught:
        wait_for(client, probe_pod("probe-bad"), Patience(10, FakeClock()))
    assert caught.value.details == "trap"


def test_other_kinds_are_ready_when_they_exist(client: KubeClient) -> None:
    manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sa", "namespace": "default"}}
    with pytest.raises(TimedOut, match="last seen: not there"):
        wait_for(client, manifest, Patience(1, FakeClock()))
    client.apply(manifest)
    assert wait_for(client, manifest, Patience(1, FakeClock()))["metadata"]["name"] == "sa"


def test_a_wait_can_be_interrupted(api: RunningApi, client: KubeClient) -> None:
    situation = Situation(api, client, "interrupted")
    situation.clock = FakeClock(lambda _time: True)
    with pytest.raises(Interrupted):
        situation.wait()


def test_a_deletion_is_waited_for_and_what_holds_it_is_named(api: RunningApi, client: KubeClient) -> None:
    held = {"name": "held", "namespace": "default", "finalizers": ["example.com/guard"]}
    api.do(lambda store: store.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": held}))
    client.delete("ConfigMap", "held", "default")
    with pytest.raises(TimedOut, match="held by example"):
        wait_gone(client, "ConfigMap", "held", "default", Patience(5, FakeClock()))

    def release(_time: float) -> bool:
        api.do(lambda store: store.mutate("configmaps", "held", "default", lambda o: o["metadata"].pop("finalizers")))
        return False

    wait_gone(client, "ConfigMap", "held", "default", Patience(5, FakeClock(release)))
    assert client.get("ConfigMap", "held", "default") is None


@pytest.mark.parametrize(
    ("ingress", "port", "url"),
    [
        ([{"ip": "1.2.3.4"}], 80, "http://1.2.3.4"),
        ([{"ip": "1.2.3.4"}], 81, "http://1.2.3.4:81"),
        ([{"hostname": "a.example"}], 80, "http://a.example"),
        ([{"ip": "2001:db8::1"}], 81, "http://[2001:db8::1]:81"),
        ([], 80, None),
        (None, 80, None),
    ],
)
def test_the_endpoint_is_the_load_balancers_address(ingress: Any, port: int, url: str | None) -> None:
    service = {
        "metadata": {},
        "spec": {"ports": [{"port": port}]},
        "status": {"loadBalancer": {"ingress": ingress}},
    }
    assert endpoint_of(service) == url


def test_an_endpoint_that_is_noted_on_the_service_wins() -> None:
    service = {"metadata": {"annotations": {"aks-wasm.dev/endpoint": "http://localhost:32001"}}, "spec": {}}
    assert endpoint_of(service) == "http://localhost:32001"


def test_what_is_taken_away_meanwhile_can_be_made_again(api: RunningApi, client: KubeClient) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "gone-again", "namespace": "default"},
        "spec": {"nodeName": "n", "containers": [{"name": "a", "image": "i:1"}]},
    }

    def make_again() -> Seen[dict[str, Any]]:
        client.apply(pod)
        api.do(status("pods", "gone-again", phase="Succeeded"))
        return Seen("probing again")

    states: list[str] = []
    wait_for(client, pod, Patience(100, FakeClock(), states.append), make_again)
    assert states == ["probing again", "Succeeded"]
