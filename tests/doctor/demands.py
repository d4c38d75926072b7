"""For each cause that users report, numbered as they are, a cluster that has it: objects as its API would give them.

Event texts are those of real nodes where one could be made to give them (facts real-cluster.md, 6), else of the report.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aks_wasm.shims.installer import INSTALLER
from aks_wasm.shims.labels import COMPONENT, INSTALLED, READY, SHIMS, SYSTEM_NAMESPACE, ready_label
from tests.unit.workflows.doctor.scenes import (
    HANDLER,
    azure,
    event,
    meta,
    node,
    pod,
    runtime_class,
    terminated,
    unconfigured,
    waiting,
)

Objects = list[dict[str, Any]]

DIGEST = "sha256:" + "ab" * 32
MARKED = {SHIMS: INSTALLED}
PROVISIONED = {"spin-v2": "provisioned"}
CLASS = "wasmtime-spin-v2"
LONG_AGO = "2026-11-01T12:00:00Z"


def shim(**more: Any) -> dict[str, Any]:
    spec = {
        "runtimeClass": {"name": CLASS, "handler": "spin-v2"},
        "containerdRuntimeOptions": {"SystemdCgroup": "true"},
    }
    return {
        "apiVersion": "runtime.spinkube.dev/v1alpha1",
        "kind": "Shim",
        "metadata": meta("spin-v2", None, **more.pop("metadata", {})),
        "spec": {**spec, **more},
    }


def no_runtime() -> Objects:
    web = pod()
    return [node(), web, unconfigured(web, HANDLER), runtime_class()]


def handlers_differ() -> Objects:
    return [node(), shim(), runtime_class(CLASS, "spin")]


def dropped_block() -> Objects:
    web = pod(runtime=CLASS)
    of_aks = node(labels=PROVISIONED, provider=azure())
    return [of_aks, web, unconfigured(web, "spin-v2"), shim(), runtime_class(CLASS, "spin-v2")]


def not_unpacked() -> Objects:
    said = f"failed to create containerd container: parent snapshot {DIGEST} does not exist: not found"
    return [node(), pod(status=waiting("CreateContainerError", said)), runtime_class()]


def bare_node() -> Objects:
    web = pod()
    return [node(labels={**MARKED, ready_label(HANDLER): READY}), web, unconfigured(web, HANDLER), runtime_class()]


def ignored_change() -> Objects:
    def written(time: str, fields: dict[str, Any]) -> Objects:
        return [{"manager": "m", "operation": "Update", "time": time, "fieldsV1": fields}]

    changed = written("2026-11-02T12:00:00Z", {"f:spec": {"f:fetchStrategy": {}}})
    labelled = written(LONG_AGO, {"f:metadata": {"f:labels": {"f:spin-v2": {}}}})
    changed_shim = shim(metadata={"managedFields": changed}, fetchStrategy={"platforms": []})
    return [node(labels=PROVISIONED, managed=labelled), changed_shim, runtime_class(CLASS, "spin-v2")]


def wrong_architecture() -> Objects:
    web = pod(phase="Failed", status=terminated(255, message="exec /usr/bin/web: exec format error"))
    return [node(arch="arm64"), web, runtime_class()]


def label_on_node() -> Objects:
    pool = {"kubernetes.azure.com/agentpool": "wasm"}
    return [node("n1", labels={**pool, **MARKED}), node("n2", labels=pool)]


def pod_security() -> Objects:
    daemon_set = {
        "kind": "DaemonSet",
        "metadata": meta(INSTALLER, SYSTEM_NAMESPACE, labels={COMPONENT: INSTALLER}),
        "spec": {},
        "status": {"desiredNumberScheduled": 1, "currentNumberScheduled": 0},
    }
    said = 'pods "x" is forbidden: violates PodSecurity "baseline:latest": privileged (container "install")'
    return [node(), daemon_set, event(daemon_set, "FailedCreate", said)]


def no_match() -> Objects:
    said = f'failed to pull and unpack image "r/web:1": no match for platform in manifest {DIGEST}: not found'
    return [node(), pod(status=waiting("ErrImagePull", said)), runtime_class()]


def content_missing() -> Objects:
    said = f'failed to get image "r/web:1": content digest {DIGEST}: not found'
    return [node(provider="kind://docker/lab/n1"), pod(status=waiting("CreateContainerError", said)), runtime_class()]


def registry_denies() -> Objects:
    image = "hello.azurecr.io/web:1"
    said = f"failed to authorize: failed to fetch anonymous token for {image}: 401 Unauthorized"
    return [node(), pod(container={"image": image}, status=waiting("ErrImagePull", said)), runtime_class()]


def no_executor() -> Objects:
    spec = {"executor": "containerd-shim-spin", "image": "r/app:1", "replicas": 1}
    app = {"apiVersion": "core.spinkube.dev/v1alpha1", "kind": "SpinApp", "metadata": meta("app", "shop"), "spec": spec}
    return [node(), app]


def memory_limit() -> Objects:
    limits = {"resources": {"limits": {"memory": "64Mi"}}}
    return [node(), pod(container=limits, phase="Running", status=terminated(137, restarts=2)), runtime_class()]


def no_metrics() -> Objects:
    return [
        node(labels=PROVISIONED, provider=azure()),
        shim(containerdRuntimeOptions={}),
        runtime_class(CLASS, "spin-v2"),
    ]


def newer_app() -> Objects:
    said = (
        "component imports instance `wasi:http/types@0.2.8`, but a matching implementation was not found in the linker"
    )
    return [node(), pod(phase="Failed", status=terminated(1, message=said)), runtime_class()]


DEMANDS: dict[int, tuple[str, Callable[[], Objects]]] = {
    28: ("NoRuntime", no_runtime),
    29: ("HandlersDiffer", handlers_differ),
    30: ("BlockDropped", dropped_block),
    31: ("ImageNotUnpacked", not_unpacked),
    32: ("NodeBare", bare_node),
    33: ("ShimChangeIgnored", ignored_change),
    34: ("ImageWrongArchitecture", wrong_architecture),
    35: ("LabelNotOnPool", label_on_node),
    36: ("PodSecurityDenied", pod_security),
    37: ("NoMatchForPlatform", no_match),
    38: ("ContentMissing", content_missing),
    39: ("RegistryDenied", registry_denies),
    40: ("ExecutorMissing", no_executor),
    41: ("MemoryLimit", memory_limit),
    42: ("NoSystemdCgroup", no_metrics),
    43: ("AppNewerThanShim", newer_app),
}
