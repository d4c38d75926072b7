"""One look at a cluster: its containers, its own API, its containerds; writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aks_wasm.errors import AksWasmError
from aks_wasm.providers.base import ObservedCluster
from aks_wasm.providers.kind import nodes, shims
from aks_wasm.providers.kind.containerd import Runtimes
from aks_wasm.providers.kind.engine import Container, Engine
from aks_wasm.providers.kind.folder import PROVIDED, ClusterFolder, is_placed_by_script
from aks_wasm.providers.kind.forwarding import is_forwarding
from aks_wasm.providers.kind.record import (
    AGENT_POOL,
    NAME,
    NAMESPACE,
    Record,
    from_manifest,
    node_count,
    observed_pool,
)
from aks_wasm.providers.marks import OWNER_TAG
from aks_wasm.providers.ownership import not_ours
from aks_wasm.shims.catalogue import Shim

SUCCEEDED = "Succeeded"
CREATING = "Creating"

Document = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """What was seen.

    Attributes:
        name: The cluster's.
        folder: Its folder: the one that its nodes see, else the one it would get.
        containers: Its nodes, whether they run or not.
        record: What we remember in it; None when its API does not answer, or a creation was cut short.
        answers: Whether its API does.
        members: Its v1.Nodes.
        effective: Node -> runtimes in effect, of the nodes that run.
        forwards: Whether the forwarder runs.
    """

    name: str
    folder: ClusterFolder
    containers: tuple[Container, ...] = ()
    record: Record | None = None
    answers: bool = False
    members: tuple[Document, ...] = ()
    effective: Mapping[str, Runtimes] = field(default_factory=dict)
    forwards: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether every node carries our mark."""
        return bool(self.containers) and all(nodes.sees_provided(container) for container in self.containers)

    @property
    def workers(self) -> list[Container]:
        """The nodes of node pools."""
        return [container for container in self.containers if container.role == "worker"]

    @property
    def has_all_members(self) -> bool:
        """Whether every container has become a node of the cluster."""
        members = {str(node["metadata"]["name"]) for node in self.members}
        return bool(self.containers) and all(container.name in members for container in self.containers)

    def nodes_of(self, pool: str) -> list[Document]:
        """Return the v1.Nodes of a pool."""
        return [n for n in self.members if (n["metadata"].get("labels") or {}).get(AGENT_POOL) == pool]

    def lacking(self, wanted: Iterable[Shim]) -> dict[str, list[Shim]]:
        """Return worker -> the shims whose handlers its containerd does not have."""
        wanted = tuple(wanted)
        lacks = {
            worker.name: [shim for shim in wanted if shim.handler not in self.effective.get(worker.name, {})]
            for worker in self.workers
        }
        return {name: missing for name, missing in lacks.items() if missing}

    def for_script(self, worker: str, wanted: Iterable[Shim]) -> list[Shim]:
        """Return the shims that the node script answers for on a worker: those missing, and those it put there."""
        effective = self.effective.get(worker, {})
        paths = {handler: str(runtime.get("runtime_type", "")) for handler, runtime in effective.items()}
        return [shim for shim in wanted if shim.handler not in paths or is_placed_by_script(paths[shim.handler])]


def look(engine: Engine, folder: ClusterFolder, name: str) -> Look:
    """Look at a cluster; `folder` is where it would be made."""
    containers = tuple(engine.containers(name))
    folder = folder_of(containers, folder)
    masters = [container for container in containers if container.is_control_plane and container.running]
    if not masters or not all(nodes.sees_provided(container) for container in containers):
        return Look(name, folder, containers)
    with ThreadPoolExecutor(3, thread_name_prefix="look") as threads:
        members = threads.submit(nodes.read, engine, masters[0], "nodes")
        record = threads.submit(nodes.read, engine, masters[0], "configmap", NAME, f"--namespace={NAMESPACE}")
        effective = threads.submit(_effective, engine, containers)
        listed, kept = members.result(), record.result()
    return Look(
        name,
        folder,
        containers,
        record=from_manifest(kept) if kept else None,
        answers=listed is not None,
        members=tuple((listed or {}).get("items") or ()),
        effective=effective.result(),
        forwards=is_forwarding(folder),
    )


def folder_of(containers: Iterable[Container], default: ClusterFolder) -> ClusterFolder:
    """Return the folder that a cluster's nodes see, whatever AKS_WASM_HOME says now."""
    for container in containers:
        if container.mounts.get(PROVIDED):
            return ClusterFolder(Path(container.mounts[PROVIDED]).parent)
    return default


def cut_short(cluster: ObservedCluster) -> bool:
    """Return whether a cluster's creation has not ended, so that it may be made anew."""
    return cluster.state == CREATING


def state(seen: Look) -> str:
    """Return the cluster's state in one word."""
    if seen.is_ours and not seen.folder.complete.exists():
        return CREATING
    if not any(container.running for container in seen.containers):
        return "Stopped"
    if not all(container.running for container in seen.containers):
        return "Degraded"
    if not seen.answers:
        return "Unreachable"
    if seen.record is None:
        return CREATING
    return SUCCEEDED if seen.forwards else "NotForwarding"


def observed(seen: Look, engine: Engine, wanted: tuple[Shim, ...]) -> ObservedCluster | None:
    """Return the look in the tool's own words; None when there is no cluster."""
    if not seen.containers:
        return None
    record = seen.record or Record({OWNER_TAG: seen.name} if seen.is_ours else {})
    stale = {shim.handler for shim in shims.not_provided(wanted, engine.arch, seen.folder)}
    lacking = seen.lacking(wanted)
    pools = []
    for request in record.pools:
        members = seen.nodes_of(request.name)
        lacks = request.mode == "User" and (stale or any(n["metadata"]["name"] in lacking for n in members))
        here = len(members) >= node_count(request)
        word = "ShimsMissing" if lacks else (SUCCEEDED if here else "NodesMissing")
        pools.append(observed_pool(request, members, engine.arch, word))
    versions = [n["status"]["nodeInfo"]["kubeletVersion"].removeprefix("v") for n in seen.members]
    served = next((container.api_server for container in seen.containers if container.api_server), None)
    return ObservedCluster(
        name=seen.name,
        state=state(seen),
        location="local",
        kubernetes_version=versions[0] if versions else "",
        tags=record.tags,
        node_pools=tuple(pools),
        api_server=f"https://{served}" if served and seen.answers and seen.record else None,
    )


def refuse_foreign(seen: Look) -> None:
    """Refuse a cluster that is not ours.

    Raises:
        Refused: It was not made by this tool, or carries another owner's mark.
    """
    if not seen.containers:
        return
    owner = seen.record.tags.get(OWNER_TAG) if seen.record else (seen.name if seen.is_ours else None)
    if owner == seen.name and seen.is_ours:
        return
    raise not_ours("kind cluster", seen.name, owner)


def _effective(engine: Engine, containers: tuple[Container, ...]) -> dict[str, Runtimes]:
    running = [container for container in containers if container.running and not container.is_control_plane]
    try:
        return nodes.effective(engine, running)
    except AksWasmError:
        return {}  # a node in trouble lacks every shim; what to do about it is for `up` to say
