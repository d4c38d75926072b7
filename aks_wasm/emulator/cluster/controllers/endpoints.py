"""EndpointSlices and Endpoints: the addresses of ready pods, kept beside each Service that selects pods."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aks_wasm.emulator.cluster.controllers import endpoint_sets as sets
from aks_wasm.emulator.cluster.controllers.names import suffixed
from aks_wasm.emulator.cluster.controllers.ownership import controller_reference
from aks_wasm.emulator.cluster.controllers.pods import is_going
from aks_wasm.emulator.cluster.controllers.selection import matches_all
from aks_wasm.emulator.cluster.controllers.work import Key, Notice, key_of
from aks_wasm.emulator.cluster.controllers.world import World
from aks_wasm.emulator.cluster.trees import Tree, copied

PLURAL = "services"
SLICES = "endpointslices.discovery.k8s.io"
ENDPOINTS = "endpoints"
_ZONE = "topology.kubernetes.io/zone"
_ENDPOINTS_LABELS = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}


class EndpointController:
    """Writes both kinds of objects; slices go with their Service by garbage collection."""

    watches = (PLURAL, "pods", SLICES, ENDPOINTS)

    def __init__(self, world: World) -> None:
        self._store = world.store

    def keys(self, notice: Notice) -> Iterable[Key]:
        """A Service, those that select or list a changed pod, or the one whose object was changed by others."""
        metadata = notice.object["metadata"]
        if notice.plural in {PLURAL, ENDPOINTS}:
            return [key_of(notice.object)]
        if notice.plural == SLICES:
            name = (metadata.get("labels") or {}).get(sets.SERVICE_NAME)
            return [Key(metadata["namespace"], name)] if name else []
        services = self._store.view(PLURAL, metadata["namespace"])
        return [
            key_of(service)
            for service in services
            if sets.is_selecting(service)
            and (
                matches_all(service["spec"]["selector"], metadata.get("labels"))
                or metadata["uid"] in sets.mentioned(self._slices(key_of(service)))
            )
        ]

    def reconcile(self, key: Key) -> None:
        """Bring one Service's endpoints up to date."""
        service = self._store.peek(PLURAL, key.name, key.namespace)
        if service is None:
            endpoints = self._store.peek(ENDPOINTS, key.name, key.namespace)
            if endpoints and _ENDPOINTS_LABELS.items() <= (endpoints["metadata"].get("labels") or {}).items():
                self._store.delete(ENDPOINTS, key.name, key.namespace)
            return
        if is_going(service) or not sets.is_selecting(service):
            return
        grouped = sets.pods_behind(service, self._store.view("pods", key.namespace))
        self._write_slices(service, grouped)
        self._write_endpoints(service, sets.subsets(service, grouped))

    def _slices(self, key: Key) -> list[Tree]:
        wanted = {sets.SERVICE_NAME: key.name, sets.MANAGED_BY: sets.SLICE_CONTROLLER}
        slices = self._store.view(SLICES, key.namespace)
        return [one for one in slices if matches_all(wanted, one["metadata"].get("labels"))]

    def _write_slices(self, service: Tree, grouped: dict[sets.Ports, list[Tree]]) -> None:
        zones = {
            node["metadata"]["name"]: (node["metadata"].get("labels") or {}).get(_ZONE, "")
            for node in self._store.view("nodes")
        }
        there = [one["metadata"]["name"] for one in self._slices(key_of(service))]
        # A Service without pods has one empty slice, as the real controller keeps it.
        for ports, pods in (grouped or {(): []}).items():
            bodies = [sets.endpoint(pod, service, zones) for pod in pods]
            self._write_slice(service, there.pop(0) if there else None, ports, bodies)
        for name in there:
            self._store.delete(SLICES, name, service["metadata"]["namespace"])

    def _write_slice(self, service: Tree, name: str | None, ports: sets.Ports, endpoints: list[Tree]) -> None:
        namespace = service["metadata"]["namespace"]

        def change(fresh: Tree) -> None:
            fresh["metadata"]["labels"] = sets.slice_labels(service)
            fresh["endpoints"] = copied(endpoints)
            fresh["ports"] = [port.body() for port in ports]

        if name is not None:
            self._store.mutate(SLICES, name, namespace, change)
            return
        base = f"{service['metadata']['name']}-"
        self._create(
            SLICES,
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "generateName": base,
                    "name": suffixed(base),
                    "namespace": namespace,
                    "ownerReferences": [controller_reference(service)],
                },
                "addressType": "IPv4",
            },
            change,
        )

    def _write_endpoints(self, service: Tree, subsets: list[Tree]) -> None:
        name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]

        def change(fresh: Tree) -> None:
            fresh["metadata"]["labels"] = {**(service["metadata"].get("labels") or {}), **_ENDPOINTS_LABELS}
            if subsets:
                fresh["subsets"] = copied(subsets)
            else:
                fresh.pop("subsets", None)

        if self._store.mutate(ENDPOINTS, name, namespace, change) is None:
            metadata = {"name": name, "namespace": namespace}
            self._create(ENDPOINTS, {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}, change)

    def _create(self, plural: str, obj: Tree, change: Callable[[Tree], None]) -> None:
        change(obj)
        self._store.create(plural, obj)
