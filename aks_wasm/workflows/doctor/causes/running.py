"""A Wasm container starts and does not stay: limits, probes, traps, applications that want more than their shim has.

Answers demands 41, 42 and 43 of shared/facts/demands.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from aks_wasm.kube.matching import quantity
from aks_wasm.kube.sayings import hear
from aks_wasm.shims.node_report import last_error
from aks_wasm.workflows.doctor.edits import logs, patched, position_of, workload_place
from aks_wasm.workflows.doctor.findings import Finding
from aks_wasm.workflows.doctor.objects import (
    Manifest,
    container_named,
    container_statuses,
    node_of,
    quoted,
    shim_of,
    time_of,
)
from aks_wasm.workflows.doctor.view import View, is_well

_KILLED = 137  # 128 + SIGKILL
_LOST = "Unknown"  # reason of a container that containerd lost while it was away itself
_LITTLE_CPU = Decimal("0.1")  # containerd-wasm-shims#194: below about 100m shims don't start in time
_PATIENT = 30  # failures of a start probe, one a period
_METRICS_SECONDS = 180  # the metrics server scrapes once a minute
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_HOOKS = ("postStart", "preStop")
_PROBE_WORDS = re.compile(r"(?P<kind>Startup|Liveness) probe (?:failed|errored)")


def failing_containers(view: View) -> Iterator[Finding]:
    """Find Wasm containers that ended badly, and say what ended them."""
    for pod in view.of("Pod"):
        if not view.concerns_us(pod) or view.is_past(pod) or pod["metadata"].get("deletionTimestamp"):
            continue
        for status in container_statuses(pod):
            ended = _bad_end(pod, status)
            if ended is not None:
                finding = _why_ended(view, pod, status, ended)
                if finding is not None:
                    yield finding


def _bad_end(pod: Manifest, status: Manifest) -> Mapping[str, Any] | None:
    """Return how a container ended, when it did so badly and has not recovered."""
    now = (status.get("state") or {}).get("terminated")
    last = (status.get("lastState") or {}).get("terminated")
    ended: Mapping[str, Any] | None = now or (None if is_well(pod) else last)
    if not ended or not ended.get("exitCode") or ended.get("reason") == _LOST:
        return None
    return ended


def _why_ended(view: View, pod: Manifest, status: Manifest, ended: Mapping[str, Any]) -> Finding | None:
    name = str(status.get("name"))
    lines = f"{ended.get('message', '')}\n{view.log_of(pod, name)}".strip()
    heard = next((found for found in map(hear, reversed(lines.splitlines())) if found), None)
    seen = f"{name} ended with exit code {ended['exitCode']}, reason {ended.get('reason')}"
    log = logs(view, pod, previous="terminated" not in (status.get("state") or {}))
    match heard.code if heard else None:
        case "ExecFormatError" | "ImageNotForShim" | "ContentMissing" | "NoMatchForPlatform" | "ImageNotUnpacked":
            return None  # told where images are
        case "AppNewerThanShim":
            words = _skew(heard.found if heard else {})
            command = _newer(view, pod)
            return view.finding(pod, "AppNewerThanShim", words, evidence=_line(lines, seen), command=command, demand=43)
        case "WasmTrap":
            trap = heard.found.get("trap", "") if heard else ""
            words = f"the module of `{name}` trapped{': ' if trap else ''}{trap}"
            return view.finding(pod, "WasmTrap", words, evidence=_line(lines, seen), command=log)
    if last_error(lines) is not None:
        return None  # the installer's own words are told where it is
    if ended["exitCode"] == _KILLED or ended.get("reason") == "OOMKilled":
        return _killed(view, pod, name, ended, seen)
    words = f"`{name}` ended with exit code {ended['exitCode']}"
    return view.finding(pod, "ContainerFailed", words, evidence=_line(lines, seen), command=log)


def _killed(view: View, pod: Manifest, name: str, ended: Mapping[str, Any], seen: str) -> Finding | None:
    probes = [event for event in view.events_of(pod, "Unhealthy") if _PROBE_WORDS.search(str(event.get("message")))]
    limits = (container_named(pod, name).get("resources") or {}).get("limits") or {}
    if probes and ended.get("reason") != "OOMKilled":
        return None  # told by the probe's own cause
    if not limits.get("memory"):
        words = f"`{name}` was killed; it has no memory limit of its own, so its node ran short, or somebody killed it"
        command = logs(view, pod, previous=True)
        return view.finding(pod, "ContainerKilled", words, evidence=seen, command=command, demand=41)
    words = f"`{name}` was killed at its memory limit of {limits['memory']}"
    if ended.get("reason") != "OOMKilled":
        words += "; Wasm shims give the reason Error where runc gives OOMKilled"
    command = _more(view, pod, name, "memory", _doubled(limits["memory"]))
    return view.finding(pod, "MemoryLimit", words, evidence=seen, command=command, demand=41)


def _more(view: View, pod: Manifest, container: str, resource: str, value: str) -> str:
    place = workload_place(view, pod)
    if place is not None:
        return view.ways.up(f"{place}.resources.{resource}={value}")
    kind, name = view.owner_of(pod)
    if kind in ("Pod", "Job"):
        path = f"/containers/{position_of(pod, container)}/resources/limits/{resource}"
        return patched(view, pod, {"op": "replace", "path": path, "value": value})
    namespace = str(pod["metadata"].get("namespace"))
    limits = (f"--containers={container}", f"--limits={resource}={value}")
    return view.ways.kubectl("--namespace", namespace, "set", "resources", f"{kind.lower()}/{name}", *limits)


def _doubled(text: object) -> str:
    match = re.match(r"^(\d+)([A-Za-z]*)$", str(text))
    return f"{int(match[1]) * 2}{match[2]}" if match else "256Mi"


def _skew(found: Mapping[str, str]) -> str:
    wanted = found.get("interface") or found.get("name") or found.get("manifest") or "what it does not have"
    return f"the application wants `{wanted}`, which this version of the shim does not have"


def _newer(view: View, pod: Manifest) -> str:
    shim = shim_of(view.handler_of(pod) or "") or "NAME"
    return view.ways.runtime("upgrade", "--shim", shim)


def failing_probes(view: View) -> Iterator[Finding]:
    """Find Wasm containers that a probe kills: they are compiled at each start, which takes time."""
    for pod in view.wasm_pods():
        restarts = sum(int(status.get("restartCount", 0)) for status in container_statuses(pod))
        if is_well(pod) or not restarts:
            continue
        for event in view.events_of(pod, "Unhealthy"):
            match = _PROBE_WORDS.search(str(event.get("message")))
            if match is None or "exec" in str(event.get("message")).lower():
                continue
            probe = f"{match['kind'].lower()}Probe"
            index = next((i for i, c in enumerate(pod["spec"].get("containers") or ()) if c.get(probe)), 0)
            path = f"/containers/{index}/{probe}/failureThreshold"
            words = f"its {match['kind'].lower()} probe kills it before it answers: a module is compiled at each start"
            command = patched(view, pod, {"op": "add", "path": path, "value": _PATIENT})
            yield view.finding(pod, "ProbeKills", words, evidence=quoted(event), command=command, demand=41)
            break


def exec_in_wasm(view: View) -> Iterator[Finding]:
    """Find Wasm pods with probes or hooks that run a command: shims run no second process."""
    for pod in view.wasm_pods():
        seen = [quoted(event) for event in view.events_of(pod, "Unhealthy", "FailedPostStartHook", "FailedPreStopHook")]
        for index, container in enumerate(pod["spec"].get("containers") or ()):
            for path in _commands_in(container):
                words = f"`{path}` of `{container['name']}` runs a command, which no Wasm shim can do in a running pod"
                command = patched(view, pod, {"op": "remove", "path": f"/containers/{index}/{path}"})
                evidence = seen[0] if seen else f"spec.containers[{index}].{path.replace('/', '.')}.exec"
                yield view.finding(pod, "ExecUnsupported", words, evidence=evidence, command=command, demand=41)


def _commands_in(container: Mapping[str, Any]) -> list[str]:
    hooks = container.get("lifecycle") or {}
    probes = [probe for probe in _PROBES if (container.get(probe) or {}).get("exec")]
    return probes + [f"lifecycle/{hook}" for hook in _HOOKS if (hooks.get(hook) or {}).get("exec")]


def little_cpu(view: View) -> Iterator[Finding]:
    """Find Wasm containers with less processor time than a shim needs to start in time."""
    for pod in view.wasm_pods():
        if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            continue
        for container in pod["spec"].get("containers") or ():
            said = ((container.get("resources") or {}).get("limits") or {}).get("cpu")
            limit = quantity(said)
            if isinstance(limit, Decimal) and limit < _LITTLE_CPU:
                name = str(container["name"])
                words = f"`{name}` is limited to {said} of processor time, and a shim needs about 100m to start"
                command = _more(view, pod, name, "cpu", "100m")
                evidence = f"resources.limits.cpu is {said}"
                found = view.finding(pod, "LittleCpu", words, evidence=evidence, command=command, demand=41)
                yield replace(found, severity="warning")


def without_metrics(view: View) -> Iterator[Finding]:
    """Find Wasm pods of which the metrics server knows nothing, while it knows others of their node."""
    measured = {_key(item) for item in view.of("PodMetrics")}
    by_node: dict[str, list[Manifest]] = {}
    for pod in view.of("Pod"):
        began = time_of(pod.get("status", {}).get("startTime"))
        running = is_well(pod) and pod["status"].get("phase") == "Running"
        if running and began and (view.now - began).total_seconds() > _METRICS_SECONDS:
            by_node.setdefault(node_of(pod) or "", []).append(pod)
    for node, pods in by_node.items():
        lacking = [pod for pod in pods if view.is_wasm(pod) and _key(pod) not in measured]
        if lacking and any(_key(pod) in measured for pod in pods if not view.is_wasm(pod)):
            report = view.reports.get(node)
            words = "its node's other pods have metrics and it has none: its shim is not told to use systemd's cgroups"
            command = view.ways.install(shim_of(view.handler_of(lacking[0]) or "") or "")
            told = f"SystemdCgroup there is {report.systemd_cgroup}" if report else "no PodMetrics of it"
            found = view.finding(lacking[0], "NoSystemdCgroup", words, evidence=told, command=command, demand=42)
            yield replace(found, severity="warning")


def _key(pod: Manifest) -> tuple[Any, Any]:
    return pod["metadata"].get("namespace"), pod["metadata"]["name"]


def _line(lines: str, otherwise: str) -> str:
    """Return the last line of a log that means something, with how the container ended."""
    every = [line for line in lines.splitlines() if line.strip()]
    telling = [line for line in every if hear(line)] or every
    return f"{otherwise}; its last words: {telling[-1].strip()}" if telling else otherwise
