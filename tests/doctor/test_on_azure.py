"""What `doctor` sees beside the cluster's own API: Resource Manager's side of it, or nothing at all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aks_wasm.kube.client import KubeClient
from aks_wasm.shims.labels import INSTALLED, SHIMS
from tests.journeys.conftest import Tool, fields_of
from tests.running_emulator import RunningEmulator, running_emulator

_numbers = itertools.count()
BARE = fields_of("nodePools.0.route=shim", "workloads=[]", "shims=[]")
"""One request for the cluster and its pool, nothing inside."""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("emulator-clinic")) as running:
        yield running


@pytest.fixture
def clinic(emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tool]:
    monkeypatch.chdir(tmp_path)
    tool = Tool(emulator, tmp_path, f"clinic{next(_numbers)}")
    yield tool
    emulator.control("DELETE", "faults")
    tool("down", "--yes")


def test_where_there_is_no_cluster_that_is_said(clinic: Tool) -> None:
    told = clinic.document("doctor", *BARE)
    assert told["ok"] is True
    (check,) = [check for check in told["checks"] if check["name"] == "cluster"]
    assert check["state"] == "skipped"
    assert f"there is no cluster `{clinic.name}` to look into; `aks-wasm up --target emulator" in check["about"]


def test_quota_that_an_up_would_lack_is_told_before_it(clinic: Tool) -> None:
    told = clinic.document("doctor", *BARE, *fields_of("nodePools.0.count=900"), code=1)
    assert {finding["code"] for finding in told["findings"]} == {"WouldFail"}
    assert "vCPU" in told["findings"][0]["message"]


def test_a_cluster_whose_last_operation_failed_is_told(clinic: Tool) -> None:
    clinic.fault("failed", code="VMExtensionError", message="no way out")
    clinic.up(*BARE, code=1)
    told = clinic.document("doctor", *BARE, code=1)
    assert "ClusterFailed" in [finding["code"] for finding in told["findings"]]
    (inside,) = [check for check in told["checks"] if check["name"] == "inside"]
    assert inside["state"] == "skipped"


def test_a_label_that_azure_does_not_have_for_the_pool_is_told(clinic: Tool) -> None:
    clinic.up(*BARE)
    with closing(KubeClient.from_kubeconfig(clinic("kubeconfig").stdout)) as client:
        (node,) = client.list("Node", labels="kubernetes.azure.com/agentpool=system")
        client.label("Node", node["metadata"]["name"], {SHIMS: INSTALLED})
    told = clinic.document("doctor", *BARE, code=1)
    (finding,) = told["findings"]
    assert (finding["code"], finding["demand"]) == ("LabelNotOnPool", 35)
    assert "on 1 of 1 nodes of the pool `system`" in finding["message"]
    assert finding["command"].endswith(f"label node {node['metadata']['name']} {SHIMS}-")
