"""Small clusters to diagnose: objects as the API gives them, put together by a few words."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from aks_wasm.shims.node_report import NodeReport, last_report
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.workflows.doctor.diagnose import examine
from aks_wasm.workflows.doctor.findings import Finding, merged
from aks_wasm.workflows.doctor.view import View
from aks_wasm.workflows.doctor.ways import Ways

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HANDLER = "aks-wasm-spin-v0-25-1"
GIVEN = Ways(access=("--kubeconfig", "k"), azure=("group", "cluster"))
OURS = Ways(
    access=("--kubeconfig", "own"),
    spec=ClusterSpec.model_validate(
        {"metadata": {"name": "hello"}, "workloads": [{"name": "web", "shim": "spin", "image": "r/web:1"}]}
    ),
    spec_arguments=("-f", "a.yaml"),
)
_numbers = itertools.count()

Object = dict[str, Any]


def uid() -> str:
    return f"uid-{next(_numbers)}"


def meta(name: str, namespace: str | None = "default", **more: Any) -> Object:
    return {"name": name, "uid": uid(), **({"namespace": namespace} if namespace else {}), **more}


def node(name: str = "n1", *, ready: str = "True", **more: Any) -> Object:
    """A node; `labels`, `annotations`, `taints`, `message` (of Ready), `runtime`, `image`, `arch`, `provider`."""
    info = {
        "architecture": more.get("arch", "amd64"),
        "bootID": "boot-2",
        "containerRuntimeVersion": more.get("runtime", "containerd://2.3.2-1"),
        "osImage": more.get("image", "Ubuntu 24.04.3 LTS"),
    }
    condition = {"type": "Ready", "status": ready, "message": more.get("message", "")}
    return {
        "kind": "Node",
        "metadata": meta(name, None, labels=more.get("labels", {}), annotations=more.get("annotations", {}))
        | ({"managedFields": more["managed"]} if "managed" in more else {}),
        "spec": {"providerID": more.get("provider", ""), "taints": more.get("taints", [])},
        "status": {"nodeInfo": info, "conditions": [condition]},
    }


def azure(pool: str = "wasm", number: int = 0) -> str:
    return (
        "azure:///subscriptions/s/resourceGroups/mc_group_cluster_west/providers/Microsoft.Compute"
        f"/virtualMachineScaleSets/aks-{pool}-1-vmss/virtualMachines/{number}"
    )


def runtime_class(name: str = HANDLER, handler: str | None = None) -> Object:
    return {"kind": "RuntimeClass", "metadata": meta(name, None), "handler": handler or name}


def pod(name: str = "web-1", *, runtime: str | None = HANDLER, on: str | None = "n1", **more: Any) -> Object:
    """A pod that is not well; `container` extends its container, `status` its container's status, `owner` keeps it."""
    container = {"name": "main", "image": "r/web:1", **more.get("container", {})}
    status = {"name": "main", "image": container["image"], "restartCount": 0, "ready": False, **more.get("status", {})}
    owners = [{"controller": True, **more["owner"]}] if "owner" in more else []
    return {
        "kind": "Pod",
        "metadata": meta(name, more.get("namespace", "default"), labels=more.get("labels", {}), ownerReferences=owners)
        | more.get("metadata", {}),
        "spec": {
            "containers": [container],
            **({"runtimeClassName": runtime} if runtime else {}),
            **({"nodeName": on} if on else {}),
            **more.get("spec", {}),
        },
        "status": {
            "phase": more.get("phase", "Pending"),
            "conditions": more.get("conditions", []),
            "containerStatuses": [status],
        },
    }


def event(about: Object, reason: str, message: str, at: str = "2026-11-22T11:59:00Z") -> Object:
    return {
        "kind": "Event",
        "metadata": meta(f"e-{next(_numbers)}"),
        "involvedObject": {"uid": about["metadata"]["uid"], "kind": about["kind"]},
        "reason": reason,
        "message": message,
        "type": "Warning",
        "lastTimestamp": at,
    }


def sandbox(about: Object, said: str) -> Object:
    return event(
        about, "FailedCreatePodSandBox", f"Failed to create pod sandbox: rpc error: code = Unknown desc = {said}"
    )


def unconfigured(about: Object, handler: str) -> Object:
    """What containerd 2.3 says of a handler that it does not have."""
    said = f'unable to get OCI runtime for sandbox "12ab": no runtime for "{handler}" is configured'
    return sandbox(about, said)


def waiting(reason: str, message: str = "") -> Object:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def terminated(code: int, reason: str = "Error", message: str = "", *, restarts: int = 0) -> Object:
    """A status that ended; with restarts it waits for the next one."""
    ended = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    if not restarts:
        return {"state": ended}
    return {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended, "restartCount": restarts}


def report(name: str = "n1", *handlers: str, **more: Any) -> NodeReport:
    document = {
        "node": name,
        "containerd": "2.3.2",
        "config": "/etc/containerd/config.toml",
        "version": 2,
        "plugin": "io.containerd.cri.v1.runtime",
        "handlers": ["runc", *handlers],
        "healthy": True,
        **more,
    }
    found = last_report([json.dumps(document)])
    assert found is not None
    return found


def view(
    *objects: Object,
    ways: Ways = GIVEN,
    reports: Iterable[NodeReport] = (),
    logs: Mapping[str, str] | None = None,
    pool_labels: Mapping[str, Mapping[str, str]] | None = None,
) -> View:
    """Put a cluster together; `logs` are by pod, of the container `main`."""
    kinds: dict[str, tuple[Any, ...]] = {}
    for thing in objects:
        kinds[thing["kind"]] = (*kinds.get(thing["kind"], ()), thing)
    kept = {("default", name, "main"): text for name, text in (logs or {}).items()}
    by_node = {one.node: one for one in reports}
    return View(kinds, ways, NOW, reports=by_node, logs=kept, pool_labels=pool_labels)


def found(scene: View) -> list[Finding]:
    return list(merged(finding for _, told in examine(scene) for finding in told or ()))


def only(scene: View) -> Finding:
    every = found(scene)
    assert len(every) == 1, [f"{one.code} {one.object}: {one.message}" for one in every]
    return every[0]
