"""`runtime install|list|verify|upgrade|remove` on clusters given by a kubeconfig: nothing but the API is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aks_wasm.shims.labels import SYSTEM_NAMESPACE
from tests.journeys.conftest import Tool
from tests.journeys.given_cluster import FAULT, Given, elf, error_of, given_cluster

NEW, OLD = "aks-wasm-spin-v0-25-1", "aks-wasm-spin-v0-23-0"


@pytest.fixture
def given(tool: Tool) -> Iterator[Given]:
    """A cluster with a node of each architecture."""
    with given_cluster(tool) as made:
        yield made


def results(document: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(one["arch"], one["handler"], one["result"]) for one in document["nodes"]}


def test_a_shim_gets_onto_every_node_and_is_proved_there(given: Given) -> None:
    document = given.document("install", "--shim", "spin")
    assert (document["kind"], document["ok"]) == ("RuntimeInstallation", True)
    assert results(document) == {("amd64", NEW, "ok"), ("arm64", NEW, "ok")}
    assert all(one["seconds"] is not None and one["containerd"] == "2.3.2" for one in document["nodes"])
    assert given.handlers() == [NEW, NEW]
    assert given.classes() == {NEW, f"aks-wasm-probe-{NEW}"}


def test_the_same_command_again_writes_nothing(given: Given) -> None:
    given.document("install", "--shim", "spin")
    since = given.tool.mark()
    document = given.document("install", "--shim", "spin")
    assert document["steps"] == []
    assert results(document) == {("amd64", NEW, "ok"), ("arm64", NEW, "ok")}
    assert given.writes(since) == []


def test_a_dry_run_tells_the_steps_and_writes_nothing(given: Given) -> None:
    since = given.tool.mark()
    document = given.document("install", "--shim", "spin", "--dry-run")
    assert [step["name"] for step in document["steps"]] == ["nodes", "shims"]
    assert {step["state"] for step in document["steps"]} == {"planned"}
    assert given.writes(since) == []
    assert "put spin v0.25.1 on 2 nodes" in given.run("install", "--shim", "spin", "--dry-run").stdout


def test_containerd_is_told_to_unpack_what_it_pulls_and_stays_told(given: Given) -> None:
    def told() -> str:
        live = given.client.get("ConfigMap", "shim-installer", SYSTEM_NAMESPACE) or {}
        return str(live["data"]["settings"])

    given.document("install", "--shim", "spin", "--local-image-pull", "--max-unavailable", "2")
    assert "local_image_pull=true\nturns=2\n" in told()
    given.document("install", "--shim", "spin@v0.23.0")
    assert "local_image_pull=true\nturns=2\n" in told()


def test_several_shims_live_side_by_side(given: Given) -> None:
    given.document("install", "--shim", "spin")
    document = given.document("install", "--shim", "wasmtime", "--shim", "spin@v0.23.0")
    assert len({handler for _, handler, _ in results(document)}) == 3
    assert all(result == "ok" for _, _, result in results(document))


def test_nodes_are_chosen_by_labels_and_the_choice_is_remembered(given: Given) -> None:
    chosen = ("--node-selector", "kubernetes.io/arch=arm64")
    assert {arch for arch, _, _ in results(given.document("install", "--shim", "spin", *chosen))} == {"arm64"}
    again = given.document("install", "--shim", "wasmtime")
    assert {arch for arch, _, _ in results(again)} == {"arm64"}
    assert sorted(map(bool, given.handlers())) == [False, True]
    error = error_of(given, "install", "--shim", "spin", "--node-selector", "disk=fast", code=2)
    assert "no Linux node has the labels `disk=fast`" in error["message"]


def test_a_binary_of_ones_own_is_named_by_its_content(given: Given) -> None:
    path = elf(given.tool.folder, "containerd-shim-wasmtime-v1", "amd64")
    words = ("--shim", f"wasmtime={path}", "--node-selector", "kubernetes.io/arch=amd64")
    document = given.document("install", *words)
    (shim,) = document["shims"]
    assert shim["handler"] == f"aks-wasm-wasmtime-{shim['version']}"
    assert results(document) == {("amd64", shim["handler"], "ok")}
    parts = given.client.list("ConfigMap", namespace=SYSTEM_NAMESPACE)
    assert f"shim-{shim['version']}-0" in {part["metadata"]["name"] for part in parts}
    path.unlink()
    assert {one["result"] for one in given.document("install", "--shim", "spin")["nodes"]} == {"ok"}, "no file needed"


def test_binaries_for_both_architectures_are_one_shim(given: Given) -> None:
    words = [
        f"wasmtime={elf(given.tool.folder, f'{arch}/containerd-shim-wasmtime-v1', arch)}" for arch in ("amd64", "arm64")
    ]
    document = given.document("install", "--shim", words[0], "--shim", words[1])
    assert len(document["shims"]) == 1
    assert {(arch, result) for arch, _, result in results(document)} == {("amd64", "ok"), ("arm64", "ok")}


def test_a_shim_that_is_there_must_fit_nodes_that_are_added(given: Given) -> None:
    path = elf(given.tool.folder, "containerd-shim-wasmtime-v1", "amd64")
    given.document("install", "--shim", f"wasmtime={path}", "--node-selector", "kubernetes.io/arch=amd64")
    since = given.tool.mark()
    error = error_of(given, "install", "--shim", "spin", "--node-selector", "kubernetes.io/arch=arm64", code=2)
    assert (error["code"], "`wasmtime`" in error["message"]) == ("NoPlatform", True)
    assert given.writes(since) == []


@pytest.mark.parametrize(
    ("word", "code", "message"),
    [
        ("spon", "ShimUnknown", "there is no shim `spon`"),
        ("spin@v9", "ShimUnknown", "has no version `v9`"),
        ("slight", "ShimUnknown", "the SHA-256 of `slight`"),
        ("mine=absent", "ShimUnusable", "there is no such file"),
        ("mine=text", "ShimUnusable", "is no Linux program"),
        ("mine=risc", "ShimUnusable", "for another processor (ELF machine 243)"),
        ("mine=intel", "NoPlatform", "is for amd64, node `aks-arms-"),
    ],
)
def test_what_cannot_be_installed_is_told_before_anything_is_made(
    given: Given, word: str, code: str, message: str
) -> None:
    Path("text").write_text("#!/bin/sh\n")
    elf(Path.cwd(), "risc", "riscv64")
    elf(Path.cwd(), "intel", "amd64")
    since = given.tool.mark()
    error = error_of(given, "install", "--shim", word, code=2)
    assert error["code"] == code
    assert message in error["message"]
    assert given.writes(since) == []


def test_a_node_that_fails_is_named_and_the_others_stay_as_they_were(tool: Tool) -> None:
    bad = {"name": "bad", "arch": "amd64", "labels": {FAULT: "HashMismatch"}}
    with given_cluster(tool, {"name": "good", "arch": "amd64"}, bad) as given:
        error = error_of(given, "install", "--shim", "spin", code=1)
        assert error["code"] == "HashMismatch"
        assert "the installer gave up on node `aks-bad-" in error["message"]
        assert given.is_clean()


def test_a_shim_that_fails_leaves_those_that_are_there_in_order(given: Given) -> None:
    given.document("install", "--shim", "spin")
    node = given.names[0]
    given.client.label("Node", node, {FAULT: "DownloadFailed"})
    error = error_of(given, "install", "--shim", "wasmtime", code=1)
    assert (error["code"], node in error["message"]) == ("DownloadFailed", True)
    given.client.label("Node", node, {FAULT: None})
    assert given.document("install", "--shim", "spin")["ok"] is True
    assert given.handlers() == [NEW, NEW]


def test_list_tells_whose_a_class_is_and_who_uses_it(given: Given) -> None:
    given.document("install", "--shim", "spin")
    foreign = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "spin-v2"}
    given.client.apply({**foreign, "metadata": {"name": "wasmtime-spin-v2"}})
    given.client.label("Node", given.names[0], {"kwasm.sh/kwasm-provisioned": "x"})
    given.deploy("web", NEW)
    since = given.tool.mark()
    items = {item["runtimeClass"]: item for item in given.document("list")["items"]}
    assert given.writes(since) == []
    ours = items[NEW]
    assert (ours["madeBy"], ours["version"], ours["ready"], ours["nodes"]) == ("aks-wasm", "v0.25.1", 2, 2)
    assert ours["usedBy"] == ["deployment/web"]
    assert items["wasmtime-spin-v2"]["madeBy"] == "KWasm"
    assert items["wasmtime-spin-v2"]["ready"] is None
    assert f"aks-wasm-probe-{NEW}" not in items
    assert "deployment/web" in given.run("list").stdout
    assert given.run("list", "-o", "name").stdout.splitlines()[0] == f"runtimeclass/{NEW}"


def test_verify_finds_the_node_that_has_lost_its_shim_although_its_labels_say_otherwise(given: Given) -> None:
    given.document("install", "--shim", "spin")
    assert given.document("verify")["ok"] is True
    given.client.delete("DaemonSet", "shim-installer", SYSTEM_NAMESPACE)
    node = given.names[1]
    given.client.annotate("Node", node, {"emulator.aks-wasm.dev/handlers": "{}"})
    given.client.label("Node", node, {f"handler.aks-wasm.dev/{NEW}": "ready"})
    given.haste = 10
    document = given.document("verify", code=1)
    assert {(one["node"], one["result"]) for one in document["nodes"]} >= {(node, "failed")}
    (failed,) = [one for one in document["nodes"] if one["result"] == "failed"]
    assert "no runtime for the handler" in failed["reason"]
    assert given.client.list("Pod", namespace=SYSTEM_NAMESPACE, labels="app.kubernetes.io/component=shim-verify") == []


def test_verify_takes_one_shim_or_one_node(given: Given) -> None:
    given.document("install", "--shim", "spin", "--shim", "wasmtime")
    node = given.names[0]
    document = given.document("verify", "--shim", "spin", "--node", node)
    assert [(one["node"], one["handler"]) for one in document["nodes"]] == [(node, NEW)]
    assert error_of(given, "verify", "--shim", "slight", code=2)["code"] == "NothingToVerify"
    assert " ok\n" in given.run("verify").stdout


def test_remove_leaves_nothing(given: Given) -> None:
    given.document("install", "--shim", "spin", "--shim", "wasmtime")
    document = given.document("remove", "--shim", "wasmtime", "--yes")
    assert [shim["name"] for shim in document["removed"]] == ["wasmtime"]
    assert given.handlers() == [NEW, NEW]
    given.document("remove", "--all", "--yes")
    assert given.is_clean()
    assert given.document("remove", "--all", "--yes")["steps"] == []


def test_what_pods_use_is_not_removed(given: Given) -> None:
    given.document("install", "--shim", "spin")
    given.deploy("web", NEW)
    since = given.tool.mark()
    for words in (("--all",), ("--shim", "spin")):
        error = error_of(given, "remove", *words, "--yes", code=7)
        assert error["code"] == "RuntimeInUse"
        assert "pod/web-" in error["message"]
    assert given.writes(since) == []


def test_removal_asks_first(given: Given) -> None:
    given.document("install", "--shim", "spin")
    assert error_of(given, "remove", "--all", code=2)["code"] == "ConfirmationNeeded"
    assert error_of(given, "remove", "--yes", code=2)["hint"] == "give either `--shim NAME` or `--all`"
    assert error_of(given, "remove", "--shim", "wasmtime", "--yes", code=2)["code"] == "NotInstalled"
    planned = given.document("remove", "--all", "--dry-run")
    assert [step["name"] for step in planned["steps"]] == ["runtime-classes", "shims", "installer", "nodes"]
    assert given.classes()


def test_others_things_stay(given: Given) -> None:
    given.document("install", "--shim", "spin")
    metadata = {"name": "theirs", "namespace": SYSTEM_NAMESPACE}
    given.client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}})
    result = given.run("remove", "--all", "--yes", "--progress", "plain")
    assert result.exit_code == 0, result.output
    assert "others use it: configmap/theirs" in result.stderr
    assert given.client.get("ConfigMap", "theirs", SYSTEM_NAMESPACE) is not None
    assert given.client.list("ConfigMap", namespace=SYSTEM_NAMESPACE, labels="app.kubernetes.io/part-of=aks-wasm") == []


def test_an_installer_of_another_name_is_left_alone(given: Given) -> None:
    given.document("install", "--shim", "spin", "--name", "theirs")
    since = given.tool.mark()
    for verb in (("install", "--shim", "spin"), ("verify",), ("upgrade",), ("remove", "--all", "--yes")):
        error = error_of(given, *verb, code=7)
        assert (error["code"], "--name theirs" in error["hint"]) == ("NotOurs", True)
    assert given.writes(since) == []
    given.document("remove", "--all", "--yes", "--name", "theirs")
    assert given.is_clean()


def test_the_ways_into_a_cluster_exclude_each_other(given: Given) -> None:
    error = error_of(given, "list", "--target", "local", code=2)
    assert "--kubeconfig" in error["message"]
    assert error_of(given, "list", "--context", "nowhere", code=2)["code"] == "NoSuchContext"
    assert given.tool("runtime", "list", "--context", "x").exit_code == 2
    assert given.tool("runtime", "install", "--name", "x", "--shim", "spin").exit_code == 2
