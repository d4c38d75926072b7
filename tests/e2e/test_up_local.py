"""`aks-wasm up --local` on real clusters: the same file as on Azure, real nodes, real Wasm."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.clusters import configuration
from tests.e2e.machine import VARIANTS, Machine
from tests.e2e.product import Product

Maker = Callable[..., Product]
_numbers = itertools.count()
LOOP = {"args": ["loop"], "expose": "none"}


@dataclass(frozen=True)
class Running:
    """A cluster that `up` has made, what it answered, and when it was called."""

    product: Product
    document: dict[str, Any]
    began: float


@pytest.fixture(scope="module")
def make(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    """Make products; whatever they leave is taken away."""
    made: list[Product] = []

    def maker(variant: str = "containerd2") -> Product:
        name = f"up-{next(_numbers)}"
        product = Product(machine, tmp_path_factory.mktemp(name), name, variant)
        made.append(product)
        return product

    yield maker
    for product in made:
        product("down", "--yes")
        machine.run("kind", "delete", "cluster", "--name", product.name, "--kubeconfig", product.kubeconfig)


@pytest.fixture(scope="module", params=VARIANTS)
def running(make: Maker, request: pytest.FixtureRequest) -> Running:
    """A cluster that `up` has made from nothing, with a component, a module that goes on, and a job."""
    product = make(request.param)
    product.spec["nodePools"] = [{"name": "wasm", "arch": "amd64", "taints": []}]  # ordinary pods may go there
    product.spec["workloads"] = [
        product.workload("web", "http", port=8080),
        product.workload("steady", "task", **LOOP),
        product.workload("task", "task", kind="job", args=["hello"]),
    ]
    began = time.monotonic()
    return Running(product, product.up().document, began)


def test_up_makes_a_cluster_whose_component_answers_on_the_host(
    running: Running, figure: Callable[[str], None]
) -> None:
    product, document = running.product, running.document
    assert document["ok"] is True
    assert [(one["nodePool"], one["nodes"], one["proved"]) for one in document["runtimes"]] == [("wasm", 1, 1)]
    assert "wasm component, path /some/path" in product.fetch(product.endpoint(document, "web") + "/some/path")
    figure(f"{product.variant}: first answer {time.monotonic() - running.began:.0f} s after `up` from nothing")


def test_an_ordinary_container_runs_beside_wasm_on_the_same_node(running: Running) -> None:
    product = running.product
    plain = {"name": "plain", "shim": "none", "image": product.load_ordinary_image(), "port": 80}
    product.kubectl("cordon", f"{product.name}-control-plane")
    product.spec["workloads"].append(plain)
    document = product.up().document
    product.kubectl("uncordon", f"{product.name}-control-plane")
    assert "web on plain" in product.fetch(product.endpoint(document, "plain"))
    shown = "jsonpath={range .items[*]}{.metadata.labels.app\\.kubernetes\\.io/name}={.spec.nodeName} {end}"
    nodes = dict(pair.split("=") for pair in product.kubectl("get", "pods", f"--output={shown}").split())
    assert nodes["plain"] == nodes["web"] == nodes["steady"] == f"{product.name}-worker"


def test_a_module_that_goes_on_keeps_running(running: Running) -> None:
    product = running.product
    first = product("workload", "logs", "steady").stdout.count("tick")
    time.sleep(3)
    assert product("workload", "logs", "steady").stdout.count("tick") > first
    assert product.status("steady")["ready"] is True


def test_a_jobs_log_is_read(running: Running) -> None:
    assert running.product("workload", "logs", "task").stdout.startswith("hello from")


def test_a_second_up_changes_nothing(running: Running) -> None:
    product = running.product
    before = product.kubectl("get", "nodes,pods,deployments,jobs,services", "--output=name")
    again = product.up()
    assert again.document["steps"] == []
    assert product.kubectl("get", "nodes,pods,deployments,jobs,services", "--output=name") == before


def test_another_shim_disturbs_no_container(running: Running) -> None:
    product = running.product
    about = "{.items[*].metadata.uid} {.items[*].status.containerStatuses[0]['containerID','restartCount']}"
    pods = ("get", "pods", "--all-namespaces", "--field-selector=status.phase=Running", f"--output=jsonpath={about}")
    before = product.kubectl(*pods)
    product.spec["shims"].append({**product.spec["shims"][0], "name": "another"})
    try:
        product.up()
        assert product.kubectl(*pods) == before
        assert "aks-wasm-another-v1" in product.in_node("containerd config dump")
    finally:
        product.spec["shims"].pop()


def test_runc_keeps_its_settings_beside_the_shim(running: Running) -> None:
    dump = running.product.in_node("containerd config dump")
    runc = dump.partition("containerd.runtimes.runc")[2].partition("containerd.runtimes.")[2] or dump
    assert "SystemdCgroup = true" in runc
    assert "wasmtime" in dump


def test_workloads_come_back_after_their_node_restarts(running: Running) -> None:
    product = running.product
    product.machine.docker("restart", "--time=2", f"{product.name}-worker")
    assert "wasm component" in product.fetch(product.endpoint(running.document, "web"), 150)


def on(*variants: str) -> pytest.MarkDecorator:
    """Run a case on these only, where the others can show nothing more."""
    return pytest.mark.parametrize("running", variants, indirect=True)


@on("containerd2")
@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("seven", ["exit", "7"], "exit code 7"),
        ("trap", ["trap"], "exit code 2"),  # Go's own way to end after a nil pointer
        ("memory", ["alloc", "300"], "exit code 137 (killed: above its memory limit, or a Wasm trap)"),
    ],
    ids=["exit 7", "trap", "memory"],
)
def test_how_a_job_fails_is_named(running: Running, name: str, arguments: list[str], told: str) -> None:
    product = running.product
    with product.also(product.workload(name, "task", kind="job", args=arguments)):
        ran = product("up", "--yes", "--progress", "plain", "--timeout", "3m")
        assert ran.code == 1, str(ran)
        assert f"it failed: it ended with {told}" in ran.stderr, str(ran)
        state = product.status(name)
        assert state["ready"] is False
        assert f"it ended with {told}" in state["message"]
        assert "BackoffLimitExceeded" in state["message"]
        product("workload", "delete", name, "--yes")


@on("containerd2")
def test_a_registry_that_nobody_reaches_is_named(running: Running) -> None:
    product = running.product
    image = "127.0.0.1:1/absent:1"  # refused at once, where a name takes half a minute
    with product.also({"name": "absent", "shim": "none", "image": image, "expose": "none"}):
        ran = product("up", "--yes", "--progress", "plain", "--timeout", "3m")
        assert ran.code == 1, str(ran)
        assert f"Deployment `absent` cannot run: the image `{image}` cannot be pulled" in ran.stderr, str(ran)
        assert f"the image `{image}` cannot be pulled" in product.status("absent")["message"]
        product("workload", "delete", "absent", "--yes")


@on("containerd1", "containerd2")
def test_a_handler_that_containerd_does_not_have_is_named(running: Running) -> None:
    """The file has it, the containerd that runs does not: nobody restarted it after the file was mended."""
    product = running.product
    product.in_node(WITHOUT_HANDLERS)
    with product.also(product.workload("late", "task", **LOOP)):
        ran = product("up", "--yes", "--progress", "plain", "--timeout", "3m")
        assert ran.code == 1, str(ran)
        told = "its node has no runtime for the handler `aks-wasm-wasmtime-v1`"
        assert told in ran.stderr, str(ran)
        assert told in product.status("late")["message"]
        product.in_node("systemctl restart containerd")
        product("workload", "delete", "late", "--yes")


WITHOUT_HANDLERS = r"""
cp -a /etc/containerd/config.toml /run/config.toml
awk '/^\[/ || /^ *\[/ { off = /runtimes\.["'"'"']?aks-wasm-/ } !off' /run/config.toml >/etc/containerd/config.toml
systemctl restart containerd
cp -a /run/config.toml /etc/containerd/config.toml
"""


def test_down_leaves_nothing(running: Running) -> None:
    product = running.product
    ran = product("down", "--yes")
    assert ran.code == 0, str(ran)
    assert product.left() == []


def test_two_pools_become_two_nodes_and_a_network_nobody_uses_goes_with_them(make: Maker, machine: Machine) -> None:
    product = make()
    others = machine.docker("ps", "--all", "--quiet", "--filter", "network=kind").split()
    if not others:
        machine.docker("network", "rm", "kind", check=False)  # of clusters made with kind alone, which leaves it
        assert not product.has_network()
    product.spec["nodePools"] = [{"name": name, "arch": "amd64"} for name in ("one", "two")]
    product.spec["workloads"] = [product.workload("task", "task", kind="job", args=["hello"])]
    document = product.up().document
    assert {pool["name"] for pool in document["nodePools"]} >= {"one", "two"}
    told = product.kubectl(
        "get", "nodes", "--output=jsonpath={.items[*].metadata.labels.kubernetes\\.azure\\.com/agentpool}"
    )
    assert {"one", "two"} <= set(told.split())
    assert product("down", "--yes").code == 0
    assert product.left() == []
    assert product.has_network() is bool(others)


@pytest.mark.parametrize("seconds", [2, 8, 20])
def test_up_killed_is_up_again(make: Maker, seconds: float) -> None:
    product = make()
    product.spec["workloads"] = [product.workload("task", "task", kind="job", args=["hello"])]
    product.kill_up_after(seconds)
    assert product.up().document["ok"] is True
    assert product("down", "--yes").code == 0
    assert product.left() == []


def test_up_costs_little_over_kind_alone(
    make: Maker, machine: Machine, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """The share over kind's own creation of the same nodes with the same shim counts, not this machine's speed."""
    wish = tmp_path / "two.yaml"
    wish.write_text(yaml.safe_dump(configuration(machine, "containerd2")))
    own = ("--name=bare-0", "--kubeconfig", tmp_path / "bare")
    began = time.monotonic()
    image = machine.node_image("containerd2")
    machine.run("kind", "--quiet", "create", "cluster", "--config", wish, "--image", image, *own)
    alone = time.monotonic() - began
    machine.run("kind", "--quiet", "delete", "cluster", *own)
    product = make()
    ran = product.up()
    steps = {step["name"]: step["seconds"] for step in ran.document["steps"]}
    ours = steps[f"cluster/{product.name}"]
    figure(
        f"kind alone {alone:.1f} s; the same within `up` {ours:.1f} s: {ours / alone - 1:+.0%} (aim +10 %); "
        f"all of `up`, with the proof that Wasm runs, {ran.seconds:.1f} s"
    )
    assert ours < alone * 1.5  # two runs on a busy machine differ by more than the aim
