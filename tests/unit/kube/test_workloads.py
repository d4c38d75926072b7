from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.kube.workloads import Placement, owned_by, workload_manifests
from aks_wasm.spec.models import SecretValue, Workload

WASM = Placement("aks-wasm-spin-v0-25-1", ("/",), 80)


def made(placement: Placement = WASM, secrets: dict[str, str] | None = None, **fields: Any) -> list[dict[str, Any]]:
    workload = Workload(name="web", **fields)
    return workload_manifests(workload, owner="demo", placement=placement, image="r/web:1", secrets=secrets or {})


def container_of(manifest: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
    return container


def test_a_service_is_a_deployment_and_a_load_balancer() -> None:
    deployment, service = made(replicas=3, port=8080)
    assert (deployment["kind"], service["kind"]) == ("Deployment", "Service")
    assert deployment["spec"]["replicas"] == 3
    assert deployment["metadata"]["namespace"] == "default"
    pod = deployment["spec"]["template"]["spec"]
    assert pod["runtimeClassName"] == "aks-wasm-spin-v0-25-1"
    assert container_of(deployment)["command"] == ["/"]
    assert container_of(deployment)["ports"][0]["containerPort"] == 80
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["spec"]["ports"][0] | {"protocol": "TCP"} == {
        "name": "http",
        "port": 8080,
        "targetPort": "http",
        "protocol": "TCP",
    }
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]


def test_everything_carries_our_marks() -> None:
    for manifest in made(secrets={"KEY": "x"}):
        labels = manifest["metadata"]["labels"]
        assert labels == {
            "app.kubernetes.io/name": "web",
            "app.kubernetes.io/managed-by": "aks-wasm",
            "app.kubernetes.io/part-of": "demo",
        }
    assert owned_by("demo") == "app.kubernetes.io/managed-by=aks-wasm,app.kubernetes.io/part-of=demo"


@pytest.mark.parametrize(("expose", "kinds"), [("cluster", ["Deployment", "Service"]), ("none", ["Deployment"])])
def test_what_is_not_public_gets_no_load_balancer(expose: str, kinds: list[str]) -> None:
    manifests = made(expose=expose)
    assert [manifest["kind"] for manifest in manifests] == kinds
    if expose == "cluster":
        assert manifests[1]["spec"]["type"] == "ClusterIP"
    else:
        assert "ports" not in container_of(manifests[0])
        assert manifests[0]["spec"]["minReadySeconds"] > 0  # a crash right after the start is not taken for ready
        assert "readinessProbe" not in container_of(manifests[0])


def test_an_ordinary_container_listens_at_the_specs_port_and_keeps_its_command() -> None:
    deployment, _ = made(Placement(), port=3000)
    assert "runtimeClassName" not in deployment["spec"]["template"]["spec"]
    assert "command" not in container_of(deployment)
    assert container_of(deployment)["ports"][0]["containerPort"] == 3000


def test_requests_are_limits() -> None:
    resources = container_of(made(resources={"cpu": "250m", "memory": "1Gi"})[0])["resources"]
    assert resources["requests"] == resources["limits"] == {"cpu": "250m", "memory": "1Gi"}


def test_the_environment_becomes_strings_and_the_workloads_own_wins() -> None:
    placement = Placement("x", environment={"B": "from the shim", "A": "from the shim"})
    container = container_of(made(placement, env={"B": True, "C": 1.5})[0])
    assert container["env"] == [
        {"name": "A", "value": "from the shim"},
        {"name": "B", "value": "true"},
        {"name": "C", "value": "1.5"},
    ]


def test_secrets_go_into_a_secret_and_a_changed_one_changes_the_pods() -> None:
    env = {"KEY": SecretValue(from_environment="THEIR_KEY")}
    secret, deployment, _ = made(env=env, secrets={"KEY": "s3cret"})
    assert (secret["kind"], secret["data"]) == ("Secret", {"KEY": "czNjcmV0"})
    reference = container_of(deployment)["env"][0]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": secret["metadata"]["name"], "key": "KEY"}
    assert "s3cret" not in str(deployment)
    assert made(env=env, secrets={"KEY": "s3cret"})[1] == deployment
    assert made(env=env, secrets={"KEY": "other"})[1] != deployment


def test_a_job_is_named_by_its_content_since_it_cannot_be_changed() -> None:
    (job,) = made(kind="job", args=["--fast"], replicas=2)
    assert job["kind"] == "Job"
    assert job["metadata"]["name"].startswith("web-")
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 2
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert container_of(job)["args"] == ["--fast"]
    assert "ports" not in container_of(job)
    assert made(kind="job", args=["--fast"], replicas=2) == [job]
    assert made(kind="job", args=["--slow"], replicas=2)[0]["metadata"]["name"] != job["metadata"]["name"]


def test_pods_get_no_token_and_wasm_pods_a_short_grace() -> None:
    pod = made()[0]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["terminationGracePeriodSeconds"] < 30
    assert "terminationGracePeriodSeconds" not in made(Placement())[0]["spec"]["template"]["spec"]
