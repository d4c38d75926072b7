"""`runtime install|verify|upgrade|remove` on real clusters that know nothing of Wasm: each node's own containerd, each
restart, each file as it was before. Cases of one node image build on each other, in their order."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clusters import eventually
from tests.e2e.machine import VARIANTS, Machine
from tests.e2e.plain_clusters import (
    INSTALLER_NAMESPACE,
    TAINT,
    PlainCluster,
    is_ready,
    plain_cluster_of,
    wait_until_gone,
)
from tests.e2e.product import LARGE, Ran, Tool

Figure = Callable[[str], None]
BINARY = "containerd-shim-wasmtime-v1"
IMAGES = VARIANTS[:2]  # six minutes each; the third's containerd and configuration are among the single nodes
LEASE_RIGHTS = ["get", "patch"]
HEAL_SECONDS = 180
TOLERATES = [{"key": TAINT["key"], "operator": "Exists"}]


@dataclass
class Site:
    """A cluster, the command, two builds of one shim, and how the nodes were before anything was done."""

    cluster: PlainCluster
    tool: Tool
    builds: tuple[Path, Path]
    before: dict[str, tuple[str, str]]
    containers: dict[str, tuple[str, int]] = field(default_factory=dict)
    began: float = 0
    installed: Ran | None = None

    def runtime(self, verb: str, *arguments: str) -> Ran:
        """Run `aks-wasm runtime VERB` on the cluster by its kubeconfig alone."""
        way_in = ("--kubeconfig", str(self.cluster.kubeconfig), "-o", "json")
        return self.tool("runtime", verb, *way_in, "--progress", "plain", "--timeout", "4m", *arguments)

    def classes(self) -> dict[str, str]:
        """Return our RuntimeClasses by the version of what they run."""
        items = self.runtime("list").document["items"]
        return {one["version"]: one["runtimeClass"] for one in items if one["madeBy"] == "aks-wasm"}

    def handlers(self, node: str) -> set[str]:
        dump = self.cluster.dump(node)
        return {line.split(".runtimes.")[1].strip("]'\"").split("]")[0] for line in dump.splitlines()
                if ".runtimes." in line and ".options" not in line}  # fmt: skip


@pytest.fixture(scope="module", params=IMAGES)
def site(machine: Machine, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A cluster of two workers with a runc pod on each, onto which the first build has been installed."""
    folder = tmp_path_factory.mktemp(request.param)
    with plain_cluster_of(machine, request.param, folder) as cluster:
        made = Site(cluster, Tool(machine, folder), _builds(machine, folder), {})
        # A node that is ready has its network's configuration, which counts among the files it had before.
        cluster.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s")
        for number, node in enumerate(cluster.workers):
            cluster.apply(pod(f"runc{number}", "web", node=node))
            made.before[node] = cluster.files(node), cluster.dump(node)
        cluster.kubectl("wait", "pod/runc0", "pod/runc1", "--for=condition=Ready", "--timeout=60s")
        made.containers = cluster.containers("runc0", "runc1")
        made.began = time.time()
        made.installed = made.runtime("install", "--shim", f"wasmtime={made.builds[0]}")
        yield made


def _builds(machine: Machine, folder: Path) -> tuple[Path, Path]:
    """Two files that do the same and differ in their last byte, behind what the program header names."""
    first, second = folder / "first" / BINARY, folder / "second" / BINARY
    for path in (first, second):
        path.parent.mkdir()
        shutil.copy(machine.shim, path)
    second.write_bytes(first.read_bytes() + b"\n")
    return first, second


def pod(name: str, image: str, *arguments: str, node: str | None = None, **more: Any) -> dict[str, Any]:
    container = {"name": "app", "image": f"bench.local/{image}:1", "imagePullPolicy": "Never", "args": [*arguments]}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container], **more}
    if node:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def on(node: str) -> dict[str, Any]:
    """Leave the choice to the scheduler, which has but one."""
    return {"nodeSelector": {"kubernetes.io/hostname": node}}


