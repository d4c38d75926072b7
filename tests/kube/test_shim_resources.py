"""Shims by runtime-class-manager, whose ways a controller of the tests plays, on the emulator's API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aks_wasm.errors import Refused, ServiceError, TimedOut
from aks_wasm.kube.client import KubeClient
from aks_wasm.shims.catalogue import Shim, select
from aks_wasm.shims.labels import INSTALLED, SHIMS, owned
from aks_wasm.shims.runtime_class import shim_runtime_class
from aks_wasm.spec.models import ClusterSpec, Metadata
from aks_wasm.steps.shim_controller import require_controller
from aks_wasm.steps.shim_removal import RemoveShimResources
from aks_wasm.steps.shim_resources import ApplyShimResources
from aks_wasm.steps.step import StepContext
from tests.kube.running_api import RunningApi, client_of, running_api
from tests.kube.shim_controller import NAMESPACE, ShimController, definition
from tests.unit.clocks import FakeClock

SPIN, OLDER = select(("spin",))[0], select(("spin@v0.24.0",))[0]
SELECTOR = {SHIMS: INSTALLED}
READS = ("GET",)


class Cluster:
    """Two nodes that are to have shims, one that is not, and the controller, which looks whenever something waits."""

    def __init__(self, api: RunningApi, client: KubeClient) -> None:
        self.api, self.client = api, client
        self.effective = True  # whether containerd takes what the controller writes
        self.controller = ShimController(client, self._configured, self._job_failed)
        self.controller.install()
        self.available(1)
        for name in ("wasm-1", "wasm-2", "other"):
            self._add(node(name, SELECTOR if name != "other" else {}))
        self.clock = FakeClock(self._on_pause)

    def _add(self, one: dict[str, Any]) -> None:
        self.api.do(lambda store: store.create("nodes", one))

    def available(self, replicas: int) -> None:
        def change(fresh: dict[str, Any]) -> None:
            fresh["status"] = {"availableReplicas": replicas}

        self.api.do(lambda store: store.mutate("deployments.apps", "rcm-runtime-class-manager", NAMESPACE, change))

    def apply(self, *shims: Shim) -> str | None:
        step = ApplyShimResources(shims or (SPIN,), self._nodes)
        return step.run(self._context())

    def remove(self, *names: str) -> str | None:
        return RemoveShimResources(names or None).run(self._context())

    def labels(self, shim: str = "spin-v2") -> list[str | None]:
        nodes = sorted(self.client.list("Node"), key=lambda one: str(one["metadata"]["name"]))
        return [(one["metadata"].get("labels") or {}).get(shim) for one in nodes]

    def writes(self) -> list[str]:
        return [f"{method} {path}" for method, path, _status in self.api.requests if method not in READS]

    def _context(self) -> StepContext:
        nothing: Any = None
        spec = ClusterSpec(metadata=Metadata(name="demo"))
        deadline = self.clock.now() + 300
        return StepContext(spec, nothing, lambda: self.client, lambda _event: None, self.clock, deadline)

    def _nodes(self) -> tuple[dict[str, Any], ...]:
        return tuple(self.client.list("Node", labels=f"{SHIMS}={INSTALLED}"))

    def _on_pause(self, _time: float) -> bool:
        self.controller.look()
        return False

    def _configured(self, name: str, handler: str, location: str | None) -> None:
        def change(fresh: dict[str, Any]) -> None:
            known = [{"name": ""}, {"name": "runc"}]
            fresh["status"]["runtimeHandlers"] = [*known, *([{"name": handler}] if self.effective and location else [])]

        self.api.do(lambda store: store.mutate("nodes", name, None, change))

    def _job_failed(self, name: str) -> None:
        def change(fresh: dict[str, Any]) -> None:
            fresh["status"] = {"failed": 1, "conditions": [{"type": "Failed", "status": "True"}]}

        self.api.do(lambda store: store.mutate("jobs.batch", name, NAMESPACE, change))


def node(name: str, labels: dict[str, str]) -> dict[str, Any]:
    head = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
    return {**head, "spec": {}, "status": {"nodeInfo": {"architecture": "amd64"}}}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    with running_api(tmp_path) as running:
        yield running


@pytest.fixture
def cluster(api: RunningApi) -> Iterator[Cluster]:
    with client_of(api) as client:
        yield Cluster(api, client)


def test_nodes_are_provisioned_and_pods_get_in_by_our_runtime_class(cluster: Cluster) -> None:
    assert cluster.apply() == "1 of 1 changed"
    assert cluster.labels() == [None, "provisioned", "provisioned"]
    shim = cluster.client.get("Shim", "spin-v2")
    runtime = cluster.client.get("RuntimeClass", SPIN.runtime_class)
    assert shim is not None
    assert runtime is not None
    assert shim["spec"]["fetchStrategy"]["platforms"][0] == {
        "os": "linux",
        "arch": "amd64",
        "location": SPIN.platforms[0].location,
        "sha256": SPIN.platforms[0].sha256,
    }
    assert (runtime["handler"], runtime["scheduling"]["nodeSelector"]) == ("spin-v2", SELECTOR)


def test_what_is_so_already_is_not_written_again(cluster: Cluster) -> None:
    cluster.apply()
    before = cluster.writes()
    assert cluster.apply() == "0 of 1 changed"
    assert cluster.writes() == before


def test_a_new_version_is_really_installed_even_the_second_time(cluster: Cluster) -> None:
    for shim in (SPIN, OLDER, SPIN):  # each change leaves an uninstall Job behind that would stop the next
        cluster.apply(shim)
        live = cluster.client.get("Shim", "spin-v2")
        assert live is not None
        assert live["spec"]["fetchStrategy"]["platforms"][0]["location"] == shim.platforms[0].location
        assert cluster.labels() == [None, "provisioned", "provisioned"]
        assert cluster.client.get("RuntimeClass", shim.runtime_class) is not None


def test_a_node_on_which_its_job_failed_is_named(cluster: Cluster) -> None:
    cluster.controller.failing.add("wasm-2")
    with pytest.raises(ServiceError, match="could not install `spin-v2` on node `wasm-2`") as failed:
        cluster.apply()
    assert failed.value.code == "ShimJobFailed"
    assert f"--namespace {NAMESPACE}" in (failed.value.hint or "")


def test_a_failure_that_its_label_no_longer_tells_is_read_off_its_job(cluster: Cluster) -> None:
    cluster.controller.failing.add("wasm-2")
    with pytest.raises(ServiceError):
        cluster.apply()
    for _ in range(3):
        cluster.controller.look()
    assert cluster.labels() == [None, "provisioned", "pending"]
    with pytest.raises(ServiceError, match="could not install `spin-v2` on node `wasm-2`"):
        cluster.apply()


def test_the_next_run_has_it_installed_where_it_failed(cluster: Cluster) -> None:
    cluster.controller.failing.add("wasm-2")
    with pytest.raises(ServiceError):
        cluster.apply()
    cluster.controller.failing.clear()
    assert cluster.apply() == "1 of 1 changed"
    assert cluster.labels() == [None, "provisioned", "provisioned"]


def test_what_was_never_installed_on_a_node_is_let_go_there(cluster: Cluster) -> None:
    cluster.controller.failing.add("wasm-2")
    with pytest.raises(ServiceError):
        cluster.apply()
    assert cluster.remove() == "1 removed"
    assert cluster.labels() == [None, None, None]


def test_a_node_that_had_it_and_cannot_be_cleaned_is_told(cluster: Cluster) -> None:
    cluster.apply()
    cluster.controller.stuck.add("wasm-1")
    with pytest.raises(ServiceError, match="could not uninstall `spin-v2` on node `wasm-1`"):
        cluster.remove()


def test_a_definition_of_an_older_version_is_told_before_anything_is_applied(cluster: Cluster) -> None:
    older = definition()
    fields = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del fields["fetchStrategy"]["properties"]["platforms"]
    cluster.client.apply(older)
    before = cluster.writes()
    with pytest.raises(Refused, match="is not that of runtime-class-manager") as refused:
        cluster.apply()
    assert "helm show crds" in (refused.value.hint or "")
    assert cluster.writes() == before


def test_a_node_that_is_said_to_be_done_and_has_no_such_runtime_is_told(cluster: Cluster) -> None:
    cluster.effective = False
    with pytest.raises(ServiceError, match="containerd of nodes `wasm-1`, `wasm-2` has no runtime `spin-v2`") as failed:
        cluster.apply()
    assert failed.value.code == "BlockDropped"


def test_a_controller_that_does_nothing_is_waited_for_by_name(cluster: Cluster) -> None:
    cluster.clock = FakeClock()
    with pytest.raises(TimedOut, match=r"Shim `spin-v2` was not ready .*0 of 2 nodes provisioned"):
        cluster.apply()


def test_a_cluster_without_it_is_told_the_command_that_installs_it(api: RunningApi) -> None:
    with client_of(api) as client:
        with pytest.raises(Refused, match="is not installed") as refused:
            require_controller(client)
        assert "helm upgrade --install rcm" in (refused.value.hint or "")
        assert refused.value.exit_code == 7
        client.apply(definition())
        with pytest.raises(Refused, match="no Deployment of its chart"):
            require_controller(client)


def test_a_controller_that_does_not_run_is_told(cluster: Cluster) -> None:
    cluster.available(0)
    with pytest.raises(Refused, match="controller does not run: rcm/rcm-runtime-class-manager"):
        cluster.apply()


def test_a_shim_of_somebody_else_is_not_touched(cluster: Cluster) -> None:
    cluster.apply()
    cluster.client.label("Shim", "spin-v2", owned("other"))
    with pytest.raises(Refused, match="did not make for `demo`"):
        cluster.apply(OLDER)
    assert cluster.remove() == "nothing of ours"
    assert cluster.labels() == [None, "provisioned", "provisioned"]


def test_our_runtime_class_of_another_installer_makes_way_a_foreign_one_stays(cluster: Cluster) -> None:
    cluster.client.apply(shim_runtime_class(SPIN, owner="demo", taints=()))
    cluster.apply()
    runtime = cluster.client.get("RuntimeClass", SPIN.runtime_class)
    assert runtime is not None
    assert runtime["handler"] == "spin-v2"

    cluster.client.apply(shim_runtime_class(OLDER, owner="somebody", taints=()))
    with pytest.raises(Refused, match="is not ours; runtime-class-manager would leave it so"):
        cluster.apply(OLDER)


def test_removal_leaves_the_nodes_clean_although_an_old_uninstall_job_is_there(cluster: Cluster) -> None:
    cluster.apply()
    assert cluster.remove() == "1 removed"
    cluster.apply()
    assert cluster.remove("spin-v2") == "1 removed"
    assert cluster.labels() == [None, None, None]
    assert cluster.client.get("Shim", "spin-v2") is None
    assert cluster.client.get("RuntimeClass", SPIN.runtime_class) is None
    assert cluster.remove() == "nothing of ours"


def test_a_node_that_would_be_forgotten_stops_the_removal(cluster: Cluster) -> None:
    cluster.apply()
    cluster.client.label("Node", "wasm-2", {SHIMS: None})
    with pytest.raises(Refused, match="node `wasm-2` still has `spin-v2`") as refused:
        cluster.remove()
    assert refused.value.hint == f"`kubectl label node wasm-2 {SHIMS}=installed`, then the same command again"
    assert cluster.client.get("Shim", "spin-v2") is not None
