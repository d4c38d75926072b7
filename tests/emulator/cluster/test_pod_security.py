"""Namespaces say which pods may be in them; the words are proved against the real API server by the contract suite."""

from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.emulator.cluster.pod_security import policy_of
from aks_wasm.emulator.cluster.pod_security_checks import detailed, findings

from .conftest import Api, Cluster, deployment, pod

NAMESPACES = "/api/v1/namespaces"
LEVEL = "pod-security.kubernetes.io/enforce"
HOST: dict[str, Any] = {
    "containers": [{"name": "install", "image": "x:1", "securityContext": {"privileged": True}}],
    "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
}


def namespace(api: Api, name: str, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": {f"pod-security.kubernetes.io/{key}": value for key, value in labels.items()}}
    answer: dict[str, Any] = api.post(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    return answer


def test_a_guarded_namespace_refuses_a_pod_that_reaches_its_host_and_says_why(api: Api) -> None:
    namespace(api, "guarded", enforce="baseline")
    refused = api.post(f"{NAMESPACES}/guarded/pods", pod("one", **HOST))
    assert (refused["code"], refused["reason"]) == (403, "Forbidden")
    assert refused["message"] == (
        'pods "one" is forbidden: violates PodSecurity "baseline:latest": hostPath volumes (volume "host"), '
        'privileged (container "install" must not set securityContext.privileged=true)'
    )
    assert "code" not in api.post(f"{NAMESPACES}/guarded/pods", pod("two"))


def test_a_dry_run_is_refused_the_same_way(api: Api) -> None:
    namespace(api, "guarded", enforce="restricted")
    refused = api.post(f"{NAMESPACES}/guarded/pods?dryRun=All", pod("one"))
    assert 'violates PodSecurity "restricted:latest"' in refused["message"]


def test_a_workload_is_let_in_with_a_warning(api: Api) -> None:
    namespace(api, "guarded", enforce="baseline")
    web = deployment()
    web["spec"]["template"]["spec"].update(HOST)
    answer = api.request("POST", "/apis/apps/v1/namespaces/guarded/deployments", web)
    assert answer.status_code == 201
    assert 'would violate PodSecurity \\"baseline:latest\\"' in answer.headers["Warning"]


def test_namespaces_without_a_level_take_everything(api: Api) -> None:
    assert "code" not in api.post(f"{NAMESPACES}/default/pods", pod("one", **HOST))


def test_a_stricter_level_names_the_pods_it_would_not_take(api: Api) -> None:
    namespace(api, "late")
    api.post(f"{NAMESPACES}/late/pods", pod("one", **HOST))
    answer = api.request(
        "PATCH", f"{NAMESPACES}/late", {"metadata": {"labels": {LEVEL: "baseline"}}}, "application/merge-patch+json"
    )
    assert "one: hostPath volumes, privileged" in answer.headers["Warning"]
    assert "code" not in api.patch(f"{NAMESPACES}/late/pods/one", {"metadata": {"labels": {"a": "b"}}})


def test_a_level_that_is_none_is_refused_and_where_it_got_in_is_the_strictest(api: Api, cluster: Cluster) -> None:
    refused = namespace(api, "odd", enforce="loose")
    assert refused["message"].endswith("must be one of privileged, baseline, restricted")
    assert policy_of({LEVEL: "loose"}).enforce.level == "restricted"


@pytest.mark.parametrize(("minor", "refused"), [(34, True), (33, False)])
def test_a_rule_is_in_force_from_the_version_that_brought_it(minor: int, refused: bool) -> None:
    probe = {"httpGet": {"port": 80, "host": "10.0.0.1"}}
    spec = {"containers": [{"name": "main", "image": "x:1", "livenessProbe": probe}]}
    found = findings("baseline", minor, {}, spec)
    assert bool(found) == refused
    assert not refused or detailed(found) == (
        'probe or lifecycle host (container "main" uses probe or lifecycle host "10.0.0.1")'
    )
