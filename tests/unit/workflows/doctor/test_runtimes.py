"""A handler that is not in effect: each reason by its own name, with the command that mends that reason."""

from __future__ import annotations

import json

import pytest

from aks_wasm.shims.labels import INSTALLED, PROOF, READY, SHIMS, ready_label
from tests.unit.workflows.doctor.scenes import (
    HANDLER,
    OURS,
    azure,
    event,
    found,
    meta,
    node,
    only,
    pod,
    report,
    runtime_class,
    sandbox,
    unconfigured,
    view,
)
from tests.unit.workflows.doctor.scenes import (
    waiting as waits_for,
)

MARKED = {SHIMS: INSTALLED}
READY_LABELS = {**MARKED, ready_label(HANDLER): READY}


def test_a_cluster_where_all_is_well_has_no_findings() -> None:
    running = pod(
        phase="Running",
        conditions=[{"type": "Ready", "status": "True"}],
        status={"ready": True, "state": {"running": {}}},
    )
    stale = unconfigured(running, HANDLER)
    assert (
        found(view(node(labels=READY_LABELS), running, stale, runtime_class(), reports=[report("n1", HANDLER)])) == []
    )


def test_a_node_without_installer_is_told_with_what_installs() -> None:
    waiting = pod()
    told = only(view(node(), waiting, unconfigured(waiting, HANDLER), runtime_class()))
    assert (told.code, told.demand, told.node, told.object) == ("NoRuntime", 28, "n1", "Pod default/web-1")
    assert f"no runtime for the handler `{HANDLER}`" in told.message
    assert "no installer of ours works there" in told.message
    assert told.evidence
    assert told.evidence.startswith("event FailedCreatePodSandBox: ")
    assert told.command == "aks-wasm runtime install --kubeconfig k --shim spin"


def test_the_same_text_of_containerd_1_is_known() -> None:
    waiting = pod()
    old = sandbox(waiting, f'failed to get sandbox runtime: no runtime for "{HANDLER}" is configured')
    assert only(view(node(), waiting, old, runtime_class())).code == "NoRuntime"


def test_many_pods_of_a_node_are_one_finding() -> None:
    waiting = [pod(f"web-{number}") for number in range(500)]
    told = only(view(node(), *waiting, *(unconfigured(one, HANDLER) for one in waiting), runtime_class()))
    assert (told.code, told.count) == ("NoRuntime", 500)


def test_on_the_files_cluster_up_mends_it() -> None:
    waiting = pod()
    told = only(view(node(), waiting, unconfigured(waiting, HANDLER), runtime_class(), ways=OURS))
    assert told.command == "aks-wasm up -f a.yaml"


def test_a_ready_node_that_lost_its_runtime_is_bare() -> None:
    waiting = pod()
    told = only(view(node(labels=READY_LABELS), waiting, unconfigured(waiting, HANDLER), runtime_class()))
    assert (told.code, told.demand) == ("NodeBare", 32)


def test_a_bare_node_is_found_before_any_pod_waits() -> None:
    told = only(view(node(labels=READY_LABELS), reports=[report("n1", "untrusted")]))
    assert (told.code, told.demand, told.object) == ("NodeBare", 32, "Node n1")
    assert told.evidence == "in effect by /etc/containerd/config.toml: runc, untrusted"


def test_a_handler_of_another_name_is_told_with_the_class_to_make_anew() -> None:
    waiting = pod(runtime="wasmtime-spin-v2")
    scene = view(
        node(labels=MARKED),
        waiting,
        unconfigured(waiting, "spin"),
        runtime_class("wasmtime-spin-v2", "spin"),
        reports=[report("n1", HANDLER)],
    )
    told = only(scene)
    assert (told.code, told.demand) == ("HandlerNamesDiffer", 28)
    assert f"the node calls that shim `{HANDLER}`" in told.message
    assert told.command is not None
    assert "get runtimeclass wasmtime-spin-v2 --output yaml" in told.command
    assert f"handler: {HANDLER}/' | kubectl --kubeconfig k replace --force" in told.command


def test_what_is_in_effect_is_told_where_no_name_is_near() -> None:
    waiting = pod()
    told = only(
        view(
            node(labels=MARKED),
            waiting,
            unconfigured(waiting, HANDLER),
            runtime_class(),
            reports=[report("n1", "nvidia")],
        )
    )
    assert told.code == "NoRuntime"
    assert "in effect there by io.containerd.cri.v1.runtime: runc, nvidia" in told.message


