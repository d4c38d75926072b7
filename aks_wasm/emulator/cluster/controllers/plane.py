"""All controllers of one cluster, run together: what kube-controller-manager and kube-scheduler are to a real one."""

from __future__ import annotations

from collections.abc import Sequence

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster.controllers.deployment import DeploymentController
from aks_wasm.emulator.cluster.controllers.job import JobController
from aks_wasm.emulator.cluster.controllers.replica_set import ReplicaSetController
from aks_wasm.emulator.cluster.controllers.scheduler import Scheduler
from aks_wasm.emulator.cluster.controllers.work import Controller, ControlLoop
from aks_wasm.emulator.cluster.controllers.world import World
from aks_wasm.emulator.cluster.store import Store


class Controllers:
    """Everything in a cluster that makes objects follow from other objects."""

    def __init__(self, store: Store, pace: Pace) -> None:
        self._store = store
        self._pace = pace

    async def run(self) -> None:
        """Work until cancelled, beginning with what the store holds."""
        await ControlLoop(self._store, self._all(), self._pace).run()

    def _all(self) -> Sequence[Controller]:
        def world(component: str) -> World:
            return World(self._store, self._pace, component)

        return (
            Scheduler(world("default-scheduler")),
            DeploymentController(world("deployment-controller")),
            ReplicaSetController(world("replicaset-controller")),
            JobController(world("job-controller")),
        )
