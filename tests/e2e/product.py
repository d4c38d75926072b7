"""The product as its users run it: the installed command, a spec in a folder of its own, a home of its own."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.clusters import eventually
from tests.e2e.machine import Machine

TOOL = Path(sys.executable).with_name("aks-wasm")
RUN_SECONDS = 400
# The component is 18 MB of Python that is compiled at each start, so it gets more than the default share.
LARGE = {"cpu": "500m", "memory": "768Mi"}


@dataclass(frozen=True)
class Ran:
    """How a run of the command ended."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """The answer of `-o json`."""
        told: dict[str, Any] = json.loads(self.stdout)
        return told

    def __str__(self) -> str:
        return f"exit code {self.code} after {self.seconds:.0f} s\n{self.stdout[-3000:]}\n{self.stderr[-6000:]}"


class Tool:
    """The installed command, started from a folder of its own, with a home of its own.

    Attributes:
        folder: Where it is started.
        home: Where it keeps what it keeps.
    """

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.kubeconfig = self.home / "kubeconfig"

    @property
    def environment(self) -> dict[str, str]:
        own = {"HOME": str(self.home), "AKS_WASM_HOME": str(self.home / ".aks-wasm")}
        return {**self.machine.environment, **own, "KUBECONFIG": str(self.kubeconfig)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command in a process group of its own."""
        return subprocess.Popen(
            [str(TOOL), *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *arguments: str) -> Ran:
        """Run the command to its end."""
        began = time.monotonic()
        process = self.start(*arguments)
        try:
            stdout, stderr = process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
        return Ran(process.returncode, stdout, stderr, time.monotonic() - began)


class Product(Tool):
    """One spec and everything that `aks-wasm` keeps for it."""

    def __init__(self, machine: Machine, folder: Path, name: str, variant: str) -> None:
        super().__init__(machine, folder)
        self.name = name
        self.variant = variant
        digest = hashlib.sha256(machine.shim.read_bytes()).hexdigest()
        platform = {"arch": "amd64", "location": machine.shim.as_uri(), "sha256": digest}
        shim = {"name": "wasmtime", "version": "v1", "runtimeType": "io.containerd.wasmtime.v1"}
        self.spec: dict[str, Any] = {
            "apiVersion": "aks-wasm/v1",
            "kind": "Cluster",
            "metadata": {"name": name},
            "target": "local",
            "local": {"engine": "kind", "nodeImage": machine.node_image(variant)},
            "nodePools": [{"name": "wasm", "arch": "amd64"}],
            "shims": [{**shim, "platforms": [platform]}],
            "workloads": [],
        }

    def workload(self, name: str, app: str, **more: Any) -> dict[str, Any]:
        """Return a workload that runs one of the bench's modules."""
        module = {"module": str(self.machine.apps / f"{app}.wasm"), "shim": "wasmtime"}
        small = {"cpu": "500m", "memory": "128Mi"}  # a module is compiled at each start
        return {"name": name, **module, "resources": LARGE if app == "http" else small, **more}

    def load_ordinary_image(self) -> str:
        """Put a plain Linux image, which listens on port 80, on the worker; return its name."""
        archive = self.machine.apps / "apps.tar"
        nodes = ("--nodes", f"{self.name}-worker")
        self.machine.run("kind", "--quiet", "load", "image-archive", archive, "--name", self.name, *nodes)
        return "bench.local/web:1"

    @contextmanager
    def also(self, workload: dict[str, Any]) -> Iterator[None]:
        """Name one more workload in the file."""
        kept = self.spec["workloads"]
        self.spec["workloads"] = [*kept, workload]
        try:
            yield
        finally:
            self.spec["workloads"] = kept

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Write the spec as it stands, then start the command."""
        (self.folder / "aks-wasm.yaml").write_text(yaml.safe_dump(self.spec))
        return super().start(*arguments)

    def up(self, *arguments: str) -> Ran:
        ran = self("up", "--yes", "-o", "json", "--progress", "plain", "--timeout", "5m", *arguments)
        assert ran.code == 0, str(ran)
        return ran

    def kill_up_after(self, seconds: float) -> None:
        """Start `up` and kill it, with whatever it has started, after so many seconds."""
        process = self.start("up", "--yes", "--progress", "plain")
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def kubectl(self, *arguments: str) -> str:
        path = self.folder / "kubeconfig"
        path.write_text(self("kubeconfig").stdout)
        return self.machine.run("kubectl", "--kubeconfig", path, *arguments)

    def endpoint(self, document: dict[str, Any], name: str) -> str:
        return next(str(one["endpoint"]) for one in document["workloads"] if one["name"] == name)

    def fetch(self, url: str, seconds: float = 30) -> str:
        """Ask until something answers; the route may be a moment behind."""

        def ask() -> str | None:
            told = self.machine.run("curl", "--silent", "--fail", "--max-time", "5", url, check=False)
            return told or None

        return eventually(ask, f"an answer from {url}", seconds)

    def left(self) -> list[str]:
        """Return containers, volumes, processes and files that are still the cluster's, or its kubeconfig entry."""
        of = f"label=io.x-k8s.kind.cluster={self.name}"
        found = self.machine.engine("ps", "--all", "--filter", of, "--format", "{{.Names}}").split()
        found += self.machine.engine("volume", "ls", "--quiet", "--filter", of).split()
        labels = self.machine.engine("volume", "ls", "--format", "{{.Name}} {{.Labels}}").splitlines()
        found += [line for line in labels if f"{self.name}-" in line]  # Podman's, which kind makes itself
        mine = str(self.home).encode()
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if mine in process.read_bytes():
                    found.append(f"process {process.parent.name}")
            except OSError:
                continue
        found += [str(path) for path in self.home.rglob("*") if self.name in path.name]
        if self.kubeconfig.exists() and self.name in self.kubeconfig.read_text():
            found.append("the kubeconfig entry")
        return found

    def has_network(self) -> bool:
        """Return whether kind's network is there."""
        return "kind" in self.machine.engine("network", "ls", "--format", "{{.Name}}").split()

    def status(self, name: str) -> dict[str, Any]:
        """Return what `status` says of a workload."""
        workloads = self("status", "-o", "json").document["workloads"]
        return next(one for one in workloads if one["name"] == name)

    def in_node(self, script: str) -> str:
        """Run a script in the worker."""
        return self.machine.engine("exec", f"{self.name}-worker", "bash", "-euc", script)