SHIM = {
    "kind": "Shim",
    "metadata": meta("spin-v2", None),
    "spec": {
        "runtimeClass": {"name": "wasmtime-spin-v2", "handler": "spin-v2"},
        "containerdRuntimeOptions": {"SystemdCgroup": "true"},
    },
}
CLASS = runtime_class("wasmtime-spin-v2", "spin-v2")
PROVISIONED = {"spin-v2": "provisioned"}


@pytest.mark.parametrize("with_report", [True, False])
def test_a_block_that_containerd_drops_is_told(with_report: bool) -> None:
    waiting = pod(runtime="wasmtime-spin-v2")
    scene = view(
        node(labels=PROVISIONED, provider=azure()),
        waiting,
        unconfigured(waiting, "spin-v2"),
        CLASS,
        SHIM,
        reports=[report("n1")] if with_report else [],
    )
    told = only(scene)
    assert (told.code, told.demand) == ("BlockDropped", 30)
    assert "runtime-class-manager (Shim `spin-v2`) set `spin-v2` up" in told.message
    assert "drops its block under `io.containerd.grpc.v1.cri`" in told.message
    assert told.command == "aks-wasm runtime install --kubeconfig k --shim spin"


def test_a_node_that_runtime_class_manager_believes_provisioned_is_bare() -> None:
    waiting = pod(runtime="wasmtime-spin-v2")
    complete = {"conditions": [{"type": "Complete", "status": "True"}]}
    job = {"kind": "Job", "metadata": meta("n1-spin-v2-install", "rcm"), "status": complete}
    old = node(labels=PROVISIONED, provider=azure(), image="Ubuntu 22.04.5 LTS", runtime="containerd://1.7.30-1")
    told = only(view(old, waiting, unconfigured(waiting, "spin-v2"), CLASS, SHIM, job))
    assert (told.code, told.demand) == ("NodeBare", 32)
    assert told.command == (
        "kubectl --kubeconfig k --namespace rcm delete job n1-spin-v2-install"
        " && kubectl --kubeconfig k label node n1 spin-v2-"
    )


def test_kwasm_on_containerd_2_is_told() -> None:
    waiting = pod(runtime="wasmtime-spin", on="n1")
    kwasm = node(annotations={"kwasm.sh/kwasm-node": "true"}, provider=azure())
    told = only(view(kwasm, waiting, unconfigured(waiting, "spin"), runtime_class("wasmtime-spin", "spin")))
    assert (told.code, told.demand) == ("BlockDropped", 30)
    assert "KWasm, which is retired" in told.message


_TASK = "failed to create containerd task"
_NOT_INSTALLED = (
    f'failed to start sandbox "12": {_TASK}: failed to start shim: failed to resolve runtime path: runtime '
    '"io.containerd.wasmtime.v1" binary not installed "containerd-shim-wasmtime-v1": file does not exist'
)
_OTHER_MACHINE = (
    f'failed to start sandbox "12": {_TASK}: failed to start shim: start failed: '
    "fork/exec /opt/aks-wasm/spin/v0.25.1/containerd-shim-spin-v2: exec format error"
)


@pytest.mark.parametrize(
    ("said", "code", "demand", "words"),
    [
        (_NOT_INSTALLED, "NoShimBinary", 32, "`containerd-shim-wasmtime-v1` is not on the node"),
        (_OTHER_MACHINE, "ShimWrongArchitecture", 34, "`containerd-shim-spin-v2` is not for arm64"),
        (f"{_TASK}: invalid shim options: unknown variant", "ShimOptionsInvalid", 30, "must have none"),
    ],
)
def test_what_is_wrong_with_a_binary_is_told(said: str, code: str, demand: int, words: str) -> None:
    waiting = pod()
    told = only(view(node(arch="arm64"), waiting, sandbox(waiting, said), runtime_class()))
    assert (told.code, told.demand) == (code, demand)
    assert words in told.message
    assert told.command == "aks-wasm runtime install --kubeconfig k --shim spin"


