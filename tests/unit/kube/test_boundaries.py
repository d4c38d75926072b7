from __future__ import annotations

import subprocess
import sys

import pytest
import requests
import urllib3
from kubernetes.client.exceptions import ApiException

from aks_wasm.errors import AksWasmError, NotAllowed, NotSignedIn, ServiceError
from aks_wasm.kube.errors import from_status


def test_foreign_errors_are_not_ours() -> None:
    assert not issubclass(AksWasmError, ApiException | urllib3.exceptions.HTTPError | requests.RequestException)


@pytest.mark.parametrize(
    ("status", "kind"), [(401, NotSignedIn), (403, NotAllowed), (409, ServiceError), (500, ServiceError)]
)
def test_an_answer_that_is_no_status_object_is_told_by_its_number(status: int, kind: type[AksWasmError]) -> None:
    for body in (b"<html>", b"[]", b""):
        error = from_status(status, body, doing="list Nodes")
        assert type(error) is kind
        assert error.message == f"cannot list Nodes: the API server answered {status}"
        assert error.code == f"KubernetesHttp{status}"


@pytest.mark.parametrize(
    "module",
    ["aks_wasm.kube.conditions", "aks_wasm.kube.matching", "aks_wasm.kube.workloads", "aks_wasm.kube.kubeconfig"],
)
def test_planning_does_not_load_the_kubernetes_package(module: str) -> None:
    code = f"import sys, {module}; raise SystemExit('kubernetes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
