"""Proofs of nodes while something happens to the nodes: none of what was not proved, and none is waited for in vain."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aks_wasm.emulator.cluster.store import Store
from aks_wasm.kube.client import KubeClient
from aks_wasm.shims.catalogue import select
from aks_wasm.shims.installer import probe_image_key
from aks_wasm.shims.labels import PROOF, READY, ready_label
from aks_wasm.shims.probe import proved
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.steps.proof import ProveNodes
from aks_wasm.steps.step import StepContext
from aks_wasm.steps.wanted import Wanted
from aks_wasm.wasm.archive import ImageArchive
from tests.kube.running_api import RunningApi
from tests.unit.clocks import FakeClock

(SPIN,) = select(("spin",))
SECONDS = 3600.0
_numbers = itertools.count()


@dataclass
class Pool:
    """Nodes of a pool whose provider brings the shims; at each pause `happen` does what comes next."""

    api: RunningApi
    client: KubeClient
    name: str
    happen: list[Callable[[], None]] = field(default_factory=list)
    probes: int = 0

    def add(self, node: str, *, ready: bool = True, **spec: Any) -> None:
        labels = {"kubernetes.azure.com/agentpool": self.name}
        self.client.apply(
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "labels": labels}, "spec": spec}
        )
        self.status(node, boot="first", ready=ready)

    def status(self, node: str, *, boot: str, ready: bool = True) -> None:
        conditions = [{"type": "Ready", "status": str(ready)}]
        status = {"nodeInfo": {"bootID": boot}, "conditions": conditions}
        self.api.do(lambda store: store.mutate("nodes", node, "", lambda found: found.update(status=status)))

    def node(self, name: str) -> Mapping[str, Any]:
        return self.client.get("Node", name) or {}

    def succeed(self) -> None:
        """Let every probe of this pool's nodes succeed, as a node does."""

        def change(store: Store) -> None:
            for pod in store.list("pods", "aks-wasm-system"):
                if pod["metadata"].get("annotations", {}).get("aks-wasm.dev/node", "").startswith(self.name):
                    self.probes += pod.get("status", {}).get("phase") != "Succeeded"
                    name = pod["metadata"]["name"]
                    store.mutate(
                        "pods", name, "aks-wasm-system", lambda found: found.update(status={"phase": "Succeeded"})
                    )

        self.api.do(change)

    def prove(self, client: KubeClient | None = None) -> str | None:
        document = {"metadata": {"name": "demo"}, "nodePools": [{"name": self.name, "count": 1}], "shims": ["spin"]}
        spec = ClusterSpec.model_validate(document)
        image = ImageArchive("registry.test/probe:1", Path("x.tar"), "sha256:1")
        wanted = Wanted(spec, (SPIN,), {probe_image_key(SPIN): image}, installer=False)
        context = StepContext(
            spec,
            None,  # type: ignore[arg-type]
            lambda: client or self.client,
            lambda _event: None,
            FakeClock(self._go_on),
            deadline=SECONDS,
        )
        return ProveNodes(wanted, {self.name: "shim"}).run(context)

    def _go_on(self, _time: float) -> bool:
        if self.happen:
            self.happen.pop(0)()
        return False


@pytest.fixture
def pool(api: RunningApi, client: KubeClient) -> Iterator[Pool]:
    """A pool of this test's own."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "aks-wasm-system"}}
    client.apply(namespace)
    for name in (SPIN.runtime_class, f"aks-wasm-probe-{SPIN.handler}"):
        metadata = {"name": name}
        client.apply(
            {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": metadata, "handler": SPIN.handler}
        )
    made = Pool(api, client, f"proof{next(_numbers)}")
    yield made
    for node in client.list("Node"):
        if node["metadata"]["name"].startswith(made.name):
            client.delete("Node", node["metadata"]["name"])


def test_a_node_is_proved_and_marked(pool: Pool) -> None:
    node = f"{pool.name}-a"
    pool.add(node)
    pool.happen = [pool.succeed]
    assert pool.prove() == "1 of 1 nodes probed"
    assert proved(pool.node(node), SPIN.runtime_class, SPIN.version)
    assert pool.node(node)["metadata"]["labels"][ready_label(SPIN.handler)] == READY


def test_a_node_that_starts_anew_after_its_probe_is_probed_again(pool: Pool) -> None:
    node = f"{pool.name}-a"
    pool.add(node)

    def reboot() -> None:
        pool.succeed()
        pool.status(node, boot="second")

    pool.happen = [reboot, pool.succeed, pool.succeed]
    pool.prove()
    assert pool.probes == 2, "the first proof was one of another boot"
    assert proved(pool.node(node), SPIN.runtime_class, SPIN.version)


def test_a_node_that_goes_away_is_not_waited_for(pool: Pool) -> None:
    node = f"{pool.name}-a"
    pool.add(node)

    def go() -> None:
        pool.client.delete("Node", node)

    pool.happen = [go]
    assert pool.prove() == "1 of 1 nodes probed"


def test_a_node_that_is_being_taken_away_is_none_of_the_pool(pool: Pool) -> None:
    pool.add(f"{pool.name}-a")
    taint = {"key": "node.cloudprovider.kubernetes.io/shutdown", "effect": "NoSchedule"}
    pool.add(f"{pool.name}-b", ready=False, taints=[taint])
    pool.happen = [pool.succeed]
    assert pool.prove() == "1 of 1 nodes probed"


def test_a_proof_that_another_run_notes_at_the_same_time_is_kept(pool: Pool) -> None:
    node = f"{pool.name}-a"
    pool.add(node)
    others = {PROOF: json.dumps({"theirs": "v1@first"})}

    class Meanwhile(KubeClient):
        """Somebody else annotates the node right before each of the first two writes to it."""

        left = 2

        def merge(self, kind: str, name: str, *arguments: Any, **more: Any) -> None:
            if kind == "Node" and name == node and self.left:
                self.left -= 1
                pool.client.annotate("Node", node, others | {"turn": str(self.left)})
            super().merge(kind, name, *arguments, **more)

    client = Meanwhile.from_kubeconfig(pool.api.kubeconfig())
    pool.happen = [pool.succeed]
    pool.prove(client)
    client.close()
    notes = json.loads(pool.node(node)["metadata"]["annotations"][PROOF])
    assert set(notes) == {"theirs", SPIN.runtime_class}