def test_a_containerd_that_does_not_come_back_is_told() -> None:
    down = node(ready="False", message="container runtime is down", provider=azure(number=3))
    told = only(view(down))
    assert (told.code, told.demand) == ("ContainerdDown", 30)
    group = "--subscription s --resource-group mc_group_cluster_west"
    assert told.command == f"az vmss reimage {group} --name aks-wasm-1-vmss --instance-ids 3"


def test_a_drop_in_of_a_higher_version_is_named() -> None:
    line = "drop-in config version 3 higher than root config version 2"
    told = only(view(node(ready="Unknown"), reports=[report("n1", healthy=False, error=f"RestartFailed: {line}")]))
    assert (told.code, told.demand, told.evidence) == ("ContainerdDown", 30, f"RestartFailed: {line}")
    assert "a version above the root file's" in told.message


def test_a_node_that_is_not_ready_for_another_reason_is_told() -> None:
    told = only(view(node(ready="Unknown", message="Kubelet stopped posting node status.")))
    assert (told.code, told.command) == ("NodeNotReady", "kubectl --kubeconfig k describe node n1")


@pytest.mark.parametrize("healthy", [True, False])
def test_a_proof_of_an_older_boot_is_told_unless_the_installer_vouches(healthy: bool) -> None:
    proved = node(annotations={PROOF: json.dumps({HANDLER: "v0.25.1@boot-1"})})
    every = found(view(proved, reports=[report("n1", HANDLER)] if healthy else []))
    assert [(one.code, one.severity, one.demand) for one in every] == (
        [] if healthy else [("ProofOutdated", "warning", 32)]
    )


def test_a_shim_changed_after_its_nodes_is_told() -> None:
    def written(time: str, *path: str) -> list[dict[str, object]]:
        fields: dict[str, object] = {}
        for key in reversed(path):
            fields = {key: fields}
        return [{"manager": "m", "time": time, "fieldsV1": fields}]

    changed = written("2026-11-22T11:00:00Z", "f:spec", "f:fetchStrategy")
    shim = {**SHIM, "metadata": meta("spin-v2", None, managedFields=changed)}
    old = written("2026-11-21T11:00:00Z", "f:metadata", "f:labels", "f:spin-v2")
    new = written("2026-11-22T11:30:00Z", "f:metadata", "f:labels", "f:spin-v2")
    scene = view(node("n1", labels=PROVISIONED, managed=old), node("n2", labels=PROVISIONED, managed=new), shim, CLASS)
    told = only(scene)
    assert (told.code, told.demand, told.node) == ("ShimChangeIgnored", 33, "n1")
    assert told.command == "kubectl --kubeconfig k label node n1 spin-v2-"


def test_one_class_with_two_handlers_is_told() -> None:
    told = only(view(node(), SHIM, runtime_class("wasmtime-spin-v2", "spin")))
    assert (told.code, told.demand, told.object) == ("HandlersDiffer", 29, "RuntimeClass wasmtime-spin-v2")
    assert told.command is not None
    assert "s/^handler: .*/handler: spin-v2/" in told.command


def test_a_shim_that_is_not_told_of_systemd_is_found_on_azure() -> None:
    silent = {**SHIM, "spec": {"runtimeClass": SHIM["spec"]["runtimeClass"]}}  # type: ignore[index]
    told = only(view(node(labels=PROVISIONED, provider=azure()), silent, CLASS))
    assert (told.code, told.demand, told.severity) == ("NoSystemdCgroup", 42, "warning")
    assert found(view(node(labels=PROVISIONED), silent, CLASS)) == []


def test_events_of_a_pod_that_has_gone_on_say_nothing() -> None:
    starting = pod(phase="Running", status={"state": {"running": {}}})
    scene = view(node(), starting, unconfigured(starting, HANDLER), event(starting, "Failed", "no match for platform"))
    assert found(scene) == []


def test_events_from_before_the_sandbox_was_made_say_nothing_once_it_is() -> None:
    pulling = pod(status=waits_for("ImagePullBackOff", "no such host"))
    assert only(view(node(), pulling, unconfigured(pulling, HANDLER), runtime_class())).code == "RegistryUnreachable"


def test_a_node_that_runtime_class_manager_failed_on_is_told() -> None:
    told = only(view(node(labels={"spin-v2": "failed"}), SHIM, CLASS))
    assert (told.code, told.node, told.command) == (
        "ProvisionFailed",
        "n1",
        "kubectl --kubeconfig k label node n1 spin-v2-",
    )
