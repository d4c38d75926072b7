"""Local clusters of containers by kind, behind the same protocol as Azure."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from aks_wasm.errors import Problem, UsageError
from aks_wasm.providers.base import ClusterRequest, NodePoolRequest, Observed, Prerequisite, ProviderInfo
from aks_wasm.providers.kind import checks, creation, forwarding, nodes, shims, teardown
from aks_wasm.providers.kind.binary import kind_program
from aks_wasm.providers.kind.creation import Workshop
from aks_wasm.providers.kind.engine import Container, Engine
from aks_wasm.providers.kind.folder import ClusterFolder
from aks_wasm.providers.kind.image import NodeImage
from aks_wasm.providers.kind.lock import alone
from aks_wasm.providers.kind.look import Look, cut_short, look, observed, refuse_foreign
from aks_wasm.providers.kind.machines import add_shims, change_pool, start_nodes
from aks_wasm.providers.kind.process import Watched, watch
from aks_wasm.providers.kind.record import Record, manifest
from aks_wasm.providers.marks import OWNER_TAG, Owned, expiry
from aks_wasm.shims.catalogue import Shim, select
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.waits import Patience
from aks_wasm.wasm.archive import ImageArchive


class KindProvider:
    """Clusters of one container engine on this machine."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self._engine = engine
        self._home = home
        self.info = ProviderInfo("kind", supports_arch=(engine.arch,), adds_node_pools=False, brings_shims=True)

    def observe(self, spec: ClusterSpec) -> Observed:
        """Look at containers, the cluster's record and what containerd has in effect."""
        return Observed(cluster=observed(self._look(spec), self._engine, select(spec.shims)))

    def check(self, spec: ClusterSpec, observed: Observed) -> list[Problem]:
        """Find what would make `up` fail: limits of this machine, versions, shims, pools that can't be added.

        Raises:
            Refused: The cluster is somebody else's.
        """
        cluster = observed.cluster
        if cluster is not None and cluster.owner != spec.name:
            refuse_foreign(self._look(spec))
        there = None if cluster is None or cut_short(cluster) else cluster
        return checks.problems(spec, self._engine, select(spec.shims), there)

    def ensure(self, prerequisite: Prerequisite, spec: ClusterSpec, patience: Patience) -> None:
        """Do nothing: there is nothing to register and no group."""

    def put_cluster(self, spec: ClusterSpec, request: ClusterRequest, patience: Patience) -> None:
        """Create the cluster with its pools; or finish one that is half made, start one that stands still.

        Raises:
            Refused: The cluster is somebody else's.
            OperationInProgress: Another run was at work on it all the time.
            ServiceError: kind, the engine or the cluster said no.
        """
        with self._alone(spec, patience) as lock:
            seen = self._look(spec)
            refuse_foreign(seen)
            if seen.containers and not seen.folder.complete.exists() and not seen.has_all_members:
                patience.on_state("removing what an earlier run left half made")
                teardown.remove_cluster(self._engine, seen.folder, spec.name, patience)
                seen = Look(spec.name, self._folder(spec.name))
            if seen.containers:
                self._complete(spec, start_nodes(self._engine, seen, patience), request, patience)
            else:
                shop = Workshop(self._engine, self._home, seen.folder, lock)
                self._create(shop, spec, request, patience)

    def put_node_pool(self, spec: ClusterSpec, request: NodePoolRequest, patience: Patience) -> None:
        """Bring an existing pool's labels, taints and shims up to date, or make it smaller.

        Raises:
            UsageError: There is no cluster.
            Refused: It would have to grow or become another architecture, or the cluster is somebody else's.
        """
        with self._alone(spec, patience):
            seen = self._look(spec)
            refuse_foreign(seen)
            if seen.record is None:
                raise UsageError(f"there is no cluster `{spec.name}`", code="NoCluster", hint="run `aks-wasm up` first")
            change_pool(self._engine, seen, seen.record, request)
            self._bring_shims(select(spec.shims), seen, patience)

    def delete(self, spec: ClusterSpec, node_pool: str | None, patience: Patience, *, wait: bool) -> None:
        """Delete a pool's nodes, or the cluster with its forwarder; absent is fine.

        Raises:
            Refused: The cluster is somebody else's.
            OperationInProgress: Another run was at work on it all the time.
        """
        del wait
        folder = self._folder(spec.name)
        if not self._engine.containers(spec.name) and not folder.root.exists():
            return
        with self._alone(spec, patience):
            seen = self._look(spec)
            refuse_foreign(seen)
            if node_pool is None:
                teardown.remove_cluster(self._engine, seen.folder, spec.name, patience)
                folder.lock.unlink(missing_ok=True)
            elif seen.record is not None and (pool := seen.record.pool(node_pool)) is not None:
                change_pool(self._engine, seen, seen.record, replace(pool, count=0, min=None, max=None))
                self._remember(seen.containers, seen.record.without_pool(node_pool))

    def kubeconfig(self, spec: ClusterSpec) -> str:
        """Return the administrator's kubeconfig, with a client certificate."""
        node = nodes.control_plane(self._engine.containers(spec.name))
        return creation.reachable_kubeconfig(nodes.kubeconfig(self._engine, node), node)

    def deliver_image(self, spec: ClusterSpec, image: ImageArchive, patience: Patience) -> None:
        """Load the image into the nodes of node pools, unless they have it."""
        containers = self._engine.containers(spec.name)
        takers = [container for container in containers if not container.is_control_plane] or containers
        with ThreadPoolExecutor(4, thread_name_prefix="images") as threads:
            has = list(threads.map(lambda node: nodes.has_image(self._engine, node, image.name), takers))
        names = [node.name for node, there in zip(takers, has, strict=True) if not there]
        if not names:
            return
        program = kind_program(self._home, patience.on_state)
        command = (program, "load", "image-archive", str(image.path), "--name", spec.name, "--nodes", ",".join(names))
        log = self._folder(spec.name).root / f"load-{image.digest.rpartition(':')[2][:12]}.log"
        watched = Watched(f"the image `{image.name}`", log, environment=self._engine.environment)
        watch(command, watched, patience).checked(f"load `{image.name}` into the nodes")
        log.unlink(missing_ok=True)

    def owned(self) -> list[Owned]:
        """Return every kind cluster that carries our mark."""
        found = []
        for name in self._engine.clusters():
            seen = look(self._engine, self._folder(name), name)
            if seen.is_ours:
                tags = seen.record.tags if seen.record else {}
                found.append(Owned(tags.get(OWNER_TAG, name), None, expiry(tags)))
        return found

    def close(self) -> None:
        """Do nothing: each question is a process of its own."""

    def _folder(self, name: str) -> ClusterFolder:
        return ClusterFolder.of(self._home, name)

    def _look(self, spec: ClusterSpec) -> Look:
        return look(self._engine, self._folder(spec.name), spec.name)

    def _alone(self, spec: ClusterSpec, patience: Patience) -> AbstractContextManager[int]:
        return alone(self._folder(spec.name).lock, f"the cluster `{spec.name}`", patience)

    def _create(self, shop: Workshop, spec: ClusterSpec, request: ClusterRequest, patience: Patience) -> None:
        forwarding.stop(shop.folder, patience)
        wanted = select(spec.shims)
        prepared = creation.prepare(shop, spec, request, wanted, patience)
        record = Record(dict(request.tags), request.pools)
        with ThreadPoolExecutor(1, thread_name_prefix="settle") as threads:
            settling: list[Future[None]] = []

            def settle() -> None:
                if not settling:
                    settling.append(threads.submit(self._settle, spec, prepared.node, record, patience))

            creation.create(shop, spec.name, prepared, patience, settle)
            settle()  # there may be no workers that join
            settling[0].result()
        shop.folder.complete.touch()

    def _settle(self, spec: ClusterSpec, node: NodeImage, record: Record, patience: Patience) -> None:
        """Do what a cluster needs beyond kind's work as soon as its API server answers, side by side."""
        containers = tuple(self._engine.containers(spec.name))
        with ThreadPoolExecutor(2, thread_name_prefix="settle") as threads:
            forwarding_starts = threads.submit(self._forward, spec, self._folder(spec.name), _quietly(patience))
            remembering = threads.submit(self._remember, containers, record)
            found = nodes.effective(self._engine, containers)
            nodes.check_effective(found, node.effective, (shim.handler for shim in select(spec.shims)))
            forwarding_starts.result()
            remembering.result()

    def _complete(self, spec: ClusterSpec, seen: Look, request: ClusterRequest, patience: Patience) -> None:
        """Finish a cluster whose nodes are all there: shims, forwarder, record."""
        self._bring_shims(select(spec.shims), seen, patience)
        self._forward(spec, seen.folder, patience)
        before = seen.record or Record({}, request.pools)
        record = Record({**before.tags, **request.tags}, before.pools)
        if record != seen.record:
            self._remember(seen.containers, record)
        for pool in request.pools:
            if pool.mode == "User" and pool != record.pool(pool.name):
                record = change_pool(self._engine, seen, record, pool)
        seen.folder.complete.touch()

    def _bring_shims(self, wanted: tuple[Shim, ...], seen: Look, patience: Patience) -> None:
        shims.provide(wanted, self._engine.arch, self._home, seen.folder, patience.on_state)
        add_shims(self._engine, seen, wanted, patience.on_state)

    def _forward(self, spec: ClusterSpec, folder: ClusterFolder, patience: Patience) -> None:
        forwarding.start(self._engine.program, spec.name, folder, self.kubeconfig(spec), patience)

    def _remember(self, containers: tuple[Container, ...], record: Record) -> None:
        nodes.apply(self._engine, nodes.control_plane(containers), manifest(record))


def _quietly(patience: Patience) -> Patience:
    """Kind's own steps are what is shown meanwhile."""
    return replace(patience, on_state=lambda _state: None)
