"""`runtime list` and `verify` of the service's own runtimes on node pools of the preview, by a kubeconfig alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.journeys.conftest import Tool
from tests.journeys.given_cluster import Given, error_of, given_cluster
from tests.journeys.playing_manager import pushed_image

PREVIEW = {"name": "wasi", "arch": "amd64", "workload_runtime": "WasmWasi", "os_sku": "Ubuntu2204"}
CLASSES = (("wasmtime-spin-v2", "spin-v0-15-1"), ("wasmtime-spin-v1", "spin-v0-8-0"))


@contextmanager
def preview(tool: Tool) -> Iterator[Given]:
    """Make a cluster with a preview pool, and the RuntimeClasses as the service's documentation of then has them."""
    with given_cluster(tool, PREVIEW, {"name": "plain", "arch": "arm64"}) as given:
        for name, handler in CLASSES:
            scheduling = {"nodeSelector": {f"kubernetes.azure.com/{name}": "true"}}
            head = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}}
            given.client.apply({**head, "handler": handler, "scheduling": scheduling})
        yield given


def proofs(document: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(one["node"].split("-")[1], one["handler"], one["result"]) for one in document["nodes"]}


def test_they_are_proved_with_what_is_pushed_to_the_registry(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    with preview(tool) as given:
        given.use_registry(monkeypatch)
        ok = {("wasi", handler, "ok") for _name, handler in CLASSES}
        assert proofs(given.document("verify")) == ok
        assert given.is_clean(), "the probes' namespace is gone again"
        items = given.document("list")["items"]
        preview_pools = {(i["runtimeClass"], i["installer"]) for i in items if i["madeBy"] == "AKS preview"}
        assert preview_pools == {(name, None) for name, _handler in CLASSES}


def test_they_are_proved_with_an_image_that_is_named(tool: Tool) -> None:
    with preview(tool) as given:
        image = pushed_image(tool.emulator, tool.folder)
        assert proofs(given.document("verify", "--shim", "spin@v0.15.1", "--probe-image", image)) == {
            ("wasi", "spin-v0-15-1", "ok")
        }
        document = given.document("verify", "--shim", "spin@v0.15.1", "--probe-image", f"spin={image}-none", code=1)
        assert "pull" in document["nodes"][0]["reason"]


def test_without_an_image_that_nodes_can_pull_it_is_said_how_to_name_one(tool: Tool) -> None:
    with preview(tool) as given:
        since = tool.mark()
        error = error_of(given, "verify", code=2)
        assert error["code"] == "NoProbeImage"
        assert "`wasmtime-spin-v2` is not tried" in error["message"]
        assert "--probe-image" in error["hint"]
        assert given.writes(since) == []


def test_a_handler_that_a_node_has_lost_is_told(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    with preview(tool) as given:
        given.use_registry(monkeypatch)
        given.haste = 10
        head = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass"}
        given.client.delete("RuntimeClass", "wasmtime-spin-v1")
        given.client.delete("RuntimeClass", "wasmtime-spin-v2")
        scheduling = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}  # nodes of an ordinary pool
        name, handler = CLASSES[0]
        given.client.apply({**head, "metadata": {"name": name}, "handler": handler, "scheduling": scheduling})
        document = given.document("verify", code=1)
        assert proofs(document) == {("plain", "spin-v0-15-1", "failed")}
        assert "spin-v0-15-1" in document["nodes"][0]["reason"]


def test_an_image_for_what_is_no_such_option_is_refused(tool: Tool) -> None:
    with preview(tool) as given:
        result = given.run("verify", "--probe-image", "spin=a", "--probe-image", "spin=b")
        assert result.exit_code == 2
        assert "`--probe-image spin=b` is no `[SHIM=]IMAGE`, or one too many" in result.stderr