def test_install_proves_every_node(site: Site, figure: Figure) -> None:
    ran = site.installed
    assert ran is not None
    assert ran.code == 0, str(ran)
    proofs = {one["node"]: one["result"] for one in ran.document["nodes"]}
    assert proofs == dict.fromkeys(site.cluster.workers, "ok")
    figure(f"{site.cluster.name}: two nodes installed and proved in {ran.seconds:.0f} s")


def test_no_two_nodes_restart_containerd_at_once(site: Site, figure: Figure) -> None:
    restarts = site.cluster.restarts(site.began)
    assert [one.node for one in restarts].count(site.cluster.workers[0]) == 1, restarts
    assert [one.node for one in restarts].count(site.cluster.workers[1]) == 1, restarts
    first, second = restarts
    assert first.started < second.stopped
    gap, took = second.stopped - first.started, [f"{one.started - one.stopped:.1f}" for one in restarts]
    figure(f"{site.cluster.name}: restarts took {' and '.join(took)} s, {gap:.1f} s apart")


def test_containers_live_through_the_restart(site: Site) -> None:
    assert site.cluster.containers("runc0", "runc1") == site.containers


def test_wasm_runs_on_every_node_the_tainted_one_too(site: Site) -> None:
    ((_, name),) = site.classes().items()
    for number, node in enumerate(site.cluster.workers):
        site.cluster.apply(pod(f"hello{number}", "task", "hello", runtimeClassName=name, **on(node)))
    for number, node in enumerate(site.cluster.workers):
        assert site.cluster.ended(f"hello{number}") == (0, "Completed")
        assert site.cluster.get("pod", f"hello{number}")["spec"]["nodeName"] == node


def test_nothing_is_done_twice(site: Site) -> None:
    began = time.time()
    ran = site.runtime("install", "--shim", f"wasmtime={site.builds[0]}")
    assert ran.code == 0, str(ran)
    assert ran.document["steps"] == []
    assert site.cluster.restarts(began) == []


def test_the_installer_may_take_turns_and_nothing_else(site: Site) -> None:
    account = f"system:serviceaccount:{INSTALLER_NAMESPACE}:shim-installer"

    def may(*what: str) -> bool:
        return site.cluster.kubectl("auth", "can-i", *what, f"--as={account}", check=False).strip() == "yes"

    def turn(verb: str, lease: str) -> bool:
        return may(verb, f"leases.coordination.k8s.io/{lease}", f"--namespace={INSTALLER_NAMESPACE}")

    assert [turn(verb, "shim-installer-0") for verb in LEASE_RIGHTS] == [True, True]
    assert not turn("delete", "shim-installer-0")
    assert not turn("get", "another")
    for what in (("get", "nodes"), ("patch", "nodes"), ("list", "pods", "--all-namespaces"), ("get", "secrets"),
                 ("create", "pods"), ("get", "configmaps", f"--namespace={INSTALLER_NAMESPACE}")):  # fmt: skip
        assert not may(*what), what


def test_a_nodes_own_credential_marks_no_other_node(site: Site) -> None:
    here, there = site.cluster.workers
    patch = """kubectl --kubeconfig /etc/kubernetes/kubelet.conf patch node {} --patch \\
        '{{"metadata": {{"labels": {{"handler.aks-wasm.dev/x": "ready"}}}}}}'"""
    assert "(Forbidden)" in site.cluster.in_node(patch.format(there), here, check=False)
    site.cluster.in_node(patch.format(here), here)
    site.cluster.kubectl("label", "node", here, "handler.aks-wasm.dev/x-")


