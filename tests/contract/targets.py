"""What the contract suite runs over: each provider as a run opens it, and a count of what it wrote."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml
from kubernetes import client
from kubernetes.config import new_client_from_config_dict

from aks_wasm.providers.base import ChosenRoute, ClusterRequest, NodePoolRequest, Prerequisite, Provider
from aks_wasm.providers.marks import OWNER_TAG
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.waits import Patience, SystemClock
from tests.running_emulator import RunningEmulator

NAMES = itertools.count(1)
MARKS: dict[str, int] = {}  # of each emulator, the last request known; the journal before it is not fetched again
WRITES = ("PUT", "POST", "PATCH", "DELETE")
READING_POST = "listClusterUserCredential"


def patience(seconds: float = 60.0, seen: list[str] | None = None, clock: SystemClock | None = None) -> Patience:
    return Patience(seconds, clock or SystemClock(), (lambda _state: None) if seen is None else seen.append)


@dataclass
class Target:
    """One provider on one emulator, with a cluster name of its own."""

    kind: str
    emulator: RunningEmulator
    open: Callable[[ClusterSpec], Any]
    route: ChosenRoute = "shim"
    recorded: list[str] = field(default_factory=list)
    name: str = field(default_factory=lambda: f"contract-{next(NAMES)}")

    def spec(self, **document: Any) -> ClusterSpec:
        target = "local" if self.kind == "embedded" else "azure"
        return ClusterSpec.model_validate({"metadata": {"name": self.name}, "target": target, **document})

    def request(self, **tags: str) -> ClusterRequest:
        system = NodePoolRequest("system", "amd64", None, "shim", 1, mode="System")
        return ClusterRequest(self.name, "westeurope", None, "Free", (system,), {OWNER_TAG: self.name, **tags})

    def pool(self, count: int = 1, **fields: Any) -> NodePoolRequest:
        return NodePoolRequest(
            **{"name": "wasm", "arch": "arm64", "vm_size": None, "route": self.route} | fields, count=count
        )

    def writes(self, since: int = 0) -> list[str]:
        """Return what was written after a mark, to Resource Manager or to the control API, in order."""
        if self.kind == "embedded":
            sent = self.recorded[since:]
        else:
            sent = [f"{entry['method']} {entry['path']}" for entry in self.emulator.requests("arm", since)]
        return [line for line in sent if line.startswith(WRITES) and READING_POST not in line]

    def mark(self) -> int:
        """Return where the record of requests ends now."""
        if self.kind == "embedded":
            return len(self.recorded)
        known = MARKS.get(self.emulator.url, 0)
        MARKS[self.emulator.url] = max(
            (entry["number"] for entry in self.emulator.requests("arm", known)), default=known
        )
        return MARKS[self.emulator.url]


def put_up(provider: Provider, target: Target, **document: Any) -> ClusterSpec:
    """Bring up a cluster with its prerequisites, as a run does."""
    spec = target.spec(**document)
    for prerequisite in sorted(provider.observe(spec).missing - {Prerequisite.FEATURE}):
        provider.ensure(prerequisite, spec, patience())
    if target.route == "wasi-preview":
        provider.ensure(Prerequisite.FEATURE, spec, patience())
    provider.put_cluster(spec, target.request(), patience())
    return spec


def node_names(kubeconfig: str) -> list[str]:
    """Ask the cluster itself, by the real client."""
    with new_client_from_config_dict(yaml.safe_load(kubeconfig), persist_config=False) as api:
        return [node.metadata.name for node in client.CoreV1Api(api).list_node().items]
