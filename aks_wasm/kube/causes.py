"""Why a pod does not run, read from its status and events. Pure; the texts are those of kubelet and containerd.

Answers demand 28 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aks_wasm.kube.sayings import hear

_NOT_FOUND = "code = NotFound"  # gRPC's own word for it, in containerd's answer to a pull
_IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff")
_START_REASONS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_CRASHES = 2  # restarts after which a crash counts as one that time does not mend
_LOST = ("Unknown", 255)  # reason and exit code that containerd gives a container it lost while it was away itself
# Of a Wasm container above its memory limit, where runc's has OOMKilled, or one whose runtime returned an error.
_KILLED = ("Error", 137)

# Seconds that a state must last before it counts: nodes that are just being provisioned show them too.
_RUNTIME_GRACE = 30.0
_IMAGE_GRACE = 45.0
_START_GRACE = 15.0
_QUOTA_GRACE = 10.0
_OPTIONS_GRACE = 5.0


@dataclass(frozen=True)
class Cause:
    """Something that keeps a pod from running.

    Attributes:
        code: A stable word, for example `NoRuntime`.
        message: What it is, in one sentence without the pod's name.
        grace: Seconds it must last before nothing else can be hoped for; None when it may always pass.
        hint: The way out.
        pod: The pod's name.
        container: The container whose log says more, or None.
        previous: Whether that log is of the container before the restart.
    """

    code: str
    message: str
    grace: float | None = None
    hint: str | None = None
    pod: str = ""
    container: str | None = None
    previous: bool = False


def cause_of(pod: Mapping[str, Any], events: Iterable[Mapping[str, Any]] = ()) -> Cause | None:
    """Return what keeps a pod from running or completing; None when nothing is known to.

    Args:
        pod: The pod.
        events: Its events, in any order.
    """
    name = str(pod["metadata"]["name"])
    status = pod.get("status", {})
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        found = _container_cause(container, name)
        if found is not None:
            return found
    return _event_cause(events, name)


def _container_cause(container: Mapping[str, Any], pod: str) -> Cause | None:
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    reason, text = str(waiting.get("reason", "")), str(waiting.get("message", ""))
    image = container.get("image", "")
    if reason in ("InvalidImageName", "ErrImageNeverPull"):
        return Cause("ImageUnknown", f"the image `{image}` cannot be used: {text or reason}", 0.0, _IMAGE_HINT, pod)
    if reason in _IMAGE_REASONS:
        heard = hear(text)
        code, words = (heard.code, f"{heard.message}: ") if heard else ("ImageUnknown", "")
        grace = 0.0 if _NOT_FOUND in text else _IMAGE_GRACE
        message = f"the image `{image}` cannot be pulled: {words}{_plain(text) or reason}"
        return Cause(code, message, grace, _IMAGE_HINT, pod)
    if reason in _START_REASONS:
        heard = hear(text)
        code, words = (heard.code, f"{heard.message}: ") if heard else (reason, "")
        return Cause(code, f"the container cannot start: {words}{text or reason}", _START_GRACE, None, pod)
    if reason == "CrashLoopBackOff" and container.get("restartCount", 0) >= _CRASHES:
        return _crash(container, pod)
    terminated = state.get("terminated") or {}
    if terminated.get("exitCode"):
        return Cause(
            "ContainerFailed", _ending(terminated), None, _LOG_HINT, pod, str(container.get("name", "")) or None
        )
    return None


def _plain(text: str) -> str:
    """Return what containerd said without kubelet's and gRPC's words before it, which change from look to look."""
    return text.rpartition("desc = ")[2].strip()


def _crash(container: Mapping[str, Any], pod: str) -> Cause:
    last = (container.get("lastState") or {}).get("terminated") or {}
    count = container.get("restartCount", 0)
    if (last.get("reason"), last.get("exitCode")) == _LOST:
        return Cause("Restarted", "its node's containerd or the node itself restarted, and it is started anew", pod=pod)
    message = f"it ends again and again ({count} restarts; {_ending(last)})"
    return Cause("CrashLoop", message, 0.0, _LAST_LOG_HINT, pod, str(container.get("name", "")) or None, previous=True)


def _ending(terminated: Mapping[str, Any]) -> str:
    reason = terminated.get("reason")
    why = f" ({reason})" if reason and reason not in ("Error", "Completed") else ""
    if (reason, terminated.get("exitCode")) == _KILLED:
        why = " (killed: above its memory limit, or a Wasm trap)"
    said = f": {terminated['message'].strip()}" if terminated.get("message") else ""
    return f"it ended with exit code {terminated.get('exitCode', 'unknown')}{why}{said}"


def _event_cause(events: Iterable[Mapping[str, Any]], pod: str) -> Cause | None:
    latest = sorted(events, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    for event in reversed(latest):
        text = str(event.get("message", ""))
        match event.get("reason"):
            case "FailedCreatePodSandBox":
                return _sandbox_cause(text, pod)
            case "FailedScheduling":
                return Cause("Unschedulable", f"no node takes it: {text}", None, _ROOM_HINT, pod)
            case "FailedMount":
                return Cause("FailedMount", text, None, None, pod)
            case "Started" | "Created":
                return None
            case _:
                continue
    return None


def _sandbox_cause(text: str, pod: str) -> Cause:
    heard = hear(text)
    if heard is None or heard.code not in _SANDBOX:
        return Cause("NoSandbox", f"its node cannot make a sandbox for it: {text}", None, None, pod)
    grace, hint = _SANDBOX[heard.code]
    said = f": {_plain(text)}" if heard.code == "ShimOptionsInvalid" else ""
    return Cause(heard.code, heard.message + said, grace, hint, pod)


def refusal(conditions: Iterable[Mapping[str, Any]]) -> Cause | None:
    """Return why a controller cannot create pods at all (quota, admission), from its conditions."""
    for condition in conditions:
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return Cause("PodsRefused", f"its pods are refused: {condition.get('message', '')}", _QUOTA_GRACE)
    return None


_IMAGE_HINT = "check the image's name, that it was pushed, and that the nodes may pull it (AcrPull)"
_LOG_HINT = "read its log: `aks-wasm workload logs NAME`"
_LAST_LOG_HINT = "read its log: `aks-wasm workload logs NAME --previous`"
_SHIM_HINT = "the shim is not on that node, or was lost when the node was repaired: `aks-wasm up` puts it back"
_OPTIONS_HINT = "containerd before 1.7 passes no options on: take a node image with a newer one, or none for this shim"
_ROOM_HINT = "is there a Wasm pool of that architecture with room? `aks-wasm status` shows them"
_SANDBOX = {
    "NoRuntime": (_RUNTIME_GRACE, _SHIM_HINT),
    "NoShimBinary": (_RUNTIME_GRACE, _SHIM_HINT),
    "ShimWrongArchitecture": (_RUNTIME_GRACE, _SHIM_HINT),
    "ShimOptionsInvalid": (_OPTIONS_GRACE, _OPTIONS_HINT),
    "ContainerdDown": (None, None),
}
"""By code: how long it must last, and the way out."""