def test_upgrade_moves_workloads_and_disturbs_no_container(site: Site, figure: Figure) -> None:
    cluster = site.cluster
    ((old_version, old),) = site.classes().items()
    container = {"name": "app", "image": "bench.local/http:1", "imagePullPolicy": "Never",
                 "resources": {"requests": {"cpu": "100m"}, "limits": LARGE},
                 "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}}  # fmt: skip
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"runtimeClassName": old, "containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    cluster.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})
    for number, node in enumerate(cluster.workers):
        cluster.apply(pod(f"loop{number}", "task", "loop", runtimeClassName=old, **on(node)))
    cluster.kubectl("wait", "pod/loop0", "pod/loop1", "--for=condition=Ready", "--timeout=60s")
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    lives = cluster.containers("loop0", "loop1", "runc0", "runc1")
    began = time.time()
    ran = site.runtime("upgrade", "--shim", f"wasmtime={site.builds[1]}", "--all-workloads")
    assert ran.code == 0, str(ran)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    classes = site.classes()
    (new,) = (name for version, name in classes.items() if version != old_version)
    assert cluster.get("deployment", "web")["spec"]["template"]["spec"]["runtimeClassName"] == new
    assert cluster.containers("loop0", "loop1", "runc0", "runc1") == lives
    restarts = cluster.restarts(began)
    for first, second in itertools.pairwise(restarts):
        assert first.started < second.stopped, restarts
    figure(f"{cluster.name}: upgraded in {ran.seconds:.0f} s, {len(restarts)} restarts, no container restarted")


def test_verify_proves_every_node_anew(site: Site) -> None:
    ran = site.runtime("verify")
    assert ran.code == 0, str(ran)
    assert {one["node"] for one in ran.document["nodes"]} == set(site.cluster.workers)
    assert {one["result"] for one in ran.document["nodes"]} == {"ok"}


def test_a_node_with_a_new_disk_heals_by_itself(site: Site, figure: Figure) -> None:
    cluster, node = site.cluster, site.cluster.workers[1]
    name = cluster.get("deployment", "web")["spec"]["template"]["spec"]["runtimeClassName"]
    cluster.kubectl("delete", "pod", "loop1", "runc1", "--ignore-not-found", "--wait=false")
    booted = cluster.replace_disk(node)
    cluster.apply(pod("healed", "task", "hello", runtimeClassName=name, **on(node)))

    def done() -> bool | None:
        return True if cluster.get("pod", "healed")["status"]["phase"] == "Succeeded" else None

    eventually(done, f"Wasm on {node} again", HEAL_SECONDS)
    ran_after = time.monotonic() - booted
    eventually(lambda: is_ready(cluster.installer_pod(node)) or None, "the installer satisfied", HEAL_SECONDS)
    figure(f"{cluster.name}: bare node healed, Wasm {ran_after:.0f} s after its kubelet started")


def test_a_shim_that_nobody_can_fetch_is_named_with_node_and_cause(site: Site) -> None:
    """No node of the bench reaches the world, so a shim of the catalogue cannot be downloaded."""
    before = {node: site.cluster.dump(node) for node in site.cluster.workers}
    lives = site.cluster.containers("runc0")
    began = time.time()
    ran = site.runtime("install", "--shim", "spin")
    assert ran.code == 1, str(ran)
    assert "DownloadFailed" in ran.stdout + ran.stderr
    assert any(node in ran.stdout + ran.stderr for node in site.cluster.workers)
    assert site.cluster.restarts(began) == []
    assert {node: site.cluster.dump(node) for node in before} == before
    assert site.cluster.containers("runc0") == lives
    assert site.runtime("verify").code == 0


def test_remove_leaves_the_nodes_as_they_were(site: Site, figure: Figure) -> None:
    cluster = site.cluster
    cluster.kubectl("delete", "deployment", "web", "--ignore-not-found")
    cluster.kubectl("delete", "pods", "--selector=app in (loop0,loop1,hello0,hello1,healed)", "--wait")
    runc = cluster.containers("runc0")
    ran = site.runtime("remove", "--all", "--yes")
    assert ran.code == 0, str(ran)
    for node, (files, dump) in site.before.items():
        assert cluster.files(node) == files
        assert cluster.dump(node) == dump
        labels = cluster.get("node", node)["metadata"]["labels"]
        assert not [label for label in labels if "aks-wasm.dev" in label]
    assert cluster.containers("runc0") == runc
    assert runc["runc0"] == site.containers["runc0"]
    wait_until_gone(cluster, "namespace", INSTALLER_NAMESPACE)
    assert site.classes() == {}
    figure(f"{cluster.name}: removed in {ran.seconds:.0f} s")
