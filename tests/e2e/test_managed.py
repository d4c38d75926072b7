"""`runtime ... --installer runtime-class-manager` with the real runtime-class-manager v0.2.0 at work on a real cluster.

Cases build on each other, in their order."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.clusters import Cluster, eventually, running
from tests.e2e.machine import Machine
from tests.e2e.manager_images import (
    CONTROLLER,
    DEFINITION,
    DOWNLOADER,
    NODE_INSTALLER,
    SOURCES,
    build_images,
    sources,
)
from tests.e2e.plain_clusters import INSTALLER_IMAGE
from tests.e2e.product import LARGE, Ran, Tool

VARIANT = "containerd2"  # with kind's configuration, whose ids are those that it writes
NAMESPACE, NAME = "rcm", "runtime-class-manager"
SERVED, PORT = "/srv/shims", 8099
BINARY = "containerd-shim-wasmtime-v1"
FIRST, SECOND = "aks-wasm-wasmtime-v1", "aks-wasm-wasmtime-v2"
OWNER = "managed"
PROBE = ("--probe-image", "bench.local/task:1")


@dataclass
class Site:
    """A cluster where it is at work, the command, and addresses of shims by their version."""

    cluster: Cluster
    tool: Tool
    sums: dict[str, str]
    before: str = ""

    def runtime(self, verb: str, version: str, *arguments: str) -> Ran:
        """Run `aks-wasm runtime VERB` on the cluster, by a file that names this version of the shim."""
        addresses = self.cluster.get("node", self.cluster.worker)["status"]["addresses"]
        address = next(one["address"] for one in addresses if one["type"] == "InternalIP")
        location = f"http://{address}:{PORT}/{version}/shim.tar.gz"
        platform = {"arch": "amd64", "location": location, "sha256": self.sums.get(version, "0" * 64)}
        shim = {"name": "wasmtime", "version": version, "runtimeType": "io.containerd.wasmtime.v1"}
        file = self.tool.folder / f"{version}.yaml"
        spec = {"apiVersion": "aks-wasm/v1", "kind": "Cluster", "metadata": {"name": OWNER}, "target": "local"}
        more = {"nodePools": [{"name": "wasm", "arch": "amd64"}], "shims": [{**shim, "platforms": [platform]}]}
        file.write_text(yaml.safe_dump({**spec, **more, "workloads": [], "installer": {"kind": NAME}}))
        way_in = ("--kubeconfig", str(self.cluster.kubeconfig), "-f", str(file), "-o", "json", "--progress", "plain")
        return self.tool("runtime", verb, *way_in, *arguments)

    def sum_on_node(self) -> str:
        return self.cluster.in_node(f"sha256sum /opt/rcm/bin/{BINARY}").split()[0]


@pytest.fixture(scope="module")
def site(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A cluster of one worker without any shim, with runtime-class-manager and a server of shims."""
    checkout = sources()
    if checkout is None:
        pytest.skip(f"no package registry has runtime-class-manager: name a checkout of v0.2.0 in {SOURCES}")
    folder = tmp_path_factory.mktemp("managed")
    built = build_images(machine, checkout, folder / "built")
    shim = machine.shim.read_bytes()
    contents = {"v1": shim, "v2": shim + b"\n", "v3": b"no program\n"}
    sums = {version: archive(folder / "shims" / version, content) for version, content in contents.items()}
    cluster = Cluster(machine, "check-managed", folder / "kubeconfig")
    mount = {"hostPath": str(folder / "shims"), "containerPath": SERVED, "readOnly": True}
    nodes = {"nodes": [{"role": "control-plane"}, {"role": "worker", "extraMounts": [mount]}]}
    with running(cluster, VARIANT, {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", **nodes}, folder):
        for images in (machine.apps / INSTALLER_IMAGE, built):
            machine.run("kind", "--quiet", "load", "image-archive", images, "--name", cluster.name)
        cluster.apply(yaml.safe_load((checkout / DEFINITION).read_text()), *manager(), server(cluster.worker))
        cluster.kubectl("rollout", "status", f"--namespace={NAMESPACE}", f"deployment/{NAME}", "--timeout=90s")
        cluster.kubectl("wait", f"--namespace={NAMESPACE}", "pod/www", "--for=condition=Ready", "--timeout=60s")
        yield Site(cluster, Tool(machine, folder / "tool"), sums, cluster.in_node("containerd config dump"))


def archive(folder: Path, content: bytes) -> str:
    """Write a shim as it is published; return the archive's SHA-256."""
    folder.mkdir(parents=True)
    binary, packed = folder / BINARY, folder / "shim.tar.gz"
    binary.write_bytes(content)
    binary.chmod(0o755)
    with tarfile.open(packed, "w:gz", compresslevel=1) as tar:
        tar.add(binary, BINARY)
    return hashlib.sha256(packed.read_bytes()).hexdigest()


def manager() -> list[dict[str, Any]]:
    """What its chart makes, with the rights of an administrator."""
    labels = {"app.kubernetes.io/name": NAME}
    said = {"CONTROLLER_NAMESPACE": NAMESPACE, "SHIM_DOWNLOADER_IMAGE": DOWNLOADER,
            "SHIM_NODE_INSTALLER_IMAGE": NODE_INSTALLER, "SHIM_NODE_INSTALLER_JOB_TTL": "0"}  # fmt: skip
    ready = {"httpGet": {"path": "/readyz", "port": 8082}, "periodSeconds": 1}
    container = {"name": "rcm", "image": CONTROLLER, "env": [{"name": k, "value": v} for k, v in said.items()],
                 "imagePullPolicy": "Never", "readinessProbe": ready}  # fmt: skip
    template = {"metadata": {"labels": labels}, "spec": {"serviceAccountName": "rcm", "containers": [container]}}
    metadata = {"name": NAME, "namespace": NAMESPACE, "labels": labels}
    subject = {"kind": "ServiceAccount", "name": "rcm", "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "rcm"}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "rcm", "namespace": NAMESPACE}},
        {**binding, "roleRef": role, "subjects": [subject]},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
         "spec": {"selector": {"matchLabels": labels}, "template": template}},
    ]  # fmt: skip


def server(node: str) -> dict[str, Any]:
    """A pod that serves the shims at the node's own address."""
    container = {"name": "www", "image": "bench.local/busybox:1", "imagePullPolicy": "Never",
                 "command": ["busybox", "httpd", "-f", "-p", str(PORT), "-h", SERVED],
                 "volumeMounts": [{"name": "shims", "mountPath": SERVED}]}  # fmt: skip
    volume = {"name": "shims", "hostPath": {"path": SERVED}}
    spec = {"hostNetwork": True, "nodeName": node, "containers": [container], "volumes": [volume]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "www", "namespace": NAMESPACE}, "spec": spec}


