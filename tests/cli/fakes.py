"""A small world that the commands act on: what workflows would do to a cluster, kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aks_wasm.cli.use_cases import UseCases
from aks_wasm.errors import AksWasmError, Refused, UsageError
from aks_wasm.events import StepFinished, StepProgressed, StepStarted
from aks_wasm.kube.access import ClusterAccess
from aks_wasm.providers.base import Observed, ObservedCluster, ObservedGroup, ProviderInfo
from aks_wasm.settings import Settings
from aks_wasm.spec.models import ClusterSpec, NodePool
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.doctor.findings import Check, DoctorResult, Finding
from aks_wasm.workflows.results import (
    ActionResult,
    ClusterResult,
    ClusterState,
    ListResult,
    NodePoolState,
    StepRecord,
    WorkloadState,
)


@dataclass
class World:
    """What is there. Half-way `up` calls `half_way`, and ends with `trouble`; what is `foreign` is somebody else's."""

    exists: bool = False
    pools: dict[str, NodePoolState] = field(default_factory=dict)
    workloads: dict[str, WorkloadState] = field(default_factory=dict)
    feature: str = "NotRegistered"
    costs_money: bool = False
    foreign: bool = False
    trouble: BaseException | None = None
    half_way: Callable[[], None] = lambda: None
    observable: bool = True
    lines: tuple[str, ...] = ("one", "two")
    runs: list[Run] = field(default_factory=list)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    closed: int = 0


class WorldProvider:
    """Looks at the world; the rest of the protocol is the workflows' business."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.info = ProviderInfo(
            name="world",
            has_resource_groups=True,
            has_preview_pools=True,
            folds_node_pools=True,
            images="load",
            image_prefix="world.local",
            keeps_on_failure=True,
            costs_money=world.costs_money,
        )

    def close(self) -> None:
        """Nothing is open."""

    def observe(self, spec: ClusterSpec) -> Observed:
        if not self._world.observable:
            raise AksWasmError("nothing to see")
        if not self._world.exists:
            return Observed()
        group = ObservedGroup(spec.resource_group, spec.azure.location, {})
        return Observed(ObservedCluster(spec.name, "Creating", spec.azure.location, "1.35.5", {}), group)


class Connection:
    """Counts how often it is closed."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self) -> Any:
        raise AssertionError("no command talks to the cluster by itself")

    def close(self) -> None:
        self._world.closed += 1


