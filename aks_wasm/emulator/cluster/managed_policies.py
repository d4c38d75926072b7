"""What AKS Automatic forbids outside its own namespaces: its managed ValidatingAdmissionPolicies for the baseline.

Names, binding names and the form of a refusal are as clusters of 2026 show them, the texts those of azure-aks-docs
articles/aks/deployment-safeguards.md. That policies judge workloads too, and not only their pods, was seen there as
well. The allowance for Microsoft's own images that mount host paths is not modelled: no list of them is published.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aks_wasm.emulator.cluster.pod_security_fields import (
    DEFAULT_CAPABILITIES,
    capabilities_baseline,
    containers,
    host_paths,
    host_ports,
    named,
    setting,
)
from aks_wasm.emulator.cluster.pod_templates import TEMPLATES
from aks_wasm.emulator.cluster.statuses import Rejected
from aks_wasm.emulator.cluster.trees import Tree, dig

if TYPE_CHECKING:
    from aks_wasm.emulator.cluster.store import Store

_OWN_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease", "gatekeeper-system"})
_HOST = {"hostNetwork": "network", "hostPID": "PID", "hostIPC": "IPC"}


def guard(store: Store, plural: str, old: Tree | None, new: Tree) -> list[str]:
    """Refuse pods, and workloads that would make pods, that reach their host.

    Raises:
        Rejected: With the first policy's text, in the order of their names.
    """
    del store, old
    meta = new["metadata"]
    if meta.get("namespace") in {None, *_OWN_NAMESPACES} or (plural != "pods" and plural not in TEMPLATES):
        return []
    spec = new["spec"] if plural == "pods" else dig(new, *TEMPLATES[plural], "spec") or {}
    for name, look in _POLICIES.items():
        if why := look(spec):
            policy = f"aks-managed-baseline-{name}"
            told = f"ValidatingAdmissionPolicy '{policy}' with binding '{policy}-binding' denied request: {why}"
            raise Rejected(plural, meta.get("name", ""), told)
    return []


def _capabilities(spec: Tree) -> str:
    for one in containers(spec):
        if capabilities_baseline({}, {"containers": [one]}, 0):
            asked = dig(one, "securityContext", "capabilities", "add")
            bad = " ".join(name for name in asked if name not in DEFAULT_CAPABILITIES)
            return f'Disallowed capabilities detected: container "{one["name"]}" has disallowed capabilities: [{bad}]'
    return ""


def _host_namespaces(spec: Tree) -> str:
    told = [f"Host {word} namespaces are disallowed: spec.{field} is set to true" for field, word in _HOST.items()
            if spec.get(field)]  # fmt: skip
    return told[0] if told else ""


def _host_ports(spec: Tree) -> str:
    return "HostPorts are forbidden under baseline security policy" if host_ports({}, spec, 0) else ""


def _host_paths(spec: Tree) -> str:
    if not host_paths({}, spec, 0):
        return ""
    unless = "unless containers mounting them are from allowed images"
    return f"HostPath volumes are forbidden under restricted security policy {unless}"


def _privileged(spec: Tree) -> str:
    for field, word in (("containers", ""), ("initContainers", "init "), ("ephemeralContainers", "ephemeral ")):
        if named({"containers": spec.get(field)}, lambda one: setting(one, "privileged")):
            place = f"spec.{field}[*].securityContext.privileged"
            return f"Privileged {word}containers are disallowed: {place} is set to true"
    return ""


_POLICIES: dict[str, Callable[[Tree], str]] = {
    "capabilities": _capabilities,
    "host-namespaces": _host_namespaces,
    "host-ports": _host_ports,
    "hostpath-volumes": _host_paths,
    "privileged-containers": _privileged,
}
