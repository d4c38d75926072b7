"""Pod addresses, and where on this machine what listens at them really listens.

A pod shows an address of its node's podCIDR, as on a real cluster; its server listens on a free port of 127.0.0.1.
Probes, kube-proxy and the load balancer go through this table. Other programs can't reach a pod's address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Place = tuple[str, int]


class PodNetwork:
    """Addresses of the pods of one cluster."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._ports: dict[tuple[str, int], int] = {}

    def assign(self, uid: str, cidr: str, wanted: str | None = None) -> str:
        """Return the pod's address, the `wanted` one where it is free (after a restart)."""
        if wanted and self._owners.get(wanted, uid) == uid:
            self._owners[wanted] = uid
            return wanted
        for host in ipaddress.ip_network(cidr).hosts():
            address = str(host)
            if address.endswith(".1") or address in self._owners:
                continue  # .1 is the bridge
            self._owners[address] = uid
            return address
        raise RuntimeError(f"no address is left in {cidr}")  # 253 pods on a node, which takes 250 at most

    def release(self, uid: str) -> None:
        """Forget a pod's address and everything that listens there."""
        for address in [address for address, owner in self._owners.items() if owner == uid]:
            del self._owners[address]
            for key in [key for key in self._ports if key[0] == address]:
                del self._ports[key]

    def listen(self, address: str, port: int, local_port: int) -> None:
        """Note that what listens at the pod's `port` is at `local_port` of 127.0.0.1."""
        self._ports[address, port] = local_port

    def silence(self, ports: Iterable[Place]) -> None:
        """Note that nothing listens any more at these addresses and ports of pods."""
        for key in ports:
            self._ports.pop(key, None)

    def find(self, address: str, port: int) -> Place | None:
        """Return where to connect for a pod's address and port; None = connection refused."""
        local = self._ports.get((address, port))
        return None if local is None else ("127.0.0.1", local)
