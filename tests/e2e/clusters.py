"""A cluster made with kind alone, so that the bench is known to be sound before the product is tried on it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from e2e.engine import TEST_NODES
from tests.e2e.machine import Machine

T = TypeVar("T")
RUNTIME_TABLES = {
    "containerd1": "io.containerd.grpc.v1.cri",
    "containerd2": "io.containerd.grpc.v1.cri",
    "aks2404": "io.containerd.cri.v1.runtime",
}
SHIM_IN_NODE = "/opt/shims/containerd-shim-wasmtime-v1"


@dataclass(frozen=True)
class Cluster:
    """A running cluster, asked with the real kubectl."""

    machine: Machine
    name: str
    kubeconfig: Path

    @property
    def worker(self) -> str:
        return f"{self.name}-worker"

    def kubectl(self, *arguments: str, text: str | None = None, check: bool = True) -> str:
        return self.machine.run("kubectl", "--kubeconfig", self.kubeconfig, *arguments, text=text, check=check)

    def apply(self, *manifests: dict[str, Any]) -> None:
        self.kubectl("apply", "--filename", "-", text=yaml.safe_dump_all(manifests))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "--output", "json"))
        return found

    def items(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, *arguments, "--output=json"))["items"]
        return found

    def ended(self, pod: str) -> tuple[int, str]:
        """Wait until the pod's container has ended; return exit code and reason."""
        self.kubectl("wait", f"pod/{pod}", "--for=jsonpath={.status.containerStatuses[0].state.terminated}",
                     "--timeout=90s")  # fmt: skip
        state = self.get("pod", pod)["status"]["containerStatuses"][0]["state"]["terminated"]
        return state["exitCode"], state["reason"]

    def warning(self, pod: str, seconds: float = 60) -> str:
        """Wait for a warning about the pod; return its message."""
        about = f"involvedObject.name={pod},type=Warning"

        def look() -> str | None:
            told = self.kubectl("get", "events", "--field-selector", about, "--output=jsonpath={.items[0].message}",
                                check=False)  # fmt: skip
            return told if told and "array index out of bounds" not in told else None

        return eventually(look, f"a warning about {pod}", seconds)

    def in_node(self, script: str, node: str | None = None, *, check: bool = True) -> str:
        return self.machine.docker("exec", node or self.worker, "bash", "-euc", script, check=check)


@contextmanager
def cluster_of(machine: Machine, variant: str, folder: Path) -> Iterator[Cluster]:
    """Make a cluster of two nodes whose worker has the shim; delete it afterwards."""
    cluster = Cluster(machine, f"check-{variant}", folder / f"check-{variant}.kubeconfig")
    with running(cluster, variant, configuration(machine, variant), folder):
        yield cluster


@contextmanager
def running(cluster: Cluster, variant: str, wish: dict[str, Any], folder: Path) -> Iterator[None]:
    """Make a cluster with kind and load the test images; delete it afterwards."""
    machine, name = cluster.machine, cluster.name
    assert name.startswith(TEST_NODES), "scripts/e2e would not take it away when it is cut off"
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(wish))
    kind = ("kind", "--quiet")
    machine.run(*kind, "delete", "cluster", "--name", name, "--kubeconfig", cluster.kubeconfig)
    try:
        image = ("--image", machine.node_image(variant))
        machine.run(*kind, "create", "cluster", "--name", name, *image, "--config", file, "--wait=120s",
                    "--kubeconfig", cluster.kubeconfig, "--retain")  # fmt: skip
        machine.run(*kind, "load", "image-archive", machine.apps / "apps.tar", "--name", name)
        cluster.kubectl("rollout", "status", "--namespace=kube-system", "deployment/coredns", "--timeout=120s")
        yield
    finally:
        machine.run(*kind, "delete", "cluster", "--name", name, "--kubeconfig", cluster.kubeconfig)


def configuration(machine: Machine, variant: str) -> dict[str, Any]:
    """Return kind's configuration of two nodes whose worker has the shim."""
    table = f'[plugins."{RUNTIME_TABLES[variant]}".containerd.runtimes.wasmtime]'
    mount = {"hostPath": str(machine.shim), "containerPath": SHIM_IN_NODE, "readOnly": True}
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "containerdConfigPatches": [f'{table}\n  runtime_type = "{SHIM_IN_NODE}"\n'],
        "nodes": [{"role": "control-plane"}, {"role": "worker", "labels": {"wasm": "yes"}, "extraMounts": [mount]}],
    }


def eventually(look: Callable[[], T | None], what: str, seconds: float) -> T:
    """Look until something is there; real clusters take their time, so this is where these tests sleep."""
    deadline = time.monotonic() + seconds
    while (seen := look()) is None:
        assert time.monotonic() < deadline, f"{what}: not seen within {seconds:.0f} s"
        time.sleep(0.3)
    return seen
