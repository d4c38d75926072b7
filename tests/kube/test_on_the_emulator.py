"""Packages, installer, proofs and workloads together, on the emulator's own nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from aks_wasm.errors import WorkloadFailed
from aks_wasm.kube.client import KubeClient
from aks_wasm.kube.conditions import endpoint_of, wait_for
from aks_wasm.kube.workloads import Placement, workload_manifests
from aks_wasm.shims.catalogue import Shim, select
from aks_wasm.shims.installer import Installation, ProbeImage, stay_image_key
from aks_wasm.shims.labels import INSTALLED, SHIMS, SYSTEM_NAMESPACE
from aks_wasm.shims.probe import probe_manifest, proof, proved
from aks_wasm.spec.models import Workload
from aks_wasm.steps.nodes_installed import wait_installed, wait_marked
from aks_wasm.waits import Patience, SystemClock
from aks_wasm.wasm.archive import ImageArchive
from aks_wasm.wasm.oci import content_of, package
from tests.running_emulator import RunningEmulator

HELLO = Path(__file__).parents[2] / "aks_wasm" / "hello"
TAINT = "aks-wasm.dev/wasm=true:NoSchedule"
SPIN, WASMTIME = select(("spin", "wasmtime"))
PATIENCE = Patience(60, SystemClock())


class WasmCluster:
    """A local cluster of the emulator with one Wasm node that has both shims."""

    def __init__(self, emulator: RunningEmulator, folder: Path) -> None:
        self._emulator, self._folder = emulator, folder
        pool = {"name": "wasm", "count": 1, "arch": "arm64", "labels": {SHIMS: INSTALLED}, "taints": [TAINT]}
        emulator.control("PUT", "clusters/kube-tests", {"pools": [pool]})
        config = emulator.control("GET", "clusters/kube-tests/kubeconfig")
        self.client = KubeClient.from_kubeconfig(config if isinstance(config, str) else yaml.safe_dump(config))
        probes = {
            stay_image_key(shim): ProbeImage(archive.name, archive.path.read_bytes())
            for shim, source in ((SPIN, "service/spin.toml"), (WASMTIME, "probe/probe.wasm"))
            for archive in [self._archive(f"stays-{shim.name}", source)]
        }
        wanted = Installation("kube-tests", (SPIN, WASMTIME), (TAINT,), probes)
        for manifest in (*wanted.manifests(), *wanted.runtime_classes(), *wanted.probe_daemon_sets()):
            self.client.apply(manifest)
        nodes = [node["metadata"]["name"] for node in self.client.list("Node")]
        wait_installed(self.client, wanted, nodes, PATIENCE)
        wait_marked(self.client, [SPIN.handler, WASMTIME.handler], nodes, PATIENCE)

    def _archive(self, name: str, source: str) -> ImageArchive:
        return package(content_of(HELLO / source), repository=f"aks-wasm.local/{name}", folder=self._folder)

    def image(self, name: str, source: str) -> str:
        archive = self._archive(name, source)
        control = self._emulator.client
        with archive.path.open("rb") as file:
            answer = requests.put(
                f"{control.url}/_emulator/clusters/kube-tests/images",
                data=file,
                headers={"Authorization": f"Bearer {control.token}"},
                verify=str(control.ca_file),
                timeout=60,
            )
        assert answer.json()["images"] == [archive.name]
        return archive.name

    def close(self) -> None:
        self.client.close()
        self._emulator.control("DELETE", "clusters/kube-tests")


@pytest.fixture(scope="module")
def cluster(emulator: RunningEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmCluster]:
    made = WasmCluster(emulator, tmp_path_factory.mktemp("images"))
    yield made
    made.close()


@pytest.mark.parametrize(("shim", "source"), [(SPIN, "probe/spin.toml"), (WASMTIME, "probe/probe.wasm")])
def test_a_probe_proves_its_node(cluster: WasmCluster, shim: Shim, source: str) -> None:
    client = cluster.client
    (node,) = client.list("Node", labels=f"{SHIMS}={INSTALLED}")
    name, runtime_class = node["metadata"]["name"], shim.runtime_class
    image = cluster.image(f"probe-{shim.name}", source)
    manifest = probe_manifest(shim, node=name, runtime_class=runtime_class, image=image, owner="kube-tests")
    client.apply(manifest)
    wait_for(client, manifest, PATIENCE)
    assert list(client.logs(SYSTEM_NAMESPACE, manifest["metadata"]["name"])) == ["ok"]
    assert not proved(node, runtime_class, shim.version)
    client.annotate("Node", name, proof(node, runtime_class, shim.version))
    noted = client.get("Node", name)
    assert noted is not None
    assert proved(noted, runtime_class, shim.version)


def test_a_packaged_service_answers(cluster: WasmCluster) -> None:
    placement = Placement(SPIN.runtime_class, SPIN.command, SPIN.http_port)
    deployment, service = workload_manifests(
        Workload(name="web", replicas=2, env={"GREETING": "from a test"}),
        owner="kube-tests",
        placement=placement,
        image=cluster.image("web", "service/spin.toml"),
        secrets={},
    )
    for manifest in (deployment, service):
        cluster.client.apply(manifest)
    wait_for(cluster.client, deployment, PATIENCE)
    endpoint = endpoint_of(wait_for(cluster.client, service, PATIENCE))
    assert endpoint is not None
    answer = requests.get(endpoint, timeout=30)
    assert answer.text.startswith("Hello from WebAssembly")


@pytest.mark.parametrize("code", [0, 3])
def test_a_job_completes_or_says_why_not(cluster: WasmCluster, code: int) -> None:
    (job,) = workload_manifests(
        Workload(name=f"job-{code}", kind="job", shim="wasmtime", args=("--exit", str(code))),
        owner="kube-tests",
        placement=Placement(WASMTIME.runtime_class),
        image=cluster.image("job", "job/task.wasm"),
        secrets={},
    )
    cluster.client.apply(job)
    if code == 0:
        assert wait_for(cluster.client, job, PATIENCE)["status"]["succeeded"] == 1
        return
    with pytest.raises(WorkloadFailed, match="exit code 3") as caught:
        wait_for(cluster.client, job, PATIENCE)
    assert "ending with exit code 3, as asked" in (caught.value.details or "")


def test_an_image_without_what_the_shim_wants_is_told_with_the_shims_words(cluster: WasmCluster) -> None:
    deployment, _ = workload_manifests(
        Workload(name="wrong"),
        owner="kube-tests",
        placement=Placement(SPIN.runtime_class, SPIN.command, SPIN.http_port),
        image=cluster.image("job", "job/task.wasm"),
        secrets={},
    )
    cluster.client.apply(deployment)
    with pytest.raises(WorkloadFailed) as caught:
        wait_for(cluster.client, deployment, PATIENCE)
    assert caught.value.code == "CrashLoop"
    assert "spin.toml" in (caught.value.details or "")
