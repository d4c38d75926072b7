"""Waiting until what was applied is so; ends at once when a pod's state says that it never will be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import AksWasmError, WorkloadFailed
from aks_wasm.kube import rollouts
from aks_wasm.kube.causes import Cause, cause_of, refusal
from aks_wasm.kube.installing import with_installer
from aks_wasm.kube.outages import tolerant
from aks_wasm.shims.labels import NAME
from aks_wasm.waits import Patience, Seen, wait_until

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

ENDPOINT_ANNOTATION = "aks-wasm.dev/endpoint"
"""On a Service: the URL that answers, where it is not the load balancer's address (emulated clusters)."""

_REVISION = "deployment.kubernetes.io/revision"
_LOG_LINES = 10

Manifest = Mapping[str, Any]
_Look = Callable[["KubeClient", Manifest], Seen[dict[str, Any]]]


def wait_for(
    client: KubeClient,
    manifest: Manifest,
    patience: Patience,
    absent: Callable[[], Seen[dict[str, Any]]] = lambda: Seen("not there"),
) -> dict[str, Any]:
    """Wait until an object that was applied is ready; return it as it is then.

    A Deployment, DaemonSet or StatefulSet is ready when all pods of its newest template are, a Job when it is complete,
    a Pod when it is ready or has succeeded, a LoadBalancer Service when it has an address; other kinds are ready when
    they exist.

    Args:
        client: The cluster.
        manifest: What was applied.
        patience: How long, by which clock, who hears of it.
        absent: What to make of it, and to do about it, when the object is not there.

    Raises:
        WorkloadFailed: A pod's state says that it will never be; the message names the cause, `details` the last lines
            of the log.
        TimedOut: Time is up; the message names the last state.
    """
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    look = _LOOKS.get(kind, _exists)
    watch = _Watch(client, f"{kind} `{name}`", patience)

    def probe() -> Seen[dict[str, Any]]:
        live = client.get(kind, name, manifest["metadata"].get("namespace"))
        if live is None:
            return absent()
        seen = look(client, live)
        if not seen.done and kind in _WITH_PODS:
            return watch.with_cause(seen, live)
        return seen

    found = wait_until(tolerant(probe, patience.clock), what=watch.what, patience=patience)
    return found if found is not None else {}


def wait_gone(client: KubeClient, kind: str, name: str, namespace: str | None, patience: Patience) -> None:
    """Wait until an object is no more, its finalizers included.

    Raises:
        TimedOut: It is still there; the message names what holds it.
    """

    def probe() -> Seen[None]:
        live = client.get(kind, name, namespace)
        if live is None:
            return Seen("gone", done=True)
        held = live["metadata"].get("finalizers") or live.get("spec", {}).get("finalizers") or ()
        return Seen(f"going, held by {', '.join(held)}" if held else "going")

    wait_until(tolerant(probe, patience.clock), what=f"the deletion of {kind} `{name}`", patience=patience)


def endpoint_of(service: Manifest) -> str | None:
    """Return the URL at which a Service answers from outside, or None."""
    annotations = service["metadata"].get("annotations") or {}
    if annotations.get(ENDPOINT_ANNOTATION):
        return str(annotations[ENDPOINT_ANNOTATION])
    for ingress in (service.get("status", {}).get("loadBalancer") or {}).get("ingress") or ():
        host = ingress.get("ip") or ingress.get("hostname")
        if host:
            port = service["spec"]["ports"][0]["port"]
            host = f"[{host}]" if ":" in host else host
            return f"http://{host}" if port == 80 else f"http://{host}:{port}"
    return None


def is_going(live: Manifest) -> bool:
    """Return whether an object has been deleted and only its finalizers or its pods hold it: it can't be kept."""
    return live["metadata"].get("deletionTimestamp") is not None


