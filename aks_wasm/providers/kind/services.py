"""Which Services are to answer on the host, and what is written into them; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

ENDPOINT_ANNOTATION = "aks-wasm.dev/endpoint"
"""On a Service: the URL that answers from outside (kube/conditions.py reads it)."""

HOST = "127.0.0.1"
_HOSTNAME = "localhost"  # as a name, since kube-proxy would take packets to an address of an ingress for itself

Document = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """One Service that is to answer.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        ports: Port -> node port, the first port first; TCP only.
        annotated: The endpoint it says now, or None.
        told: Whether its status names the host already.
    """

    namespace: str
    name: str
    ports: Mapping[int, int]
    annotated: str | None
    told: bool

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def last_port(self) -> int | None:
        """The port on the host that the endpoint named before, so that it stays the same."""
        try:
            return urlsplit(self.annotated).port if self.annotated else None
        except ValueError:
            return None


def target_of(service: Document) -> Target | None:
    """Return how a Service is to answer; None when it is of another type, another controller's, or has no port yet."""
    spec, metadata = service.get("spec") or {}, service["metadata"]
    if spec.get("type") != "LoadBalancer" or spec.get("loadBalancerClass") or metadata.get("deletionTimestamp"):
        return None
    ports = {
        int(port["port"]): int(port["nodePort"])
        for port in spec.get("ports") or ()
        if port.get("nodePort") and port.get("protocol", "TCP") == "TCP"
    }
    if not ports:
        return None
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return Target(
        namespace=metadata["namespace"],
        name=metadata["name"],
        ports=ports,
        annotated=(metadata.get("annotations") or {}).get(ENDPOINT_ANNOTATION),
        told=any(place.get("hostname") == _HOSTNAME for place in ingress),
    )


def endpoint(host_port: int) -> str:
    """Return the URL at which the host reaches a Service."""
    return f"http://{HOST}:{host_port}"


def annotation_patch(url: str) -> Document:
    """Return the merge patch that says where the Service answers."""
    return {"metadata": {"annotations": {ENDPOINT_ANNOTATION: url}}}


def status_patch() -> Document:
    """Return the merge patch of the status that says that the host has it."""
    return {"status": {"loadBalancer": {"ingress": [{"hostname": _HOSTNAME}]}}}
