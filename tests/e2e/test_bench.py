"""The bench itself is sound: for each node image a cluster made with kind alone runs Wasm as a real one does."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.clusters import Cluster, cluster_of, eventually
from tests.e2e.machine import VARIANTS, Machine

CLASSES: dict[str, dict[str, Any]] = {
    "wasmtime": {"handler": "wasmtime", "scheduling": {"nodeSelector": {"wasm": "yes"}}},
    "wasmtime-anywhere": {"handler": "wasmtime"},
    "nohandler": {"handler": "nohandler"},
}
VERSIONS = {"containerd1": r"containerd://1\.6\..*", "containerd2": "containerd://2.*", "aks2404": "containerd://2.*"}


@pytest.fixture(scope="module", params=VARIANTS)
def cluster(
    machine: Machine, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    with cluster_of(machine, request.param, tmp_path_factory.mktemp(request.param)) as made:
        about = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass"}
        made.apply(*({**about, "metadata": {"name": name}, **rest} for name, rest in CLASSES.items()))
        yield made


def pod(name: str, image: str, *arguments: str, runtime: str | None = "wasmtime", **more: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "app", "image": f"bench.local/{image}:1", "imagePullPolicy": "Never"}
    container |= {"args": list(arguments), **more.pop("container", {})}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 2, "containers": [container], **more}
    if runtime:
        spec["runtimeClassName"] = runtime
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def test_nodes_are_ready_with_the_containerd_of_the_variant(cluster: Cluster) -> None:
    variant = cluster.name.rpartition("-")[2]
    # kind waits for its control plane's node; a worker has its network a moment later.
    cluster.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s")
    for name in (f"{cluster.name}-control-plane", cluster.worker):
        status = cluster.get("node", name)["status"]
        assert {one["type"]: one["status"] for one in status["conditions"]}["Ready"] == "True"
        assert re.fullmatch(VERSIONS[variant], status["nodeInfo"]["containerRuntimeVersion"])


def test_the_patch_left_what_was_configured(cluster: Cluster) -> None:
    dump = cluster.in_node("containerd config dump")
    handlers = set(re.findall(r"containerd\.runtimes\.([\w-]+)\]", dump))
    other = {"untrusted"} if "aks2404" in cluster.name else {"test-handler"}
    assert {"runc", "wasmtime", *other} <= handlers
    assert re.search(r"SystemdCgroup = true", dump)


def test_a_wasm_command_runs_to_its_end(cluster: Cluster) -> None:
    cluster.apply(pod("hello", "task", "hello"))
    assert cluster.ended("hello") == (0, "Completed")
    assert cluster.kubectl("logs", "hello").startswith("hello from")


def test_an_image_for_wasi_runs_as_well(cluster: Cluster) -> None:
    cluster.apply(pod("for-wasi", "task-wasi", "hello"))
    assert cluster.ended("for-wasi") == (0, "Completed")


def test_how_a_module_ends_is_how_its_pod_ends(cluster: Cluster) -> None:
    limited = {"resources": {"limits": {"memory": "128Mi"}}}
    cluster.apply(pod("exit7", "task", "exit", "7"), pod("trap", "task", "trap"))
    cluster.apply(pod("memory", "task", "alloc", "300", container=limited))
    assert cluster.ended("exit7") == (7, "Error")
    assert cluster.ended("trap") == (2, "Error")
    assert cluster.ended("memory")[0] == 137


def test_what_containerd_says_about_a_handler_it_does_not_know(cluster: Cluster) -> None:
    cluster.apply(pod("no-handler", "task", runtime="nohandler", nodeName=cluster.worker))
    assert cluster.warning("no-handler").endswith('no runtime for "nohandler" is configured')


def test_what_containerd_says_about_a_shim_that_is_not_there(cluster: Cluster) -> None:
    on = f"{cluster.name}-control-plane"
    cluster.apply(pod("no-shim", "task", runtime="wasmtime-anywhere", nodeName=on))
    assert "containerd-shim-wasmtime-v1" in cluster.warning("no-shim")


def test_a_component_and_a_container_answer_from_everywhere(cluster: Cluster, machine: Machine) -> None:
    ready = {"readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}}
    service = {"apiVersion": "v1", "kind": "Service"}
    cluster.apply(
        pod("http", "http", container=ready),
        pod("web", "web", runtime=None, nodeName=cluster.worker),
        {**service, "metadata": {"name": "http"},
         "spec": {"type": "NodePort", "selector": {"app": "http"}, "ports": [{"port": 80, "targetPort": 8080}]}},
        {**service, "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
    )  # fmt: skip
    cluster.kubectl("wait", "pod/http", "pod/web", "--for=condition=Ready", "--timeout=90s")
    addresses = cluster.get("node", cluster.worker)["status"]["addresses"]
    (address,) = (one["address"] for one in addresses if one["type"] == "InternalIP")
    port = cluster.get("service", "http")["spec"]["ports"][0]["nodePort"]
    retry = ("--retry", "5", "--retry-connrefused")  # kube-proxy may be a second behind readiness
    told = machine.run("curl", "--silent", "--show-error", "--fail", *retry, f"http://{address}:{port}/from-host")
    assert told.startswith("wasm component, path /from-host")
    urls = ("http://web/", "http://http.default.svc.cluster.local/from-a-pod")
    cluster.apply(pod("client", "web", "get", *urls, runtime=None, nodeName=f"{cluster.name}-control-plane"))
    assert cluster.ended("client") == (0, "Completed")
    told = cluster.kubectl("logs", "client")
    assert "web on web" in told
    assert "path /from-a-pod" in told


def test_workloads_come_back_after_a_node_restarts(cluster: Cluster, machine: Machine) -> None:
    cluster.apply(pod("steady", "http", restartPolicy="Always"))
    cluster.kubectl("wait", "pod/steady", "--for=condition=Ready", "--timeout=90s")
    machine.docker("restart", "--time=2", cluster.worker)

    def again() -> bool | None:
        status = cluster.get("pod", "steady")["status"]["containerStatuses"][0]
        return True if status["restartCount"] > 0 and status["ready"] else None

    eventually(again, "the pod running again", 120)


def test_nothing_is_forwarded_out_of_the_machine(cluster: Cluster, machine: Machine) -> None:
    def refused() -> int:
        told = subprocess.run(["iptables", "-nvxL", "DOCKER-USER"], capture_output=True, text=True, check=True).stdout
        return int(next(line for line in told.splitlines() if "REJECT" in line).split()[0])

    before = refused()
    script = (
        "! curl --silent --max-time 5 --output /dev/null http://198.51.100.1/ && ! timeout 5 getent hosts example.org"
    )
    cluster.in_node(script)
    assert refused() > before
