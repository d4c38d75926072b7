"""Cluster IPs and node ports of Services: given out, checked, kept (AKS's default service range 10.0.0.0/16)."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aks_wasm.emulator.cluster.causes import Cause, invalid
from aks_wasm.emulator.cluster.statuses import Invalid
from aks_wasm.emulator.cluster.trees import Tree

if TYPE_CHECKING:
    from aks_wasm.emulator.cluster.store import Store

SERVICE_NETWORK = ipaddress.ip_network("10.0.0.0/16")
FIRST_NODE_PORT, LAST_NODE_PORT = 30000, 32767
_RESERVED = 256  # the first addresses are left to those who ask for one (kubernetes .1, kube-dns .10)


def allocate(store: Store, service: Tree) -> None:
    """Give a Service the cluster IP and node ports its type calls for, in place.

    Raises:
        Invalid: It asks for an address or port that is taken or out of range.
    """
    spec = service["spec"]
    causes: list[Cause] = []
    if spec["type"] == "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            spec.pop(name, None)
    else:
        causes += _allocate_address(store, service)
    if spec["type"] == "NodePort" or (
        spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True)
    ):
        causes += _allocate_ports(store, service)
    if causes:
        raise Invalid("Service", service["metadata"]["name"], causes)


def _others(store: Store, service: Tree) -> Iterator[Tree]:
    mine = (service["metadata"].get("namespace"), service["metadata"]["name"])
    for other in store.view("services"):
        if (other["metadata"].get("namespace"), other["metadata"]["name"]) != mine:
            yield other["spec"]


def _allocate_address(store: Store, service: Tree) -> list[Cause]:
    spec = service["spec"]
    taken = {other.get("clusterIP") for other in _others(store, service)} - {None, "", "None"}
    wanted = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or ()), "")
    causes: list[Cause] = []
    if not wanted:
        wanted = _free_address(taken)
    elif wanted != "None":
        causes = _address_problems(wanted, taken)
    spec["clusterIP"] = wanted
    spec["clusterIPs"] = [wanted]
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    return causes


def _free_address(taken: set[Any]) -> str:
    while True:
        offset = _RESERVED + secrets.randbelow(SERVICE_NETWORK.num_addresses - _RESERVED - 1)
        address = str(SERVICE_NETWORK[offset])
        if address not in taken:
            return address


def _address_problems(wanted: str, taken: set[Any]) -> list[Cause]:
    try:
        inside = ipaddress.ip_address(wanted) in SERVICE_NETWORK
    except ValueError:
        why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        return [invalid("spec.clusterIPs[0]", wanted, why)]
    if not inside:
        why = f"failed to allocate IP {wanted}: the provided IP is not in the valid range. "
        return [invalid("spec.clusterIPs", [wanted], f"{why}The range of valid IPs is {SERVICE_NETWORK}")]
    if wanted in taken:
        return [
            invalid("spec.clusterIPs", [wanted], f"failed to allocate IP {wanted}: provided IP is already allocated")
        ]
    return []


def _allocate_ports(store: Store, service: Tree) -> list[Cause]:
    taken = {port.get("nodePort") for other in _others(store, service) for port in other.get("ports") or ()}
    causes: list[Cause] = []
    for index, port in enumerate(service["spec"].get("ports") or ()):
        asked = port.get("nodePort")
        place = f"spec.ports[{index}].nodePort"
        if not asked:
            port["nodePort"] = _free_port(taken)
        elif not FIRST_NODE_PORT <= asked <= LAST_NODE_PORT:
            why = f"The range of valid ports is {FIRST_NODE_PORT}-{LAST_NODE_PORT}"
            causes.append(invalid(place, asked, f"provided port is not in the valid range. {why}"))
        elif asked in taken:
            causes.append(invalid(place, asked, "provided port is already allocated"))
        taken.add(port["nodePort"])
    return causes


def _free_port(taken: set[Any]) -> int:
    while True:
        port = FIRST_NODE_PORT + secrets.randbelow(LAST_NODE_PORT - FIRST_NODE_PORT + 1)
        if port not in taken:
            return port


def keep(old: Tree, new: Tree) -> None:
    """Carry the addresses of a Service over to its newer self where that leaves them out, in place."""
    before, spec = old["spec"], new["spec"]
    if before.get("type") == "ExternalName" or spec.get("type") == "ExternalName":
        return
    _keep_address(before, spec)
    for name in ("ipFamilies", "ipFamilyPolicy"):
        if before.get(name):
            spec.setdefault(name, before[name])
    if spec.get("type") in {"NodePort", "LoadBalancer"}:
        _keep_ports(before, spec)
    else:
        _drop_ports(spec)


def _keep_address(before: Tree, spec: Tree) -> None:
    if spec.get("clusterIP"):
        if spec.get("clusterIPs", before.get("clusterIPs")) == before.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
    elif not spec.get("clusterIPs"):
        for name in ("clusterIP", "clusterIPs"):
            if before.get(name):
                spec[name] = before[name]


def _drop_ports(spec: Tree) -> None:
    for port in spec.get("ports") or ():
        port.pop("nodePort", None)
    for name in ("externalTrafficPolicy", "allocateLoadBalancerNodePorts"):
        spec.pop(name, None)


def _keep_ports(before: Tree, spec: Tree) -> None:
    held = {(port.get("port"), port.get("protocol")): port.get("nodePort") for port in before.get("ports") or ()}
    for port in spec.get("ports") or ():
        kept = held.get((port.get("port"), port.get("protocol", "TCP")))
        if kept and not port.get("nodePort"):
            port["nodePort"] = kept