def is_ready(live: Manifest) -> bool:
    """Return whether an object that was read is ready, as `wait_for` means it, without asking again."""
    look = _READY.get(str(live.get("kind")))
    return True if look is None else look(live).done


class _Watch:
    """Looks at an object's pods while it is not ready, and remembers since when a cause has been there."""

    def __init__(self, client: KubeClient, what: str, patience: Patience) -> None:
        self.what = what
        self._client = client
        self._patience = patience
        self._since: dict[str, float] = {}

    def with_cause(self, seen: Seen[dict[str, Any]], live: Manifest) -> Seen[dict[str, Any]]:
        """Add what its pods say to the state; raise when it is certain."""
        causes = _causes(self._client, live)
        now = self._patience.clock.now()
        codes = {cause.code for cause in causes}
        self._since = {code: self._since.get(code, now) for code in codes}
        for cause in causes:
            if cause.grace is not None and now - self._since[cause.code] >= cause.grace:
                raise failure(self._client, self.what, live, cause)
        if not causes:
            return seen
        return Seen(f"{seen.state}; {causes[0].message}", pause=seen.pause)


def why_not_ready(client: KubeClient, live: Manifest) -> str | None:
    """Return in one sentence why the pods of a Deployment or Job that was read don't run; None when nothing says so."""
    if is_ready(live):
        return None
    failed = _failed_job(client, live) if live["kind"] == "Job" else None
    causes = [failed] if failed else _causes(client, live)
    if not causes:
        return None
    pod = f" (pod `{causes[0].pod}`)" if causes[0].pod else ""
    return f"{causes[0].message}{pod}"


def failure(client: KubeClient, what: str, live: Manifest, cause: Cause) -> WorkloadFailed:
    """Return the error for a cause, with the last lines of the log that says more."""
    pod = f" (pod `{cause.pod}`)" if cause.pod else ""
    lines = _last_lines(client, live["metadata"].get("namespace", "default"), cause)
    name = (live["metadata"].get("labels") or {}).get(NAME, "NAME")
    hint = cause.hint.replace("NAME", name) if cause.hint else None
    return WorkloadFailed(f"{what} cannot run: {cause.message}{pod}", code=cause.code, hint=hint, details=lines)


def _last_lines(client: KubeClient, namespace: str, cause: Cause) -> str | None:
    if cause.container is None:
        return None
    try:
        lines = list(client.logs(namespace, cause.pod, cause.container, tail=_LOG_LINES, previous=cause.previous))
    except AksWasmError:
        return None  # the log went with the pod; the cause stands without it
    return "\n".join(lines) or None


def _causes(client: KubeClient, live: Manifest) -> list[Cause]:
    refused = refusal(live.get("status", {}).get("conditions") or ())
    causes = [refused] if refused else []
    for pod in _pods(client, live):
        if _pod_settled(pod):
            continue
        fields = f"involvedObject.uid={pod['metadata']['uid']}"
        events = client.list("Event", namespace=pod["metadata"]["namespace"], fields=fields)
        found = cause_of(pod, events)
        if found is not None:
            causes.append(with_installer(client, pod, found))
    return causes


def _pods(client: KubeClient, live: Manifest) -> list[dict[str, Any]]:
    """Return an object's own pods, those of its newest template where that can be told: older ones may well fail."""
    if live["kind"] == "Pod":
        return [dict(live)]
    namespace = live["metadata"]["namespace"]
    labels = live["spec"].get("selector") or live["spec"]["template"]["metadata"]
    selector = ",".join(f"{k}={v}" for k, v in (labels.get("matchLabels") or labels.get("labels") or {}).items())
    owner = live["metadata"]["uid"]
    if live["kind"] == "Deployment":
        revision = (live["metadata"].get("annotations") or {}).get(_REVISION)
        sets = client.list("ReplicaSet", namespace=namespace, labels=selector)
        newest = [s for s in sets if (s["metadata"].get("annotations") or {}).get(_REVISION) == revision]
        owner = newest[0]["metadata"]["uid"] if newest else owner
    if live["kind"] == "StatefulSet" and live.get("status", {}).get("updateRevision"):
        selector += f",{rollouts.REVISION_LABEL}={live['status']['updateRevision']}"
    return [
        pod
        for pod in client.list("Pod", namespace=namespace, labels=selector)
        if any(reference["uid"] == owner for reference in pod["metadata"].get("ownerReferences") or ())
    ]


