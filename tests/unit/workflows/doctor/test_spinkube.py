"""SpinKube's objects, and what does not go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.workflows.doctor.scenes import found, meta, node, only, pod, runtime_class, view

LONG_AGO = "2026-11-19T12:00:00Z"


def app(namespace: str = "default", **more: Any) -> dict[str, Any]:
    spec = {"executor": "containerd-shim-spin", "image": "r/app:1"}
    return {"kind": "SpinApp", "metadata": meta("app", namespace, **more), "spec": spec}


def executor(namespace: str = "default", runtime: str = "wasmtime-spin-v2", **more: Any) -> dict[str, Any]:
    spec = {"createDeployment": True, "deploymentConfig": {"runtimeClassName": runtime}}
    return {"kind": "SpinAppExecutor", "metadata": meta("containerd-shim-spin", namespace, **more), "spec": spec}


CLASS = runtime_class("wasmtime-spin-v2", "spin-v2")


def test_an_app_without_an_executor_in_its_namespace_is_told() -> None:
    told = only(view(node(), app("shop"), app("shop"), executor("default"), CLASS))
    assert (told.code, told.demand, told.object, told.count) == ("ExecutorMissing", 40, "SpinApp shop/app", 2)
    assert told.message.endswith("; there is one in default")
    assert told.command is not None
    assert told.command.startswith("kubectl --kubeconfig k --namespace shop apply --filename https://")
    assert found(view(node(), app(), executor(), CLASS)) == []


def test_an_executor_whose_runtime_class_is_not_there_is_told() -> None:
    told = only(view(node(), executor(runtime="wasmtime-spin"), CLASS, app()))
    assert (told.code, told.demand) == ("RuntimeClassMissing", 40)
    assert told.command is not None
    assert '"runtimeClassName":"wasmtime-spin-v2"' in told.command


@pytest.mark.parametrize("kind", ["SpinApp", "SpinAppExecutor"])
def test_a_finalizer_that_nobody_serves_is_told(kind: str) -> None:
    held: dict[str, Any] = {"deletionTimestamp": LONG_AGO, "finalizers": ["core.spinkube.dev/finalizer"]}
    thing = app(**held) if kind == "SpinApp" else executor(**held)
    told = only(view(node(), thing, CLASS))
    assert (told.code, told.demand) == ("FinalizerHangs", 40)
    assert told.command is not None
    assert f"patch {kind.lower()} {thing['metadata']['name']} --type merge" in told.command


def test_a_namespace_that_waits_for_a_finalizer_is_told_with_what_holds_it() -> None:
    remaining = "Some resources are remaining: spinappexecutors.core.spinkube.dev has 1 resource instances"
    finalizers = (
        "Some content in the namespace has finalizers remaining: core.spinkube.dev/finalizer in 1 resource instances"
    )
    namespace = {
        "kind": "Namespace",
        "metadata": meta("shop", None, deletionTimestamp=LONG_AGO),
        "status": {
            "phase": "Terminating",
            "conditions": [
                {"type": "NamespaceContentRemaining", "status": "True", "message": remaining},
                {"type": "NamespaceFinalizersRemaining", "status": "True", "message": finalizers},
            ],
        },
    }
    told = only(view(node(), namespace))
    assert (told.code, told.demand) == ("NamespaceHangs", 40)
    assert told.evidence is not None
    assert "core.spinkube.dev/finalizer in 1" in told.evidence
    assert told.command is not None
    assert "get spinappexecutors.core.spinkube.dev --output name | xargs" in told.command


@pytest.mark.parametrize(
    ("ready", "why"), [("Unknown", "its node `n1` does not answer"), ("True", "its shim does not")]
)
def test_a_pod_that_does_not_go_is_told(ready: str, why: str) -> None:
    going = pod(phase="Running", metadata={"deletionTimestamp": LONG_AGO})
    every = {one.code: one for one in found(view(node(ready=ready), going, runtime_class()))}
    assert why in every["PodHangs"].message
    assert every["PodHangs"].command == (
        "kubectl --kubeconfig k --namespace default delete pod web-1 --force --grace-period=0"
    )


def test_what_has_just_been_deleted_is_given_time() -> None:
    going = pod(phase="Running", metadata={"deletionTimestamp": "2026-11-22T11:59:30Z"})
    assert found(view(node(), going, runtime_class())) == []
