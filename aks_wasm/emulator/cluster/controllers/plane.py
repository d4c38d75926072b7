"""All controllers of one cluster, run together: what kube-controller-manager and kube-scheduler are to a real one."""

from __future__ import annotations

from collections.abc import Sequence

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster.controllers.addons import furnish
from aks_wasm.emulator.cluster.controllers.daemon_set import DaemonSetController
from aks_wasm.emulator.cluster.controllers.deployment import DeploymentController
from aks_wasm.emulator.cluster.controllers.endpoints import EndpointController
from aks_wasm.emulator.cluster.controllers.evictions import TaintEvictionController
from aks_wasm.emulator.cluster.controllers.garbage import GarbageCollector
from aks_wasm.emulator.cluster.controllers.job import JobController
from aks_wasm.emulator.cluster.controllers.namespaces import NamespaceController
from aks_wasm.emulator.cluster.controllers.node_life import NodeLifeController
from aks_wasm.emulator.cluster.controllers.replica_set import ReplicaSetController
from aks_wasm.emulator.cluster.controllers.scheduler import Scheduler
from aks_wasm.emulator.cluster.controllers.work import Controller, ControlLoop
from aks_wasm.emulator.cluster.controllers.world import World
from aks_wasm.emulator.cluster.store import Store


class Controllers:
    """Everything in a cluster that makes objects follow from other objects."""

    def __init__(self, store: Store, pace: Pace, *, root_ca: str = "") -> None:
        """Make them; nothing happens before `run`.

        Args:
            store: The cluster's objects.
            pace: Scales back-offs, quarantines, toleration times and minReadySeconds. Deadlines and times to live
                that a user sets are wall time, because the pods' own work is.
            root_ca: PEM of the API server's CA, for the ConfigMap kube-root-ca.crt of each namespace.
        """
        self._store = store
        self._pace = pace
        self._root_ca = root_ca

    async def run(self) -> None:
        """Work until cancelled, beginning with what the store holds."""
        furnish(self._store)
        await ControlLoop(self._store, self._all(), self._pace).run()

    def _all(self) -> Sequence[Controller]:
        def world(component: str) -> World:
            return World(self._store, self._pace, component)

        return (
            NamespaceController(world("namespace-controller"), self._root_ca),
            NodeLifeController(world("node-controller")),
            TaintEvictionController(world("taint-eviction-controller")),
            Scheduler(world("default-scheduler")),
            DeploymentController(world("deployment-controller")),
            ReplicaSetController(world("replicaset-controller")),
            DaemonSetController(world("daemonset-controller")),
            JobController(world("job-controller")),
            EndpointController(world("endpoint-slice-controller")),
            GarbageCollector(world("garbage-collector-controller")),
        )