def _pod_settled(pod: Manifest) -> bool:
    return pod["metadata"].get("deletionTimestamp") is not None or _pod(pod).done


def _exists(_client: KubeClient, live: Manifest) -> Seen[dict[str, Any]]:
    return Seen("there", done=True, value=dict(live))


def _job(live: Manifest) -> Seen[dict[str, Any]]:
    status = live.get("status", {})
    conditions = {c["type"]: c for c in status.get("conditions") or () if c.get("status") == "True"}
    wanted = live["spec"].get("completions", 1)
    state = f"{status.get('succeeded', 0)} of {wanted} completed"
    return Seen(state, done="Complete" in conditions, value=dict(live))


def has_failed(job: Manifest) -> bool:
    """Return whether a Job has given up; it never starts again."""
    return _end_of_failure(job) is not None


def _end_of_failure(job: Manifest) -> Manifest | None:
    conditions = job.get("status", {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == "Failed" and c.get("status") == "True"), None)


def _failed_job(client: KubeClient, live: Manifest) -> Cause | None:
    """Return why a Job has given up, from its pods where they still say so; None when it has not."""
    condition = _end_of_failure(live)
    if condition is None:
        return None
    said = f"{condition.get('reason', 'Failed')}: {condition.get('message', '')}".rstrip(": ")
    own = [cause for cause in _causes(client, live) if cause.container]
    if not own:
        return Cause("JobFailed", f"it failed: {said}", 0.0)
    return replace(own[0], code="JobFailed", message=f"it failed: {own[0].message} ({said})", grace=0.0)


def _job_or_failure(client: KubeClient, live: Manifest) -> Seen[dict[str, Any]]:
    if (cause := _failed_job(client, live)) is not None:
        raise failure(client, f"Job `{live['metadata']['name']}`", live, cause)
    return _job(live)


def _pod(live: Manifest) -> Seen[dict[str, Any]]:
    status = live.get("status", {})
    phase = status.get("phase", "Pending")
    ready = any(c["type"] == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    return Seen(phase, done=phase == "Succeeded" or (phase == "Running" and ready), value=dict(live))


def _pod_or_failure(client: KubeClient, live: Manifest) -> Seen[dict[str, Any]]:
    if live.get("status", {}).get("phase") == "Failed":
        said = live["status"].get("message") or live["status"].get("reason") or "it failed"
        raise failure(client, f"Pod `{live['metadata']['name']}`", live, cause_of(live) or Cause("PodFailed", said))
    return _pod(live)


def _service(live: Manifest) -> Seen[dict[str, Any]]:
    if live["spec"].get("type") != "LoadBalancer" or endpoint_of(live) is not None:
        return Seen("ready", done=True, value=dict(live))
    return Seen("no address yet")


_READY: dict[str, Callable[[Manifest], Seen[dict[str, Any]]]] = {
    "Deployment": rollouts.deployment,
    "DaemonSet": rollouts.daemon_set,
    "StatefulSet": rollouts.stateful_set,
    "Job": _job,
    "Pod": _pod,
    "Service": _service,
}
_LOOKS: dict[str, _Look] = {
    **{kind: lambda _client, live, look=look: look(live) for kind, look in _READY.items()},  # type: ignore[misc]
    "Job": _job_or_failure,
    "Pod": _pod_or_failure,
}
_WITH_PODS = ("Deployment", "DaemonSet", "StatefulSet", "Job", "Pod")
