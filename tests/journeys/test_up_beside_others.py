"""What others do to a cluster between the moment `up` has made its plan and the moment it carries it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from aks_wasm.errors import Refused
from aks_wasm.kube.client import KubeClient
from aks_wasm.plan.planner import plan_up
from aks_wasm.plan.runner import run_plan
from aks_wasm.providers.marks import marks
from aks_wasm.settings import Settings
from aks_wasm.shims.catalogue import select
from aks_wasm.shims.labels import SYSTEM_NAMESPACE
from aks_wasm.spec.load import load_spec
from aks_wasm.waits import SystemClock
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.prepare import prepare
from tests.journeys.conftest import Tool, fields_of
from tests.journeys.test_installer import cluster_of, handlers, wasm_nodes

SPIN, WASMTIME = select(("spin", "wasmtime"))
SHIM = ("nodePools.0.route=shim", "workloads=[]")
BOTH, ONE = (*SHIM, "shims=[spin, wasmtime]"), (*SHIM, "shims=[spin]")


@dataclass
class Planned:
    """An `up` that has made its plan; `carry_out` does the rest."""

    carry_out: Callable[[], None]
    steps: list[str]


@contextmanager
def planned(tool: Tool, *fields: str) -> Iterator[Planned]:
    settings = Settings.from_environment({"AKS_WASM_HOME": str(tool.emulator.home)})
    sets = [*fields, f"metadata.name={tool.name}"]
    spec = load_spec(None, sets=sets, target=tool.target, settings=settings)
    run = Run.open(settings, spec, lambda _event: None, SystemClock(), 120.0)
    wanted, seen = prepare(run)
    plan = plan_up(wanted, seen, marks(spec))

    def carry_out() -> None:
        error = run_plan(plan, run.step_context()).error
        if error is not None:
            raise error

    try:
        yield Planned(carry_out, [step.name for step in plan])
    finally:
        run.close()


def pod_of(client: KubeClient, handler: str, name: str) -> dict[str, Any]:
    """Return somebody's pod that does through a RuntimeClass what its probe does."""
    probe = client.get("DaemonSet", f"shim-probe-{handler}", SYSTEM_NAMESPACE) or {}
    containers = probe["spec"]["template"]["spec"]["containers"]
    spec = {"runtimeClassName": handler, "containers": containers, "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def test_a_shim_that_somebody_installs_meanwhile_is_kept(tool: Tool) -> None:
    tool.up(*fields_of(*ONE))
    with cluster_of(tool) as client:
        client.delete("Lease", "shim-installer-0", SYSTEM_NAMESPACE)
        with planned(tool, *ONE) as up:
            assert up.steps == ["runtimes", "proof"]
            tool.document("runtime", "install", "--shim", "wasmtime", *fields_of(*ONE))
            client.delete("Lease", "shim-installer-0", SYSTEM_NAMESPACE)
            up.carry_out()
        assert handlers(wasm_nodes(client)[0]) == {SPIN.handler, WASMTIME.handler}
        assert client.get("RuntimeClass", WASMTIME.runtime_class) is not None
    assert tool.up(*fields_of(*ONE))["steps"] == []


def test_an_installer_that_somebody_else_has_made_meanwhile_is_not_taken_over(tool: Tool) -> None:
    bare = (*SHIM, "shims=[]")
    tool.up(*fields_of(*bare))
    with cluster_of(tool) as client, planned(tool, *ONE) as up:
        kubeconfig = tool.write("theirs.yaml", tool("kubeconfig").stdout)
        theirs = [
            "--kubeconfig",
            kubeconfig,
            "--name",
            "theirs",
            "--node-selector",
            "kubernetes.azure.com/agentpool=wasm",
        ]
        result = tool("runtime", "install", "--shim", "spin", *theirs, name=False)
        assert result.exit_code == 0, result.output
        with pytest.raises(Refused, match="theirs"):
            up.carry_out()
        owner = (client.get("DaemonSet", "shim-installer", SYSTEM_NAMESPACE) or {})["metadata"]["labels"]
        assert owner["app.kubernetes.io/part-of"] == "theirs"
        result = tool("runtime", "remove", "--all", "--yes", "--kubeconfig", kubeconfig, "--name", "theirs", name=False)
        assert result.exit_code == 0, result.output


def test_a_shim_that_somebody_begins_to_use_meanwhile_is_not_taken_away(tool: Tool) -> None:
    tool.up(*fields_of(*BOTH))
    with cluster_of(tool) as client, planned(tool, *ONE) as up:
        assert up.steps == ["old-runtimes"]
        client.apply(pod_of(client, WASMTIME.handler, "theirs"))
        with pytest.raises(Refused, match=r"`pod/theirs`"):
            up.carry_out()
        assert client.get("RuntimeClass", WASMTIME.runtime_class) is not None, "it is back"
        assert handlers(wasm_nodes(client)[0]) == {SPIN.handler, WASMTIME.handler}
        client.delete("Pod", "theirs", "default")
    assert tool.up(*fields_of(*ONE))["ok"] is True
