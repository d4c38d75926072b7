"""kube-proxy and the cloud's load balancer: Services of type LoadBalancer answer on loopback.

A Service gets an address of 127.0.0.0/8 and its own port there, like a public address on Azure. Where that can't be
bound (a low port without the right to it, or no such loopback addresses as on macOS) it answers at a free port of
127.0.0.1, and the annotation `aks-wasm.dev/endpoint` says where. Connections go round-robin to the ready endpoints.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.node.network import PodNetwork

ENDPOINT_ANNOTATION = "aks-wasm.dev/endpoint"
ENSURE_SECONDS = 10.0  # recorded: a public IP and a rule on a standard load balancer
_COMPONENT = "service-controller"
_CANDIDATES = 64
_SLICES = "endpointslices.discovery.k8s.io"
_CHUNK = 1 << 16
_Key = tuple[str, str]


class LoadBalancers:
    """Keeps a listener for each port of each Service of type LoadBalancer."""

    def __init__(self, store: Store, network: PodNetwork, pace: Pace) -> None:
        self._store = store
        self._network = network
        self._pace = pace
        self._open: dict[_Key, _Balancer] = {}
        self._tasks: dict[_Key, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Follow the Services until cancelled; then nothing listens any more."""
        subscription = self._store.subscribe("services")
        try:
            async for _, kind, service in subscription:
                key = (service["metadata"]["namespace"], service["metadata"]["name"])
                before = self._tasks.get(key)
                wanted = None if kind == "DELETED" else service
                self._tasks[key] = asyncio.create_task(self._reconcile(key, wanted, before))
        finally:
            subscription.close()
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            for balancer in self._open.values():
                await balancer.close()
            self._open.clear()

    def listening(self) -> list[str]:
        """Return the names (`namespace/name`) of the Services that are listened for."""
        return ["/".join(key) for key in self._open]

    async def _reconcile(self, key: _Key, service: dict[str, Any] | None, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        ports = _ports(service) if service else []
        balancer = self._open.get(key)
        if balancer is not None and (balancer.ports != ports or balancer.uid != (service or {})["metadata"]["uid"]):
            del self._open[key]
            await balancer.close()
            balancer = None
        if service is None or not ports:
            if service is not None:
                self._store.mutate("services", key[1], key[0], _clear)
        elif balancer is None:
            await self._ensure(key, service, ports)

    async def _ensure(self, key: _Key, service: dict[str, Any], ports: list[dict[str, Any]]) -> None:
        if not _ingress(service):
            self._event(service, "EnsuringLoadBalancer", "Ensuring load balancer")
            await self._pace.spend(ENSURE_SECONDS)
        balancer = _Balancer(service["metadata"]["uid"], ports, lambda port: self._places(key, port))
        self._open[key] = balancer
        try:
            address, fallback = await balancer.open(_ingress(service), _kept_port(service))
        except OSError as error:
            del self._open[key]
            self._event(service, "SyncLoadBalancerFailed", f"Error syncing load balancer: {error}", warning=True)
            return

        def publish(stored: dict[str, Any]) -> None:
            stored.setdefault("status", {})["loadBalancer"] = {"ingress": [{"ip": address, "ipMode": "VIP"}]}
            annotations = stored["metadata"].setdefault("annotations", {})
            if fallback is not None:
                annotations[ENDPOINT_ANNOTATION] = f"http://{address}:{fallback}"
            else:
                annotations.pop(ENDPOINT_ANNOTATION, None)
            if not annotations:
                del stored["metadata"]["annotations"]

        if self._store.mutate("services", key[1], key[0], publish) is not None and not _ingress(service):
            where = f" at http://{address}:{fallback}, its own port can't be bound here" if fallback else ""
            self._event(service, "EnsuredLoadBalancer", f"Ensured load balancer{where}")

    def _places(self, key: _Key, port: dict[str, Any]) -> list[tuple[str, int]]:
        """Return where the ready endpoints of a Service's port really listen."""
        found = []
        for item in self._store.view(_SLICES, key[0]):
            if (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != key[1]:
                continue
            numbers = [entry["port"] for entry in item.get("ports") or () if (entry.get("name") or "") == port["name"]]
            for endpoint in item.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready") is False:
                    continue
                found += [
                    place
                    for address in endpoint.get("addresses") or ()
                    for number in numbers
                    if (place := self._network.find(address, number)) is not None
                ]
        return found

    def _event(self, service: dict[str, Any], reason: str, message: str, *, warning: bool = False) -> None:
        kind = "Warning" if warning else "Normal"
        self._store.record_event(service, reason, message, type=kind, component=_COMPONENT)


class _Balancer:
    """The listeners of one Service."""

    def __init__(
        self,
        uid: str,
        ports: list[dict[str, Any]],
        places: Callable[[dict[str, Any]], list[tuple[str, int]]],
    ) -> None:
        self.uid = uid
        self.ports = ports
        self._places = places
        self._turn = itertools.count()
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self, kept: str | None, kept_port: int | None) -> tuple[str, int | None]:
        """Listen; return the address, and the port where it is not the Service's own.

        Args:
            kept: The address it had before a restart.
            kept_port: The port it had before a restart, when not its own.

        Raises:
            OSError: Nothing can be bound.
        """
        if kept_port is None:
            for address in _addresses(self.uid, kept):
                try:
                    await self._listen(address, [port["port"] for port in self.ports])
                except OSError as error:
                    if error.errno != errno.EADDRINUSE:
                        break
                else:
                    return address, None
        try:
            return "127.0.0.1", await self._listen("127.0.0.1", [kept_port or 0, *[0 for _ in self.ports[1:]]])
        except OSError:
            return "127.0.0.1", await self._listen("127.0.0.1", [0 for _ in self.ports])

    async def close(self) -> None:
        """Free the ports; open connections are cut."""
        for server in self._servers:
            server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    async def _listen(self, address: str, numbers: list[int]) -> int:
        """Listen on all ports or on none; return the first port's number."""
        try:
            for port, number in zip(self.ports, numbers, strict=True):
                self._servers.append(await asyncio.start_server(self._serve(port), address, number))
        except OSError:
            await self.close()
            raise
        return int(self._servers[0].sockets[0].getsockname()[1])

    def _serve(self, port: dict[str, Any]) -> Any:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - start_server runs it as a task
            self._connections.add(task)
            try:
                await self._forward(port, reader, writer)
            except asyncio.CancelledError:
                pass  # the Service is going; the connection is cut
            finally:
                self._connections.discard(task)
                writer.transport.abort() if writer.transport.is_closing() is False else None

        return accept

    async def _forward(self, port: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        places = self._places(port)
        start = next(self._turn)
        for offset in range(len(places)):
            with contextlib.suppress(OSError):
                upstream = await asyncio.open_connection(*places[(start + offset) % len(places)])
                break
        else:
            return
        try:
            await asyncio.gather(_copy(reader, upstream[1]), _copy(upstream[0], writer))
        finally:
            for end in (upstream[1], writer):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(_CHUNK):
            target.write(chunk)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()


def _addresses(uid: str, kept: str | None) -> Iterator[str]:
    if kept is not None:
        yield kept
    for number in range(_CANDIDATES):
        digest = hashlib.sha256(f"{uid}/{number}".encode()).digest()
        yield f"127.{64 + digest[0] % 63}.{digest[1]}.{1 + digest[2] % 254}"


def _ports(service: dict[str, Any]) -> list[dict[str, Any]]:
    """The TCP ports to listen on; none for other types and for a Service on its way out."""
    spec = service.get("spec") or {}
    if spec.get("type") != "LoadBalancer" or service["metadata"].get("deletionTimestamp"):
        return []
    return [
        {"name": port.get("name") or "", "port": port["port"]}
        for port in spec.get("ports") or ()
        if port.get("protocol", "TCP") == "TCP"
    ]


def _ingress(service: dict[str, Any]) -> str | None:
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return str(ingress[0]["ip"]) if ingress and ingress[0].get("ip") else None


def _kept_port(service: dict[str, Any]) -> int | None:
    endpoint = (service["metadata"].get("annotations") or {}).get(ENDPOINT_ANNOTATION, "")
    number = endpoint.rpartition(":")[2]
    return int(number) if number.isdigit() else None


def _clear(service: dict[str, Any]) -> None:
    """Take back what a Service got while it was of type LoadBalancer."""
    if _ingress(service):
        service["status"]["loadBalancer"] = {}
        (service["metadata"].get("annotations") or {}).pop(ENDPOINT_ANNOTATION, None)
