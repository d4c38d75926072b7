"""Wasm containers that start and don't stay."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.workflows.doctor.scenes import (
    HANDLER,
    OURS,
    event,
    found,
    meta,
    node,
    only,
    pod,
    report,
    runtime_class,
    terminated,
    view,
)

LIMITED = {"resources": {"limits": {"cpu": "200m", "memory": "64Mi"}}}
BY_SET = {"kind": "ReplicaSet", "name": "web-55", "uid": "set-1"}
SET = {
    "kind": "ReplicaSet",
    "metadata": meta(
        "web-55", uid="set-1", ownerReferences=[{"controller": True, "kind": "Deployment", "name": "web"}]
    ),
    "spec": {"replicas": 0},
    "status": {},
}
READY = [{"type": "Ready", "status": "True"}]
LINKER = "component imports instance `wasi:http/types@0.2.8`, but a matching implementation was not found in the linker"


@pytest.mark.parametrize("reason", ["Error", "OOMKilled"])
def test_a_memory_limit_kills_with_either_reason(reason: str) -> None:
    killed = pod(container=LIMITED, owner=BY_SET, phase="Running", status=terminated(137, reason, restarts=3))
    told = only(view(node(), killed, SET, runtime_class()))
    assert (told.code, told.demand) == ("MemoryLimit", 41)
    assert "memory limit of 64Mi" in told.message
    assert ("gives OOMKilled" in told.message) is (reason == "Error")
    set_resources = "kubectl --kubeconfig k --namespace default set resources deployment/web"
    assert told.command == f"{set_resources} --containers=main --limits=memory=128Mi"


def test_our_own_limit_is_raised_in_the_file() -> None:
    labels = {"app.kubernetes.io/managed-by": "aks-wasm", "app.kubernetes.io/name": "web"}
    killed = pod(container=LIMITED, labels=labels, status=terminated(137, restarts=1))
    told = only(view(node(), killed, runtime_class(), ways=OURS))
    assert told.command == "aks-wasm up -f a.yaml --set workloads.0.resources.memory=128Mi"


def test_a_kill_without_a_limit_is_told_apart() -> None:
    assert only(view(node(), pod(status=terminated(137)), runtime_class())).code == "ContainerKilled"


@pytest.mark.parametrize(
    ("log", "code", "demand", "words"),
    [
        ("starting\nError: wasm trap: wasm `unreachable` instruction executed\n", "WasmTrap", None, "unreachable"),
        (f"Error: {LINKER}", "AppNewerThanShim", 43, "wants `wasi:http/types@0.2.8`"),
        ("unknown import: `wasi_nn::load` has not been defined", "AppNewerThanShim", 43, "wants `wasi_nn::load`"),
        ("unsupported manifest version 3", "AppNewerThanShim", 43, "manifest version 3"),
        ("no such table: users", "ContainerFailed", None, "ended with exit code 1"),
    ],
)
def test_the_log_says_what_ended_it(log: str, code: str, demand: int | None, words: str) -> None:
    told = only(view(node(), pod(phase="Failed", status=terminated(1)), runtime_class(), logs={"web-1": log}))
    assert (told.code, told.demand) == (code, demand)
    assert words in told.message
    assert told.evidence is not None
    assert "its last words" in told.evidence


def test_the_log_of_our_own_workload_is_read_by_its_name() -> None:
    labels = {"app.kubernetes.io/managed-by": "aks-wasm", "app.kubernetes.io/name": "web"}
    told = only(view(node(), pod(labels=labels, status=terminated(3, restarts=2)), runtime_class(), ways=OURS))
    assert told.command == "aks-wasm workload logs web --file a.yaml --previous"


def test_a_newer_shim_is_what_an_application_ahead_of_it_wants() -> None:
    told = only(view(node(), pod(status=terminated(1, message=LINKER)), runtime_class()))
    assert told.command == "aks-wasm runtime upgrade --kubeconfig k --shim spin"


def test_containers_lost_with_their_containerd_are_no_finding() -> None:
    assert found(view(node(), pod(status=terminated(255, "Unknown", restarts=1)), runtime_class())) == []


@pytest.mark.parametrize("kind", ["Startup", "Liveness"])
def test_a_probe_that_kills_is_told(kind: str) -> None:
    probe = {f"{kind.lower()}Probe": {"httpGet": {"port": 80}}}
    slow = pod(container={**LIMITED, **probe}, owner=BY_SET, phase="Running", status=terminated(137, restarts=2))
    failed = event(slow, "Unhealthy", f"{kind} probe failed: Get http://10.0.0.1:80/: connect: connection refused")
    told = only(view(node(), slow, failed, SET, runtime_class()))
    assert (told.code, told.demand) == ("ProbeKills", 41)
    assert told.command is not None
    assert f'"path":"/spec/template/spec/containers/0/{kind.lower()}Probe/failureThreshold","value":30' in told.command


def test_a_probe_that_failed_before_the_pod_was_ready_is_no_finding() -> None:
    well = pod(container=LIMITED, phase="Running", conditions=READY, status={"restartCount": 1, "ready": True})
    failed = event(well, "Unhealthy", "Startup probe failed: connect: connection refused")
    assert found(view(node(), well, failed, runtime_class())) == []


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ({"livenessProbe": {"exec": {"command": ["true"]}}}, "livenessProbe"),
        ({"lifecycle": {"preStop": {"exec": {"command": ["true"]}}}}, "lifecycle/preStop"),
    ],
)
def test_commands_in_a_wasm_pod_are_told(part: dict[str, Any], path: str) -> None:
    told = only(view(node(), pod(container=part, owner={"kind": "DaemonSet", "name": "d"}), runtime_class()))
    assert (told.code, told.demand) == ("ExecUnsupported", 41)
    assert told.command is not None
    assert f'[{{"op":"remove","path":"/spec/template/spec/containers/0/{path}"}}]' in told.command
    plain = pod(container=part, runtime=None)
    assert found(view(node(), plain)) == []


@pytest.mark.parametrize(("limit", "little"), [("50m", True), ("0.05", True), ("100m", False), ("1", False)])
def test_little_processor_time_is_a_warning(limit: str, little: bool) -> None:
    well = pod(container={"resources": {"limits": {"cpu": limit}}}, phase="Running", conditions=READY)
    every = found(view(node(), well, runtime_class()))
    assert [(one.code, one.severity, one.demand) for one in every] == ([("LittleCpu", "warning", 41)] if little else [])


@pytest.mark.parametrize("measured", [True, False])
def test_wasm_pods_without_metrics_beside_others_with_them_are_told(measured: bool) -> None:
    times: dict[str, Any] = {"phase": "Running", "conditions": READY}
    pods = [pod("web-1", **times), pod("other", runtime=None, **times)]
    for one in pods:
        one["status"]["startTime"] = "2026-11-22T11:00:00Z"
    names = ["other", "web-1"] if measured else ["other"]
    metrics = [{"kind": "PodMetrics", "metadata": meta(name)} for name in names]
    scene = view(node(), *pods, *metrics, runtime_class(), reports=[report("n1", HANDLER, systemdCgroup=False)])
    every = found(scene)
    assert [(one.code, one.demand, one.evidence) for one in every] == (
        [] if measured else [("NoSystemdCgroup", 42, "SystemdCgroup there is False")]
    )


def test_jobs_and_bare_pods_are_made_anew() -> None:
    part = {"startupProbe": {"exec": {"command": ["true"]}}}
    job = only(view(node(), pod(container=part, owner={"kind": "Job", "name": "task"}), runtime_class()))
    bare = only(view(node(), pod(container=part), runtime_class()))
    for told, kind in ((job, "job task"), (bare, "pod web-1")):
        assert told.command is not None
        assert f"get {kind} --output yaml" in told.command
        assert told.command.endswith("replace --force --filename -")


@pytest.mark.parametrize("done", [True, False])
def test_a_failed_try_of_a_job_counts_until_another_one_has_done_the_work(done: bool) -> None:
    conditions = [{"type": "Complete", "status": "True"}] if done else []
    job = {
        "kind": "Job",
        "metadata": meta("task", uid="job-1"),
        "spec": {},
        "status": {"conditions": conditions, "active": 1},
    }
    failed = pod(owner={"kind": "Job", "name": "task", "uid": "job-1"}, phase="Failed", status=terminated(1))
    codes = [one.code for one in found(view(node(), job, failed, runtime_class()))]
    assert codes == ([] if done else ["ContainerFailed"])


@pytest.mark.parametrize("ready", [1, 0])
def test_a_failed_pod_counts_until_its_replica_set_has_others(ready: int) -> None:
    replicas = {**SET, "spec": {"replicas": 1}, "status": {"replicas": 1, "readyReplicas": ready}}
    failed = pod(owner=BY_SET, phase="Failed", status=terminated(1))
    codes = [one.code for one in found(view(node(), replicas, failed, runtime_class()))]
    assert codes == ([] if ready else ["ContainerFailed"])
