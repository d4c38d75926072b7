"""Workloads get another RuntimeClass: what each kind needs until its pods have it, and how it gets the old one back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from aks_wasm.emulator.cluster.store import Store
from aks_wasm.errors import WorkloadFailed
from aks_wasm.events import Warned
from aks_wasm.kube.client import KubeClient
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.steps.move import MoveWorkloads
from aks_wasm.steps.step import StepContext
from tests.kube.running_api import RunningApi
from tests.unit.clocks import FakeClock

SECONDS = 60.0
PLURALS = {"StatefulSet": "statefulsets.apps", "DaemonSet": "daemonsets.apps", "Deployment": "deployments.apps"}


@dataclass
class Moving:
    """A workload with RuntimeClass `NAME-old` that moves to `NAME-new`; at each pause its controller goes on."""

    api: RunningApi
    client: KubeClient
    kind: str
    name: str
    statuses: list[dict[str, Any]] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    def apply(self, **spec: Any) -> None:
        template: dict[str, Any] = {
            "metadata": {"labels": {"app": self.name}},
            "spec": {"runtimeClassName": f"{self.name}-old", "containers": [{"name": "app", "image": "i:1"}]},
        }
        if self.kind == "CronJob":
            template["spec"]["restartPolicy"] = "Never"
            content = {"schedule": "0 * * * *", "jobTemplate": {"spec": {"template": template}}}
        else:
            content = {"selector": {"matchLabels": {"app": self.name}}, "template": template, **spec}
        if self.kind == "StatefulSet":
            content["serviceName"] = self.name
        version = "batch/v1" if self.kind == "CronJob" else "apps/v1"
        metadata = {"name": self.name, "namespace": "default"}
        self.client.apply({"apiVersion": version, "kind": self.kind, "metadata": metadata, "spec": content})

    def move(self) -> str | None:
        spec = ClusterSpec.model_validate({"metadata": {"name": "demo"}})
        clock = FakeClock(self._go_on)
        context = StepContext(
            spec,
            None,  # type: ignore[arg-type]
            lambda: self.client,
            lambda event: self.warned.append(event.message) if isinstance(event, Warned) else None,
            clock,
            deadline=SECONDS,
            on_state=self.states.append,
        )
        return MoveWorkloads({f"{self.name}-old": f"{self.name}-new"}, everybody=True).run(context)

    def _go_on(self, _time: float) -> bool:
        if self.statuses:
            self.set_status(self.statuses.pop(0))
        return False

    def set_status(self, status: dict[str, Any]) -> None:
        def change(found: dict[str, Any]) -> None:
            found["status"] = {"observedGeneration": found["metadata"]["generation"], **status}

        self.api.do(lambda store: store.mutate(PLURALS[self.kind], self.name, "default", change))

    def runtime_class(self) -> str:
        live = self.client.get(self.kind, self.name, "default") or {}
        spec = live["spec"]["jobTemplate"]["spec"] if self.kind == "CronJob" else live["spec"]
        return str(spec["template"]["spec"]["runtimeClassName"])

    def pod(self, name: str, runtime_class: str, *, ready: bool) -> None:
        live = self.client.get(self.kind, self.name, "default") or {}
        reference = {key: live["metadata"][key] for key in ("name", "uid")}
        owner = {"apiVersion": live["apiVersion"], "kind": self.kind, **reference}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name, "namespace": "default", "labels": {"app": self.name}, "ownerReferences": [owner],
            },
            "spec": {"runtimeClassName": runtime_class, "containers": [{"name": "app", "image": "i:1"}]},
        }  # fmt: skip
        conditions = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}

        def create(store: Store) -> None:
            store.create("pods", pod)
            store.mutate("pods", name, "default", lambda found: found.update(status=conditions))

        self.api.do(create)


@pytest.fixture
def moving(api: RunningApi, client: KubeClient) -> Callable[[str, str], Moving]:
    return lambda kind, name: Moving(api, client, kind, name)


def stateful(ready: int, updated: int, current: str = "old") -> dict[str, Any]:
    return {"replicas": 2, "readyReplicas": ready, "updatedReplicas": updated,
            "currentRevision": current, "updateRevision": "new"}  # fmt: skip


def test_a_stateful_set_has_moved_when_its_last_pod_has(moving: Callable[[str, str], Moving]) -> None:
    db = moving("StatefulSet", "db")
    db.apply(replicas=2)
    db.statuses = [stateful(1, 0), stateful(2, 1), stateful(1, 1), stateful(2, 2, "new")]
    assert db.move() == "statefulset/db"
    assert db.states[1:] == [
        "not looked at yet",
        "1 of 2 ready",
        "1 of 2 updated",
        "1 of 2 ready",
        "2 of 2 updated",
    ]
    assert (db.runtime_class(), db.statuses, db.warned) == ("db-new", [], [])


def test_what_a_partition_holds_back_is_not_waited_for(moving: Callable[[str, str], Moving]) -> None:
    parted = moving("StatefulSet", "parted")
    parted.apply(replicas=2, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 1}})
    parted.statuses = [stateful(2, 0), stateful(2, 1)]
    assert parted.move() == "statefulset/parted"
    assert parted.states[-1] == "1 of 1 updated"


def test_a_daemon_set_has_moved_when_every_node_has_its_new_pod(moving: Callable[[str, str], Moving]) -> None:
    agent = moving("DaemonSet", "agent")
    agent.apply()
    counts = {"desiredNumberScheduled": 2, "numberAvailable": 2, "numberReady": 2}
    agent.statuses = [{**counts, "updatedNumberScheduled": 1}, {**counts, "updatedNumberScheduled": 2}]
    assert agent.move() == "daemonset/agent"
    assert agent.states[1:] == ["not looked at yet", "1 of 2 ready", "2 of 2 ready"]


@pytest.mark.parametrize(
    ("kind", "spec", "said"),
    [
        ("DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, "only when somebody deletes it (OnDelete)"),
        ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, "only when somebody deletes it (OnDelete)"),
        ("Deployment", {"paused": True}, "its roll-out is paused"),
        ("CronJob", {}, "the next that it makes is the first to have it"),
    ],
)
def test_what_gets_no_new_pods_by_itself_is_told_and_not_waited_for(
    moving: Callable[[str, str], Moving], kind: str, spec: dict[str, Any], said: str
) -> None:
    held = moving(kind, f"held-{kind.lower()}{len(spec.get('updateStrategy', ''))}")
    held.apply(**spec)
    held.move()
    assert held.runtime_class() == f"{held.name}-new"
    (warned,) = held.warned
    assert warned.startswith(f"{kind.lower()}/{held.name} has `{held.name}-new`, but ")
    assert warned.endswith(said)


def test_a_stateful_set_that_does_not_get_ready_goes_back_and_is_not_stuck(
    moving: Callable[[str, str], Moving], client: KubeClient
) -> None:
    stuck = moving("StatefulSet", "stuck")
    stuck.apply(replicas=2)
    for name in ("stuck-old", "stuck-new"):
        runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": name}
        client.apply(runtime)
    stuck.pod("stuck-1", "stuck-new", ready=False)
    stuck.pod("stuck-0", "stuck-old", ready=True)
    stuck.statuses = [stateful(1, 1)]
    with pytest.raises(WorkloadFailed, match="statefulset/stuck does not get ready with `stuck-new`"):
        stuck.move()
    assert stuck.runtime_class() == "stuck-old"
    assert stuck.client.get("Pod", "stuck-1", "default") is None
    assert stuck.client.get("Pod", "stuck-0", "default") is not None
    assert "has `stuck-old` back but is not ready" in stuck.warned[0]
