"""Before the installer comes the real API server is asked too; it words a policy's refusal as the emulator does."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import yaml

from aks_wasm.emulator.cluster import managed_policies
from aks_wasm.emulator.cluster.statuses import ApiFailure
from aks_wasm.errors import Problem
from aks_wasm.kube.client import KubeClient
from aks_wasm.steps.privileges import privileged_allowed
from tests.e2e.contract.real_api import Endpoint

NAME = "aks-managed-baseline-hostpath-volumes"
MESSAGE = (
    "HostPath volumes are forbidden under restricted security policy unless containers mounting them are from "
    "allowed images"
)
SECONDS = 20  # a policy is in force when the server's caches have it
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


@contextmanager
def client_of(endpoint: Endpoint) -> Iterator[KubeClient]:
    authority = base64.b64encode(endpoint.authority.read_bytes()).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": endpoint.url, "certificate-authority-data": authority}}],
        "users": [{"name": "u", "user": {"token": "owner"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    client = KubeClient.from_kubeconfig(yaml.safe_dump(document))
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(params=["real", "emulated"])
def client(request: pytest.FixtureRequest) -> Iterator[KubeClient]:
    with client_of(request.getfixturevalue(request.param)) as opened:
        for namespace in ("default", "strict"):
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
            labels = {"pod-security.kubernetes.io/enforce": "baseline"} if namespace == "strict" else {}
            opened.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
            opened.apply({**account, "metadata": {"name": "default", "namespace": namespace}})
        yield opened


@pytest.mark.parametrize("namespace", ["default", "not-there", "strict"])
def test_privileged_pods_are_allowed_where_only_labels_of_ours_would_deny_them(
    client: KubeClient, namespace: str
) -> None:
    time.sleep(0.25)  # the server's watched copy of the namespace
    assert privileged_allowed(client, namespace, image="x:1") is None


def ask(endpoint: Endpoint, method: str, path: str, body: Any = None) -> requests.Response:
    headers = {"Authorization": "Bearer owner"}
    return requests.request(
        method, endpoint.url + path, json=body, headers=headers, verify=str(endpoint.authority), timeout=10
    )


@contextmanager
def policy(endpoint: Endpoint) -> Iterator[None]:
    """Have a policy of AKS Automatic's name and message in force on the real server."""
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
    look = "!has(object.spec.volumes) || object.spec.volumes.all(volume, !has(volume.hostPath))"
    spec = {
        "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": look, "message": MESSAGE, "reason": "Forbidden"}],
    }
    binding = {"policyName": NAME, "validationActions": ["Deny"]}
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": NAME}}
    ask(endpoint, "POST", POLICIES, {**head, "kind": "ValidatingAdmissionPolicy", "spec": spec}).raise_for_status()
    bound = {**head, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": f"{NAME}-binding"}}
    ask(endpoint, "POST", BINDINGS, {**bound, "spec": binding}).raise_for_status()
    try:
        yield
    finally:
        ask(endpoint, "DELETE", f"{BINDINGS}/{NAME}-binding")
        ask(endpoint, "DELETE", f"{POLICIES}/{NAME}")


def test_a_policy_of_the_real_server_is_recognised_and_the_emulators_has_the_same_words(real: Endpoint) -> None:
    pod = {"name": "one", "namespace": "default"}
    spec = {"containers": [{"name": "a", "image": "x"}], "volumes": [{"name": "h", "hostPath": {"path": "/"}}]}
    with client_of(real) as client, policy(real):
        problem = _until_denied(client)
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": pod, "spec": spec}
        answer = ask(real, "POST", "/api/v1/namespaces/default/pods?dryRun=All", body)
    assert problem is not None
    assert NAME in problem.message
    assert "Base SKU" in (problem.hint or "")
    with pytest.raises(ApiFailure) as emulated:
        managed_policies.guard(None, "pods", None, {"metadata": pod, "spec": spec})  # type: ignore[arg-type]
    assert answer.json()["message"] == emulated.value.message
    assert (answer.status_code, answer.json()["reason"]) == (emulated.value.code, emulated.value.reason)


def _until_denied(client: KubeClient) -> Problem | None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if problem := privileged_allowed(client, "not-there", image="x:1"):
            return problem
        time.sleep(0.2)
    return None
