"""The rows of Services, Endpoints, EndpointSlices, Ingresses, NetworkPolicies and nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aks_wasm.emulator.cluster.columns import Printer, age_of, columns, name_of, selector_text
from aks_wasm.emulator.cluster.trees import Tree, dig

_ROLE_LABEL = "node-role.kubernetes.io/"
_SHOWN_ENDPOINTS = 3


def _service(obj: Tree) -> list[Any]:
    spec = obj["spec"]
    ports = ",".join(_service_port(port) for port in spec.get("ports") or ()) or "<none>"
    selector = ",".join(f"{key}={value}" for key, value in sorted((spec.get("selector") or {}).items()))
    return [
        name_of(obj),
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or "<none>",
        _external_address(obj),
        ports,
        age_of(obj),
        selector or "<none>",
    ]


def _service_port(port: Tree) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}"


def _external_address(obj: Tree) -> str:
    spec = obj["spec"]
    kind = spec.get("type", "ClusterIP")
    external = list(spec.get("externalIPs") or ())
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    if kind == "LoadBalancer":
        given = dig(obj, "status", "loadBalancer", "ingress") or ()
        found = [one.get("ip") or one.get("hostname", "") for one in given] + external
        return ",".join(found) or "<pending>"
    return ",".join(external) or "<none>"


def _more(shown: list[str]) -> str:
    if not shown:
        return "<none>"
    rest = len(shown) - _SHOWN_ENDPOINTS
    return ",".join(shown[:_SHOWN_ENDPOINTS]) + (f" + {rest} more..." if rest > 0 else "")


def _endpoints(obj: Tree) -> list[Any]:
    shown = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or ()
        for address in subset.get("addresses") or ()
    ]
    return [name_of(obj), _more(shown), age_of(obj)]


def _endpoint_slice(obj: Tree) -> list[Any]:
    ports = ",".join(str(port.get("port", "*")) for port in obj.get("ports") or ()) or "<unset>"
    addresses = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return [name_of(obj), obj.get("addressType", ""), ports, _more(addresses) if addresses else "<unset>", age_of(obj)]


def _ingress(obj: Tree) -> list[Any]:
    spec = obj.get("spec", {})
    hosts = ",".join(rule["host"] for rule in spec.get("rules") or () if rule.get("host")) or "*"
    given = dig(obj, "status", "loadBalancer", "ingress") or ()
    address = ",".join(one.get("ip") or one.get("hostname", "") for one in given)
    ports = "80, 443" if spec.get("tls") else "80"
    return [name_of(obj), spec.get("ingressClassName", "<none>"), hosts, address, ports, age_of(obj)]


def _network_policy(obj: Tree) -> list[Any]:
    return [name_of(obj), selector_text(dig(obj, "spec", "podSelector")), age_of(obj)]


def _node(obj: Tree) -> list[Any]:
    info = dig(obj, "status", "nodeInfo") or {}
    addresses = {one["type"]: one["address"] for one in dig(obj, "status", "addresses") or ()}
    return [
        name_of(obj),
        _node_status(obj),
        _node_roles(obj),
        age_of(obj),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", "<none>"),
        addresses.get("ExternalIP", "<none>"),
        info.get("osImage") or "<unknown>",
        info.get("kernelVersion") or "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _node_status(obj: Tree) -> str:
    ready = next(
        (one.get("status") for one in dig(obj, "status", "conditions") or () if one.get("type") == "Ready"), None
    )
    word = {None: "Unknown", "True": "Ready"}.get(ready, "NotReady")
    return f"{word},SchedulingDisabled" if dig(obj, "spec", "unschedulable") else word


def _node_roles(obj: Tree) -> str:
    labels = obj["metadata"].get("labels") or {}
    roles = {key.removeprefix(_ROLE_LABEL) for key in labels if key.startswith(_ROLE_LABEL)}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    return ",".join(sorted(roles - {""})) or "<none>"


NETWORK: Mapping[str, Printer] = {
    "services": Printer(columns("Name, Type, Cluster-IP, External-IP, Port(s), Age", "Selector"), _service),
    "endpoints": Printer(columns("Name, Endpoints, Age"), _endpoints),
    "endpointslices.discovery.k8s.io": Printer(columns("Name, AddressType, Ports, Endpoints, Age"), _endpoint_slice),
    "ingresses.networking.k8s.io": Printer(columns("Name, Class, Hosts, Address, Ports, Age"), _ingress),
    "networkpolicies.networking.k8s.io": Printer(columns("Name, Pod-Selector, Age"), _network_policy),
    "nodes": Printer(
        columns(
            "Name, Status, Roles, Age, Version",
            "Internal-IP, External-IP, OS-Image, Kernel-Version, Container-Runtime",
        ),
        _node,
    ),
}