def web() -> dict[str, Any]:
    """A Wasm service of ours."""
    container = {
        "name": "app",
        "image": "bench.local/http:1",
        "imagePullPolicy": "Never",
        "resources": {"limits": LARGE},
    }
    pod = {"runtimeClassName": FIRST, "terminationGracePeriodSeconds": 1, "containers": [container]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    marks = {"app.kubernetes.io/managed-by": "aks-wasm", "app.kubernetes.io/part-of": OWNER}
    metadata = {"name": "web", "namespace": "default", "labels": marks}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def test_its_work_is_proved_and_listed(site: Site) -> None:
    ran = site.runtime("install", "v1", *PROBE)
    assert ran.code == 0, str(ran)
    assert [(one["node"], one["result"]) for one in ran.document["nodes"]] == [(site.cluster.worker, "ok")]
    assert site.runtime("install", "v1", *PROBE).document["steps"] == []
    items = {one["runtimeClass"]: one for one in site.runtime("list", "v1").document["items"]}
    assert (items[FIRST]["installer"], items[FIRST]["ready"], items[FIRST]["nodes"]) == (NAME, 1, 1)


def test_an_upgrade_ends_what_runs_and_workloads_come_back(site: Site, figure: Callable[[str], None]) -> None:
    site.cluster.apply(web())
    site.cluster.kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    (old,) = site.cluster.items("pods", "--selector=app=web")
    ran = site.runtime("upgrade", "v2", "--shim", "wasmtime", *PROBE)
    assert ran.code == 0, str(ran)
    assert "1 running pod ends, and workloads get new ones only when the new version is there" in ran.stderr
    assert site.sum_on_node() == hashlib.sha256(site.cluster.machine.shim.read_bytes() + b"\n").hexdigest()
    site.cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    pods = site.cluster.items("pods", "--selector=app=web")
    (new,) = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert new["spec"]["runtimeClassName"] == SECOND
    assert new["metadata"]["name"] != old["metadata"]["name"]
    figure(f"{NAME}: one node upgraded in place and a workload moved in {ran.seconds:.0f} s")


def test_a_version_that_does_not_work_makes_way_for_the_last_one(site: Site) -> None:
    ran = site.runtime("upgrade", "v3", "--shim", "wasmtime", *PROBE)
    assert ran.code == 1, str(ran)
    assert "has put wasmtime v2 back on the nodes" in ran.stderr
    assert site.sum_on_node() == hashlib.sha256(site.cluster.machine.shim.read_bytes() + b"\n").hexdigest()
    site.cluster.kubectl("rollout", "status", "deployment/web", "--timeout=90s")


def test_removal_leaves_containerd_as_it_was(site: Site) -> None:
    ran = site.runtime("remove", "v2", "--all", "--yes")
    assert (ran.code, json.loads(ran.stdout)["error"]["code"]) == (7, "RuntimeInUse"), str(ran)
    site.cluster.kubectl("delete", "deployment/web", "--wait=true")

    def gone() -> bool | None:
        return not site.cluster.items("pods", "--selector=app=web") or None

    eventually(gone, "the pods of web gone", 60)
    ran = site.runtime("remove", "v2", "--all", "--yes")
    assert ran.code == 0, str(ran)
    assert site.cluster.in_node("containerd config dump") == site.before


def test_what_cannot_be_fetched_is_told_and_let_go(site: Site) -> None:
    ran = site.runtime("install", "v4", "--timeout", "20s", *PROBE)
    assert ran.code == 5, str(ran)
    assert f"its Job on `{site.cluster.worker}` has failed" in ran.stderr
    ran = site.runtime("remove", "v4", "--all", "--yes", "--timeout", "60s")
    assert ran.code == 0, str(ran)
    assert "wasmtime-v1" not in site.cluster.get("node", site.cluster.worker)["metadata"]["labels"]
    assert site.cluster.in_node("containerd config dump") == site.before
