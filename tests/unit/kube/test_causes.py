from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.kube.causes import cause_of, refusal


def pod(**container: Any) -> dict[str, Any]:
    status = {"name": "web", "image": "r/web:1", "restartCount": 0, **container}
    return {"metadata": {"name": "web-1"}, "status": {"phase": "Pending", "containerStatuses": [status]}}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return pod(state={"waiting": {"reason": reason, "message": message}}, **more)


def event(reason: str, message: str, at: str = "2026-11-22T10:00:00Z") -> dict[str, Any]:
    return {"reason": reason, "message": message, "lastTimestamp": at}


BARE: dict[str, Any] = {"metadata": {"name": "web-1"}, "status": {"phase": "Pending"}}


def test_an_image_that_is_not_there_is_certain_at_once() -> None:
    text = 'rpc error: code = NotFound desc = failed to pull and unpack image "r/web:1": r/web:1: not found'
    cause = cause_of(waiting("ErrImagePull", text))
    assert cause is not None
    assert (cause.code, cause.grace, cause.pod) == ("ImageUnknown", 0.0, "web-1")
    assert "`r/web:1`" in cause.message
    assert "rpc error" not in cause.message


@pytest.mark.parametrize(("reason", "certain"), [("ErrImageNeverPull", True), ("ImagePullBackOff", False)])
def test_an_image_that_may_still_come_is_given_time(reason: str, certain: bool) -> None:
    cause = cause_of(waiting(reason, "Back-off pulling image"))
    assert cause is not None
    assert (cause.grace == 0.0) is certain


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        (
            'failed to get sandbox runtime: no runtime for "aks-wasm-spin" is configured',
            "NoRuntime",
            "`aks-wasm-spin`",
        ),
        (
            'unable to get OCI runtime for sandbox "1": no runtime for "spin" is configured',
            "NoRuntime",
            "`spin`",
        ),
        (
            (
                'failed to resolve runtime path: runtime "io.containerd.spin.v2" binary not installed '
                '"containerd-shim-spin-v2": file does not exist'
            ),
            "NoShimBinary",
            "`containerd-shim-spin-v2`",
        ),
        ("no network", "NoSandbox", "no network"),
    ],
)
def test_a_node_without_the_shim_is_named_from_its_event(text: str, code: str, named: str) -> None:
    cause = cause_of(BARE, [event("Scheduled", "ok", "2026-11-22T09:00:00Z"), event("FailedCreatePodSandBox", text)])
    assert cause is not None
    assert cause.code == code
    assert named in cause.message
    assert cause.grace is None or cause.grace > 0


def test_a_crash_counts_once_it_repeats() -> None:
    last = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    assert cause_of(waiting("CrashLoopBackOff", restartCount=1, lastState=last)) is None
    cause = cause_of(waiting("CrashLoopBackOff", restartCount=2, lastState=last))
    assert cause is not None
    assert (cause.code, cause.container, cause.previous, cause.grace) == ("CrashLoop", "web", True, 0.0)
    assert "exit code 137 (OOMKilled)" in cause.message


def test_a_container_that_its_node_lost_has_not_crashed() -> None:
    lost = {"terminated": {"exitCode": 255, "reason": "Unknown"}}
    cause = cause_of(waiting("CrashLoopBackOff", restartCount=4, lastState=lost))
    assert cause is not None
    assert (cause.code, cause.grace) == ("Restarted", None)


def test_a_wasm_container_above_its_memory_limit_is_told_as_such() -> None:
    cause = cause_of(pod(state={"terminated": {"exitCode": 137, "reason": "Error"}}))
    assert cause is not None
    assert cause.message == "it ended with exit code 137 (killed: above its memory limit, or a Wasm trap)"


def test_options_that_the_shim_refuses_are_soon_certain() -> None:
    text = (
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to create containerd task: failed to "
        "start shim: invalid shim options: TOML parse error at line 1, column 1: missing field `systemd_cgroup`"
    )
    cause = cause_of(BARE, [event("FailedCreatePodSandBox", text)])
    assert cause is not None
    assert cause.code == "ShimOptionsInvalid"
    assert "missing field `systemd_cgroup`" in cause.message
    assert "rpc error" not in cause.message
    assert cause.grace is not None
    assert cause.grace <= 10


def test_a_container_that_ended_badly_is_told_but_may_be_started_again() -> None:
    cause = cause_of(pod(state={"terminated": {"exitCode": 3, "reason": "Error", "message": "boom"}}))
    assert cause is not None
    assert (cause.code, cause.grace) == ("ContainerFailed", None)
    assert cause.message == "it ended with exit code 3: boom"


def test_no_room_may_always_pass_since_the_autoscaler_may_act() -> None:
    cause = cause_of(BARE, [event("FailedScheduling", "0/1 nodes are available")])
    assert cause is not None
    assert (cause.code, cause.grace) == ("Unschedulable", None)


def test_what_was_overcome_is_no_cause() -> None:
    events = [
        event("FailedCreatePodSandBox", "no network", "2026-11-22T09:00:00Z"),
        event("Started", "Started container web", "2026-11-22T09:01:00Z"),
    ]
    assert cause_of(BARE, events) is None


def test_missing_configuration_is_given_a_moment() -> None:
    cause = cause_of(waiting("CreateContainerConfigError", 'secret "web-env" not found'))
    assert cause is not None
    assert 'secret "web-env" not found' in cause.message
    assert cause.grace


def test_a_controller_that_may_make_no_pods_says_so() -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "message": 'RuntimeClass "x" not found'}
    cause = refusal([{"type": "Available", "status": "False"}, condition])
    assert cause is not None
    assert 'RuntimeClass "x" not found' in cause.message
    assert refusal([]) is None
