"""Which addresses are behind a Service, as EndpointSlices and as Endpoints. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aks_wasm.emulator.cluster.controllers.pods import is_finished, is_going, is_ready
from aks_wasm.emulator.cluster.controllers.selection import matches_all
from aks_wasm.emulator.cluster.trees import Tree, dig

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SLICE_CONTROLLER = "endpointslice-controller.k8s.io"
_HEADLESS = "service.kubernetes.io/headless"


class Port(NamedTuple):
    """One port of a Service as a pod has it."""

    name: str
    protocol: str
    number: int
    app_protocol: str | None

    def body(self) -> Tree:
        """Return it as both kinds of objects write it."""
        body: Tree = {"name": self.name, "port": self.number, "protocol": self.protocol}
        return body | ({"appProtocol": self.app_protocol} if self.app_protocol else {})


Ports = tuple[Port, ...]


def is_selecting(service: Tree) -> bool:
    """Tell whether the Service's endpoints are found by its selector."""
    return bool(service["spec"].get("selector")) and service["spec"].get("type") != "ExternalName"


def pods_behind(service: Tree, pods: Iterable[Tree]) -> dict[Ports, list[Tree]]:
    """Return the Service's pods that have an address, grouped by what its ports are in them."""
    found: dict[Ports, list[Tree]] = defaultdict(list)
    for pod in pods:
        if not matches_all(service["spec"]["selector"], pod["metadata"].get("labels")):
            continue
        if dig(pod, "status", "podIP") and not is_finished(pod):
            found[ports_in(service, pod)].append(pod)
    return dict(found)


def ports_in(service: Tree, pod: Tree) -> Ports:
    """Return the Service's ports in a pod; a port whose name the pod doesn't have is left out."""
    found = []
    for port in service["spec"].get("ports") or []:
        protocol = port.get("protocol", "TCP")
        number = _target(port.get("targetPort") or port["port"], protocol, pod)
        if number is not None:
            found.append(Port(port.get("name", ""), protocol, number, port.get("appProtocol")))
    return tuple(found)


def endpoint(pod: Tree, service: Tree, zones: dict[str, str]) -> Tree:
    """Return one endpoint of an EndpointSlice."""
    node = pod["spec"].get("nodeName", "")
    ready, going = is_ready(pod), is_going(pod)
    early = bool(service["spec"].get("publishNotReadyAddresses"))
    made: Tree = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": early or (ready and not going), "serving": ready, "terminating": going},
        "nodeName": node,
        "targetRef": _reference(pod),
    }
    if zone := zones.get(node):
        made["zone"] = zone
    return made


def slice_labels(service: Tree) -> dict[str, str]:
    """Return the labels of the Service's EndpointSlices."""
    labels = {**(service["metadata"].get("labels") or {})}
    labels |= {MANAGED_BY: SLICE_CONTROLLER, SERVICE_NAME: service["metadata"]["name"]}
    if service["spec"].get("clusterIP") == "None":
        labels[_HEADLESS] = ""
    return labels


def subsets(service: Tree, grouped: dict[Ports, list[Tree]]) -> list[Tree]:
    """Return the subsets of the Service's Endpoints; pods that are being deleted are in none."""
    made = []
    early = bool(service["spec"].get("publishNotReadyAddresses"))
    for ports, pods in grouped.items():
        staying = [pod for pod in pods if early or not is_going(pod)]
        ready = [_address(pod) for pod in staying if early or is_ready(pod)]
        waiting = [_address(pod) for pod in staying if not early and not is_ready(pod)]
        if not staying:
            continue
        subset: Tree = {}
        if ready:
            subset["addresses"] = ready
        if waiting:
            subset["notReadyAddresses"] = waiting
        if ports:
            subset["ports"] = [_without_empty_name(port.body()) for port in ports]
        made.append(subset)
    return made


def mentioned(slices: Iterable[Tree]) -> set[str]:
    """Return the uids of the pods that EndpointSlices list."""
    rows: Sequence[Any] = [row for one in slices for row in one.get("endpoints") or []]
    return {row["targetRef"]["uid"] for row in rows if "targetRef" in row}


def _target(target: int | str, protocol: str, pod: Tree) -> int | None:
    if isinstance(target, int):
        return target
    if target.isdigit():
        return int(target)
    for container in pod["spec"].get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return None


def _reference(pod: Tree) -> Tree:
    metadata = pod["metadata"]
    return {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}


def _address(pod: Tree) -> Tree:
    return {
        "ip": pod["status"]["podIP"],
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": _reference(pod),
    }


def _without_empty_name(port: Tree) -> Tree:
    return port if port["name"] else {key: value for key, value in port.items() if key != "name"}
