"""A cluster that aks-wasm did not make, reached by its kubeconfig alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from aks_wasm.cli.context import AppContext
from aks_wasm.cli.main import app
from aks_wasm.kube.client import KubeClient
from aks_wasm.settings import Settings
from aks_wasm.shims.labels import SYSTEM_NAMESPACE
from aks_wasm.waits import SystemClock
from tests.journeys.conftest import READS, Tool

FAULT = "emulator.aks-wasm.dev/shim-fault"
PAIR: tuple[dict[str, Any], ...] = ({"name": "intel", "arch": "amd64"}, {"name": "arms", "arch": "arm64"})


class HastyClock(SystemClock):
    """Real time, a few times as fast: what is waited out to be sure does not hold up a test."""

    def __init__(self, haste: float) -> None:
        super().__init__()
        self._haste = haste

    def now(self) -> float:
        return super().now() * self._haste

    def pause(self, seconds: float) -> bool:
        return super().pause(seconds / self._haste)


@dataclass
class Given:
    """The cluster, and the command line pointed at it."""

    tool: Tool
    kubeconfig: Path
    client: KubeClient = field(repr=False)
    haste: float = 1.0
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, verb: str, *arguments: str) -> Result:
        """Run `aks-wasm runtime VERB --kubeconfig ...`; with `haste` its clock runs faster than the node's."""
        settings = Settings.from_environment({"AKS_WASM_HOME": str(self.tool.emulator.home), **self.environment})
        context = AppContext(settings, environment={}, new_clock=lambda: HastyClock(self.haste))
        words = ["runtime", verb, "--kubeconfig", str(self.kubeconfig), *arguments]
        return CliRunner().invoke(app, words, obj=context)

    def process(self, verb: str, *arguments: str) -> subprocess.Popen[str]:
        """Start the same as a process of its own."""
        words = ["runtime", verb, "--kubeconfig", str(self.kubeconfig), "-o", "json", "--progress", "jsonl", *arguments]
        return subprocess.Popen(
            [sys.executable, "-m", "aks_wasm", *words],
            env={**os.environ, "AKS_WASM_HOME": str(self.tool.emulator.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def document(self, verb: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run with -o json; stdout must be one document."""
        result = self.run(verb, "-o", "json", *arguments)
        assert result.exit_code == code, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def use_registry(self, environment: pytest.MonkeyPatch) -> None:
        """Let the command line push to the emulator's registry, from which its nodes pull."""
        self.environment["AKS_WASM_REGISTRY"] = self.tool.emulator.environment["AKS_WASM_REGISTRY"]
        environment.setenv("REQUESTS_CA_BUNDLE", str(self.tool.emulator.ca_file))

    def writes(self, since: int) -> list[str]:
        """Return what was written to this cluster's API by the command line."""
        entries = self.tool.emulator.requests("kubernetes", since)
        return [
            f"{entry['method']} {entry['path']}"
            for entry in entries
            if self.tool.name in entry["cluster"] and entry["method"] not in READS
        ]

    @property
    def names(self) -> list[str]:
        """Return the nodes' names."""
        return [str(node["metadata"]["name"]) for node in self.client.list("Node")]

    def classes(self) -> set[str]:
        """Return the RuntimeClasses that carry our mark."""
        found = self.client.list("RuntimeClass", labels="app.kubernetes.io/managed-by=aks-wasm")
        return {str(one["metadata"]["name"]) for one in found}

    def marks(self) -> dict[str, set[str]]:
        """Return our labels on each node."""
        return {
            str(node["metadata"]["name"]): {
                key for key in node["metadata"]["labels"] if "aks-wasm.dev/" in key and not key.startswith("emulator.")
            }
            for node in self.client.list("Node")
        }

    def handlers(self) -> list[str]:
        """Return the handlers in the effective configuration of each node, in the order of the nodes."""
        noted = "emulator.aks-wasm.dev/handlers"
        return [
            " ".join(sorted(json.loads(node["metadata"]["annotations"].get(noted, "{}"))))
            for node in self.client.list("Node")
        ]

    def is_clean(self) -> bool:
        """Tell whether nothing of ours is left."""
        gone = self.client.get("Namespace", SYSTEM_NAMESPACE) is None
        return gone and not self.classes() and not any(self.marks().values()) and not any(self.handlers())

    def deploy(self, name: str, runtime_class: str, *, image: str | None = None, **labels: str) -> None:
        """Apply a Deployment that runs the built-in service through a RuntimeClass; its image is on the nodes."""
        pod = {"app": name, **labels}
        container = {"name": "app", "image": image or self.image(), "command": ["/"]}
        container |= {} if image else {"imagePullPolicy": "Never"}
        template = {
            "metadata": {"labels": pod},
            "spec": {"runtimeClassName": runtime_class, "containers": [container], "terminationGracePeriodSeconds": 0},
        }
        self.client.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": "default", "labels": pod},
                "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template},
            }
        )

    def image(self) -> str:
        """Return the name of a Spin service that the installer has brought to the nodes."""
        probes = self.client.list("DaemonSet", namespace=SYSTEM_NAMESPACE)
        return next(
            str(one["spec"]["template"]["spec"]["containers"][0]["image"])
            for one in probes
            if one["metadata"]["name"].startswith("shim-probe-aks-wasm-spin")
        )


@contextmanager
def given_cluster(tool: Tool, *pools: dict[str, Any]) -> Iterator[Given]:
    """Make a cluster with these pools, of which the command line knows nothing but the kubeconfig."""
    path = f"clusters/{tool.name}"
    tool.emulator.control("PUT", path, {"pools": [{"count": 1, **pool} for pool in pools or PAIR]})
    found = tool.emulator.control("GET", f"{path}/kubeconfig")
    text = found if isinstance(found, str) else yaml.safe_dump(found)
    kubeconfig = tool.folder / "given.yaml"
    kubeconfig.write_text(text)
    client = KubeClient.from_kubeconfig(text)
    try:
        yield Given(tool, kubeconfig, client)
    finally:
        client.close()
        tool.emulator.control("DELETE", path)


def error_of(given: Given, *arguments: str, code: int) -> dict[str, Any]:
    """Return the error of a command that must fail so, with a way out."""
    document = given.document(*arguments, code=code)
    assert document["ok"] is False
    error: dict[str, Any] = document["error"]
    assert error["hint"]
    return error


def elf(folder: Path, name: str, arch: str = "amd64", content: bytes = b"") -> Path:
    """Write a file that begins as a Linux program for an architecture does."""
    machine = {"amd64": 62, "arm64": 183, "riscv64": 243}[arch]
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(11) + machine.to_bytes(2, "little") + bytes(44) + content)
    return path
