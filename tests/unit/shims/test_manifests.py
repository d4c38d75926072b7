from __future__ import annotations

from aks_wasm.shims.catalogue import preview_shim, select
from aks_wasm.shims.labels import PROOF
from aks_wasm.shims.probe import probe_manifest, probe_name, proof, proved
from aks_wasm.shims.runtime_class import preview_runtime_class, shim_runtime_class, tolerations

TAINT = "aks-wasm.dev/wasm=true:NoSchedule"
SPIN = select(("spin",))[0]


def test_a_runtime_class_sends_pods_to_the_nodes_on_which_the_shim_is_proved() -> None:
    manifest = shim_runtime_class(SPIN, owner="demo", taints=[TAINT])
    assert manifest["metadata"]["name"] == manifest["handler"] == "aks-wasm-spin-v0-25-1"
    assert manifest["metadata"]["labels"]["app.kubernetes.io/part-of"] == "demo"
    assert manifest["scheduling"]["nodeSelector"] == {"handler.aks-wasm.dev/aks-wasm-spin-v0-25-1": "ready"}
    assert {"key": "aks-wasm.dev/wasm", "operator": "Equal", "value": "true", "effect": "NoSchedule"} in manifest[
        "scheduling"
    ]["tolerations"]


def test_the_previews_runtime_class_has_the_services_names() -> None:
    brought = preview_shim(SPIN)
    assert brought is not None
    assert brought.preview is not None
    manifest = preview_runtime_class(brought.preview, owner="demo", taints=[])
    assert (manifest["metadata"]["name"], manifest["handler"]) == ("wasmtime-spin-v2", "spin-v0-15-1")
    assert manifest["scheduling"]["nodeSelector"] == {"kubernetes.azure.com/wasmtime-spin-v2": "true"}


def test_spot_nodes_are_always_tolerated_and_no_taint_twice() -> None:
    spot = {
        "key": "kubernetes.azure.com/scalesetpriority",
        "operator": "Equal",
        "effect": "NoSchedule",
        "value": "spot",
    }
    assert tolerations([]) == [spot]
    assert len(tolerations([TAINT, TAINT, "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"])) == 2
    assert tolerations(["dedicated:NoExecute"])[0] == {
        "key": "dedicated",
        "operator": "Exists",
        "effect": "NoExecute",
    }


def test_a_probe_is_pinned_to_its_node_and_ends_by_itself() -> None:
    manifest = probe_manifest(SPIN, node="aks-wasm-1-vmss000000", runtime_class="x", image="i:1", owner="demo")
    spec = manifest["spec"]
    terms = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms[0]["matchFields"][0]["values"] == ["aks-wasm-1-vmss000000"]
    assert (spec["runtimeClassName"], spec["restartPolicy"]) == ("x", "Never")
    assert spec["activeDeadlineSeconds"] > 0
    assert spec["containers"][0]["command"] == ["/"]


def test_a_probe_that_serves_is_ready_when_it_listens() -> None:
    old = select(("spin@v0.8.0",))[0]
    container = probe_manifest(old, node="n", runtime_class="x", image="i:1", owner="demo")["spec"]["containers"][0]
    assert container["readinessProbe"]["tcpSocket"] == {"port": 80}


def test_probe_names_are_dns_labels_and_differ_by_node() -> None:
    names = {probe_name(f"aks-wasmpool123-12345678-vmss00000{digit}", "aks-wasm-wasmtime-v0-6-0") for digit in range(9)}
    assert len(names) == 9
    assert all(len(name) <= 63 for name in names)
    long = {
        probe_name(f"aks-wasmpool1234-12345678-vmss00000{d}", "aks-wasm-a-very-long-shim-name-v10-20-30") for d in "ab"
    }
    assert len(long) == 2
    assert all(len(name) <= 63 for name in long)


def test_a_proof_holds_until_the_node_boots_again_or_the_version_changes() -> None:
    node = {"metadata": {"annotations": {}}, "status": {"nodeInfo": {"bootID": "boot-1"}}}
    assert not proved(node, "a", "v1")
    node["metadata"]["annotations"] = proof(node, "a", "v1")
    node["metadata"]["annotations"] = proof(node, "b", "v2")
    assert proved(node, "a", "v1")
    assert proved(node, "b", "v2")
    assert not proved(node, "a", "v2")
    node["status"]["nodeInfo"]["bootID"] = "boot-2"
    assert not proved(node, "a", "v1")


def test_an_annotation_that_somebody_broke_proves_nothing() -> None:
    for text in ("{", "[]", '"x"'):
        assert not proved({"metadata": {"annotations": {PROOF: text}}}, "a", "v1")
