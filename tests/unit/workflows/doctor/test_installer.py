"""What the installer says, and what keeps it from starting."""

from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.shims.installer import INSTALLER
from aks_wasm.shims.labels import COMPONENT, INSTALLED, SHIMS, SYSTEM_NAMESPACE
from tests.unit.workflows.doctor.scenes import (
    HANDLER,
    event,
    found,
    meta,
    node,
    only,
    pod,
    report,
    runtime_class,
    terminated,
    unconfigured,
    view,
)

MARKED = {SHIMS: INSTALLED}


def installer(**more: Any) -> dict[str, Any]:
    return pod("shim-installer-1", runtime=None, namespace=SYSTEM_NAMESPACE, labels={COMPONENT: INSTALLER}, **more)


@pytest.mark.parametrize(
    ("code", "demand", "command"),
    [
        ("HashMismatch", 28, "aks-wasm runtime install"),
        ("WrongArchitecture", 34, "aks-wasm runtime install"),
        ("HandlerDropped", 30, "delete pod shim-installer-1"),
        ("DiskFull", 28, "delete pod shim-installer-1"),
        ("DownloadFailed", 28, "delete pod shim-installer-1"),
    ],
)
def test_the_installers_own_words_are_told_with_who_waits(code: str, demand: int, command: str) -> None:
    said = f"copying\naks-wasm: error: {code}: why it failed"
    failed = installer(status=terminated(1, message=said, restarts=2))
    waiting = pod()
    scene = view(node(labels=MARKED), failed, waiting, unconfigured(waiting, HANDLER), runtime_class())
    told = only(scene)
    assert (told.code, told.demand, told.node) == (code, demand, "n1")
    assert told.message == "the installer gave up on the node: why it failed; 1 pods wait for it"
    assert told.command is not None
    assert command in told.command


def test_an_installer_that_is_well_again_says_nothing() -> None:
    said = "aks-wasm: error: DownloadFailed: once"
    last = {"terminated": {"exitCode": 1, "message": said}}
    state = {"state": {"running": {}}, "ready": True, "lastState": last, "restartCount": 1}
    well = installer(status=state, phase="Running", conditions=[{"type": "Ready", "status": "True"}])
    assert found(view(node(labels=MARKED), well, reports=[report("n1", HANDLER)])) == []


def test_an_unhealthy_report_is_told() -> None:
    sick = report("n1", healthy=False, error="HandlerDropped: aks-wasm-spin is not in effect")
    well = installer(status={"state": {"running": {}}, "ready": False}, phase="Running")
    told = only(view(node(labels=MARKED), well, reports=[sick]))
    assert (told.code, told.demand) == ("HandlerDropped", 30)


def test_a_node_that_has_another_binary_than_the_list_is_told() -> None:
    shims = [{"handler": HANDLER, "binary": "/opt/aks-wasm/x", "sha256": "ab" * 32, "ok": False}]
    told = only(view(node(labels=MARKED), reports=[report("n1", HANDLER, shims=shims)]))
    assert (told.code, told.demand, told.severity) == ("ShimNotAsListed", 33, "warning")
    assert told.evidence == "/opt/aks-wasm/x has SHA-256 abababababab"


def refused(kind: str, namespace: str, said: str, **status: Any) -> list[dict[str, Any]]:
    controller: dict[str, Any] = {
        "kind": kind,
        "metadata": meta(INSTALLER, namespace),
        "spec": {"replicas": 2},
        "status": {"desiredNumberScheduled": 2, **status},
    }
    return [controller, event(controller, "FailedCreate", f"Error creating: {said}")]


PSS = (
    'pods "shim-installer-x" is forbidden: violates PodSecurity "baseline:latest": privileged (container "install" '
    "must not set securityContext.privileged=true)"
)
GATEKEEPER = (
    'admission webhook "validation.gatekeeper.sh" denied the request: [azurepolicy-k8sazurev2noprivilege-1] '
    "Privileged container is not allowed: install"
)


def test_pod_security_that_denies_the_installer_is_told() -> None:
    told = only(view(node(), *refused("DaemonSet", SYSTEM_NAMESPACE, PSS)))
    assert (told.code, told.demand, told.object) == (
        "PodSecurityDenied",
        36,
        "DaemonSet aks-wasm-system/shim-installer",
    )
    assert "allows only `baseline`" in told.message
    assert told.command is not None
    assert "label namespace aks-wasm-system pod-security.kubernetes.io/enforce=privileged --overwrite" in told.command


@pytest.mark.parametrize(
    "said",
    [GATEKEEPER, "ValidatingAdmissionPolicy 'aks-managed-baseline' with binding 'x' denied request: no hostPath"],
)
def test_a_policy_of_aks_that_denies_the_installer_is_told(said: str) -> None:
    told = only(view(node(), *refused("DaemonSet", SYSTEM_NAMESPACE, said)))
    assert (told.code, told.demand) == ("PolicyDenied", 36)
    assert told.command == (
        "az aks safeguards update --resource-group group --name cluster --level Enforce --excluded-ns aks-wasm-system"
    )


def test_a_runtime_class_that_does_not_exist_is_told() -> None:
    said = 'pods "web-1" is forbidden: pod rejected: RuntimeClass "wasmtime-spin" not found'
    told = only(view(node(), *refused("ReplicaSet", "default", said)))
    assert (told.code, told.demand) == ("RuntimeClassMissing", 28)
    assert told.command == "aks-wasm runtime install --kubeconfig k --shim spin"


@pytest.mark.parametrize(
    ("kind", "status"), [("DaemonSet", {"currentNumberScheduled": 2}), ("ReplicaSet", {"replicas": 2})]
)
def test_a_controller_that_has_its_pods_meanwhile_says_nothing(kind: str, status: dict[str, int]) -> None:
    assert found(view(node(), *refused(kind, SYSTEM_NAMESPACE, PSS, **status))) == []
