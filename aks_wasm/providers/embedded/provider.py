"""Local clusters over the emulator's control API."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import quote

from aks_wasm.emulator.client import ControlClient
from aks_wasm.errors import Problem, Refused, ServiceError, UsageError
from aks_wasm.providers.base import (
    ChosenRoute,
    ClusterRequest,
    NodePoolRequest,
    Observed,
    ObservedCluster,
    ObservedNodePool,
    Prerequisite,
    ProviderInfo,
)
from aks_wasm.providers.marks import OWNER_TAG, Owned, expiry, lacking
from aks_wasm.providers.ownership import refuse_foreign_cluster
from aks_wasm.spec.models import Arch, ClusterSpec
from aks_wasm.waits import Patience
from aks_wasm.wasm.archive import ImageArchive

_WASI_RUNTIME = "WasmWasi"

Document = dict[str, Any]


class EmbeddedProvider:
    """Clusters of the emulator's daemon on this machine."""

    info = ProviderInfo("embedded")

    def __init__(self, control: ControlClient) -> None:
        self._control = control

    def observe(self, spec: ClusterSpec) -> Observed:
        """Look at the cluster: one read."""
        document = self._read(spec.name)
        return Observed(cluster=_observed(document) if document else None)

    def check(self, spec: ClusterSpec, observed: Observed) -> list[Problem]:
        """Find nothing: the embedded cluster has no quota, sizes or regions.

        Raises:
            Refused: The cluster is somebody else's.
        """
        if observed.cluster is not None:
            refuse_foreign_cluster(observed.cluster, spec.name)
        return []

    def ensure(self, prerequisite: Prerequisite, spec: ClusterSpec, patience: Patience) -> None:
        """Do nothing: there is nothing to register and no group."""

    def put_cluster(self, spec: ClusterSpec, request: ClusterRequest, patience: Patience) -> None:
        """Create the cluster with its pools, or bring an existing one's marks up to date."""
        del patience
        document = self._owned(spec)
        if document is None:
            pools = [_profile(pool) for pool in request.pools]
            self._put(spec.name, {"labels": dict(request.tags), "pools": pools, **_version(request)})
        elif (missing := lacking(document["labels"], request.tags)) or not document["running"]:
            self._put(spec.name, {"labels": {**document["labels"], **missing}})

    def put_node_pool(self, spec: ClusterSpec, request: NodePoolRequest, patience: Patience) -> None:
        """Create or scale a pool.

        Raises:
            UsageError: There is no cluster.
            Refused: The pool is there with another architecture.
        """
        del patience
        document = self._owned(spec)
        if document is None:
            raise UsageError(f"there is no cluster `{spec.name}`", code="NoCluster", hint="run `aks-wasm up` first")
        live: Document = next((pool for pool in document["pools"] if pool["name"] == request.name), {})
        arch = live.get("arch")
        if arch and request.arch and arch != request.arch:
            raise Refused(
                f"the node pool `{request.name}` can't become {request.arch}: its machines are {arch}",
                code="PropertyChangeNotAllowed",
                hint=f"delete it first: `aks-wasm nodepool delete {request.name}`",
            )
        wanted = {**live, **_profile(request)}
        if wanted != live:
            others = [pool for pool in document["pools"] if pool["name"] != request.name]
            self._put(spec.name, {"pools": [*others, wanted]})

    def delete(self, spec: ClusterSpec, node_pool: str | None, patience: Patience, *, wait: bool) -> None:
        """Delete a pool or the cluster, and read again that it is gone; absent is fine.

        Raises:
            Refused: The cluster is somebody else's.
        """
        del patience, wait
        document = self._owned(spec)
        if document is None:
            return
        if node_pool is not None:
            left = [pool for pool in document["pools"] if pool["name"] != node_pool]
            if left != document["pools"]:
                self._put(spec.name, {"pools": left})
            return
        self._control.request("DELETE", _path(spec.name))
        if self._read(spec.name) is not None:
            raise ServiceError(f"the cluster `{spec.name}` is still there after its deletion", code="NotGone")

    def kubeconfig(self, spec: ClusterSpec) -> str:
        """Return the administrator's kubeconfig, with a client certificate."""
        return str(self._control.get(f"{_path(spec.name)}/kubeconfig"))

    def deliver_image(self, spec: ClusterSpec, image: ImageArchive, patience: Patience) -> None:
        """Load the image into the nodes, unless they have it."""
        del patience
        path = f"{_path(spec.name)}/images"
        if image.name in self._control.get(path)["images"]:
            return
        with image.path.open("rb") as archive:
            self._control.request("PUT", path, archive)

    def owned(self) -> list[Owned]:
        """Return every local cluster that carries our mark."""
        documents = self._control.get("clusters")["clusters"]
        return [
            Owned(document["labels"][OWNER_TAG], None, expiry(document["labels"]))
            for document in documents
            if OWNER_TAG in document["labels"]
        ]

    def close(self) -> None:
        """Do nothing: each request has its own connection."""

    def _read(self, name: str) -> Document | None:
        try:
            document: Document = self._control.get(_path(name))
        except ServiceError as error:
            if error.code == "NotFound":
                return None
            raise
        return document

    def _owned(self, spec: ClusterSpec) -> Document | None:
        document = self._read(spec.name)
        if document is not None:
            refuse_foreign_cluster(_observed(document), spec.name)
        return document

    def _put(self, name: str, document: Document) -> None:
        self._control.request("PUT", _path(name), document)


def _path(name: str) -> str:
    return f"clusters/{quote(name, safe='')}"


def _version(request: ClusterRequest) -> Document:
    return {"kubernetesVersion": request.kubernetes_version} if request.kubernetes_version else {}


def _profile(request: NodePoolRequest) -> Document:
    count = max(request.count, request.min or 0)
    profile: Document = {
        "name": request.name,
        "count": count,
        "arch": request.arch or "amd64",
        "mode": request.mode,
        "labels": dict(request.labels),
        "taints": list(request.taints),
        "spot": request.spot,
    }
    if request.route == "wasi-preview":
        profile["workload_runtime"] = _WASI_RUNTIME
    if request.vm_size:
        profile["vm_size"] = request.vm_size
    if request.zones:
        profile["zones"] = list(request.zones)
    return profile


def _observed(document: Document) -> ObservedCluster:
    return ObservedCluster(
        name=document["name"],
        state="Succeeded" if document["running"] else "Stopped",
        location="local",
        kubernetes_version=document["kubernetesVersion"],
        tags=document["labels"],
        node_pools=tuple(_observed_pool(pool) for pool in document["pools"]),
        running=document["running"],
        api_server=document["url"],
    )


def _observed_pool(pool: Document) -> ObservedNodePool:
    route = "wasi-preview" if pool.get("workload_runtime") == _WASI_RUNTIME else "shim"
    return ObservedNodePool(
        name=pool["name"],
        state="Succeeded",
        mode="System" if pool.get("mode") == "System" else "User",
        count=pool.get("count", 1),
        arch=cast("Arch", pool.get("arch", "amd64")),
        vm_size=pool.get("vm_size"),
        spot=pool.get("spot", False),
        zones=tuple(pool.get("zones") or ()),
        labels=pool.get("labels") or {},
        taints=tuple(pool.get("taints") or ()),
        route=cast("ChosenRoute", route),
    )
