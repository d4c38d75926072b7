"""Commands that change what keeps a pod: its Deployment or DaemonSet is patched, a Job or a bare pod is made anew."""

from __future__ import annotations

import json
import shlex
from typing import Any

from aks_wasm.workflows.doctor.objects import Manifest, name_of
from aks_wasm.workflows.doctor.view import View

_PATCHED = ("Deployment", "DaemonSet", "StatefulSet", "ReplicaSet")


def patched(view: View, pod: Manifest, *operations: dict[str, Any]) -> str:
    """Return the command for a JSON patch; paths are within the pod's spec.

    Args:
        view: The cluster.
        pod: A pod that has the fault.
        operations: `op`, `path` (for example `/containers/0/livenessProbe`), and `value` where it takes one.
    """
    kind, name = view.owner_of(pod)
    namespace = ("--namespace", str(pod["metadata"].get("namespace")))
    if kind in _PATCHED:
        placed = [{**operation, "path": f"/spec/template/spec{operation['path']}"} for operation in operations]
        patch = ("--type", "json", "--patch", json.dumps(placed, separators=(",", ":")))
        return view.ways.kubectl(*namespace, "patch", kind.lower(), name, *patch)
    root = "/spec/template/spec" if kind == "Job" else "/spec"
    placed = [{**operation, "path": f"{root}{operation['path']}"} for operation in operations]
    read = view.ways.kubectl(*namespace, "get", kind.lower(), name, "--output", "yaml")
    local = ("patch", "--local", "--filename", "-", "--type", "json", "--output", "yaml", "--patch")
    changed = view.ways.kubectl(*local, json.dumps(placed, separators=(",", ":")))
    # What the controller has put into a Job would not be taken again.
    own = " | sed -e '/controller-uid:/d' -e '/job-name:/d'" if kind == "Job" else " | sed '/^  nodeName:/d'"
    return f"{read}{own} | {changed} | {view.ways.kubectl(*namespace, 'replace', '--force', '--filename', '-')}"


def position_of(pod: Manifest, container: str) -> int:
    """Return the place of a container in its pod; 0 when it is not there."""
    names = [entry.get("name") for entry in pod.get("spec", {}).get("containers") or ()]
    return names.index(container) if container in names else 0


def logs(view: View, pod: Manifest, *, previous: bool) -> str:
    """Return the command that shows a pod's log: of our workload by its name, else by kubectl."""
    kind, name = view.owner_of(pod)
    workload = _our_name(pod)
    if workload is not None and view.ways.workload(workload) is not None:
        named = ["--file" if word == "-f" else word for word in view.ways.spec_arguments]  # `-f` follows, as in kubectl
        words = ["aks-wasm", "workload", "logs", workload, *named]
        return shlex.join([*words, "--previous"] if previous else words)
    namespace = str(pod["metadata"].get("namespace"))
    target = f"pod/{name_of(pod)}" if kind == "Pod" or previous else f"{kind.lower()}/{name}"
    return view.ways.kubectl("--namespace", namespace, "logs", target, *(["--previous"] if previous else []))


def _our_name(pod: Manifest) -> str | None:
    return (pod["metadata"].get("labels") or {}).get("app.kubernetes.io/name")


def workload_place(view: View, pod: Manifest) -> str | None:
    """Return where the file has the pod's workload, for example `workloads.0`; None when it is not the file's."""
    name = _our_name(pod)
    index = view.ways.workload(name) if name else None
    return None if index is None else f"workloads.{index}"