class WorldUseCases(UseCases):
    """The workflows, done to the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def open_run(self, settings: Settings, spec: ClusterSpec, emit: Any, clock: Any, timeout: float) -> Run:
        provider: Any = WorldProvider(self._world)
        run = Run(settings, spec, provider, emit, clock, timeout, connect=Connection(self._world))
        self._world.runs.append(run)
        return run

    def up(self, run: Run, *, retain: bool) -> ClusterResult:
        self._world.calls.append(("up", retain))
        if self._world.exists:
            return self._result("UpResult", run)
        run.emit(StepStarted("cluster/c", f"create cluster `{run.spec.name}`"))
        run.emit(StepProgressed("cluster/c", "Creating"))
        self._world.exists = True
        self._world.half_way()
        if self._world.trouble is not None:
            raise self._world.trouble
        run.emit(StepFinished("cluster/c", 3.0))
        self._world.workloads["hello"] = WorkloadState(
            "hello", "service", "spin", ready=True, replicas="1/1", endpoint="http://127.0.0.1:8080"
        )
        self._world.pools["wasm"] = NodePoolState("wasm", "Succeeded", "amd64", None, 1, "User", "shim")
        return self._result("UpResult", run, StepRecord("cluster/c", "done", 3.0))

    def plan_up(self, run: Run) -> ClusterResult:
        self._world.calls.append(("plan",))
        planned = StepRecord("cluster/c", "planned", summary=f"create cluster `{run.spec.name}`")
        steps = () if self._world.exists else (planned,)
        return replace(self._result("PlanResult", run, *steps), changes=bool(steps))

    def down(self, run: Run, *, wait: bool) -> ClusterResult:
        self._world.calls.append(("down", wait))
        if self._world.foreign:
            raise Refused("group `hello` carries another owner's mark")
        self._world.exists = False
        self._world.pools.clear()
        self._world.workloads.clear()
        return self._result("DownResult", run)

    def down_expired(self, run: Run, *, wait: bool) -> ClusterResult:
        self._world.calls.append(("down_expired", wait))
        return self._result("DownResult", run)

    def plan_down(self, run: Run, *, expired: bool) -> list[str]:
        return [f"cluster `{run.spec.name}`"] if self._world.exists else []

    def status(self, run: Run) -> ClusterResult:
        self._world.calls.append(("status",))
        return self._result("StatusResult", run)

    def doctor(
        self, spec: ClusterSpec, settings: Settings, open_run: Callable[[], Run], spec_arguments: list[str]
    ) -> DoctorResult:
        self._world.calls.append(("doctor", *spec_arguments))
        check = Check("cluster", "found" if self._world.foreign else "ok", f"`{open_run().spec.name}`")
        finding = Finding("NotOurs", "somebody else made it", f"cluster {spec.name}", command="aks-wasm status")
        return DoctorResult((check,), (finding,) if self._world.foreign else ())

    def doctor_of(self, access: ClusterAccess) -> DoctorResult:
        self._world.calls.append(("doctor_of", *access.arguments()))
        return DoctorResult((), ())

    def feature(self, run: Run, verb: str) -> ActionResult:
        if verb != "show":
            self._world.feature = {"register": "Registered", "unregister": "Unregistered"}[verb]
        name = "Microsoft.ContainerService/WasmNodePoolPreview"
        return ActionResult("FeatureResult", name, {"name": name, "state": self._world.feature})

    def list_node_pools(self, run: Run) -> ListResult:
        return ListResult("NodePoolList", "nodepool", tuple(self._world.pools.values()))

    def add_node_pool(self, run: Run, pool: NodePool) -> ActionResult:
        count = pool.min if pool.count is None and pool.min is not None else pool.count or 1
        self._world.pools[pool.name] = NodePoolState(
            pool.name, "Succeeded", pool.arch, pool.vm_size, count, "User", pool.route, pool.min, pool.max
        )
        return self._pool(pool.name)

    def scale_node_pool(
        self, run: Run, name: str, *, count: int | None, minimum: int | None, maximum: int | None
    ) -> ActionResult:
        pool = self._world.pools[name]
        self._world.pools[name] = replace(pool, count=count or minimum or pool.count, min=minimum, max=maximum)
        return self._pool(name)

    def delete_node_pool(self, run: Run, name: str) -> ActionResult:
        del self._world.pools[name]
        return ActionResult("NodePoolResult", f"nodepool/{name}", {"name": name, "state": "Deleted"})

    def list_workloads(self, run: Run) -> ListResult:
        return ListResult("WorkloadList", "workload", tuple(self._world.workloads.values()))

    def logs(self, run: Run, name: str, *, follow: bool, tail: int | None, previous: bool) -> Iterator[str]:
        self._world.calls.append(("logs", name, follow, tail, previous))
        if name not in self._world.workloads:
            raise UsageError(f"there is no workload `{name}`")
        return iter(self._world.lines[-tail:] if tail else self._world.lines)

    def delete_workload(self, run: Run, name: str) -> ActionResult:
        del self._world.workloads[name]
        return ActionResult("WorkloadResult", f"workload/{name}", {"name": name, "state": "Deleted"})

    def kubeconfig_text(self, run: Run) -> str:
        return "apiVersion: v1\nkind: Config\ncurrent-context: aks-wasm-hello\n"

    def write_kubeconfig(self, run: Run, path: Path) -> ActionResult:
        path.write_text(self.kubeconfig_text(run))
        return ActionResult("KubeconfigResult", str(path), {"file": str(path), "context": f"aks-wasm-{run.spec.name}"})

    def merge_kubeconfig(self, run: Run) -> ActionResult:
        return ActionResult("KubeconfigResult", "merged", {"context": f"aks-wasm-{run.spec.name}"})

    def kube_token(self, settings: Settings) -> str:
        return '{"kind": "ExecCredential"}'

    def _pool(self, name: str) -> ActionResult:
        pool = self._world.pools[name]
        return ActionResult(
            "NodePoolResult", f"nodepool/{name}", {"name": name, "count": pool.count, "arch": pool.arch}
        )

    def _result(self, kind: str, run: Run, *steps: StepRecord) -> ClusterResult:
        state = "Succeeded" if self._world.exists else "absent"
        return ClusterResult(
            kind,
            ok=True,
            cluster=ClusterState(run.spec.name, run.spec.target, state, resource_group=run.spec.resource_group),
            node_pools=tuple(self._world.pools.values()),
            workloads=tuple(self._world.workloads.values()),
            steps=steps,
        )
