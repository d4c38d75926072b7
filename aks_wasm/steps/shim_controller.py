"""Whether runtime-class-manager is there and can do what is asked for, and what it has of ours; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import Refused
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.labels import owned
from aks_wasm.shims.node_report import NodeReport
from aks_wasm.shims.runtime_class_manager import (
    CONTROLLER_LABELS,
    CRD,
    HELM,
    UPDATE_DEFINITION,
    shim_problems,
    why_dropped,
    why_unfit,
)

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

Node = Mapping[str, Any]
Manifest = dict[str, Any]
_NAMED = 3  # nodes in an error's words


def require_controller(client: KubeClient) -> None:
    """Refuse to go on where runtime-class-manager is not installed, is too old for our Shims, or does not run.

    Raises:
        Refused: With the command that installs it.
    """
    definition = client.get("CustomResourceDefinition", CRD)
    if definition is None:
        raise Refused(
            f"runtime-class-manager is not installed in this cluster: there is no definition `{CRD}`",
            code="NoRuntimeClassManager",
            hint=f"install it with `{HELM}`, or use the installer `daemonset`, which needs nothing",
        )
    why = why_unfit(definition)
    if why is not None:
        raise Refused(
            f"this cluster's definition `{CRD}` is not that of runtime-class-manager v0.2.0: {why}",
            code="RuntimeClassManagerUnfit",
            hint=f"`{UPDATE_DEFINITION}`, then `{HELM}`; or use the installer `daemonset`",
        )
    controllers = client.list("Deployment", labels=CONTROLLER_LABELS)
    if not any((one.get("status") or {}).get("availableReplicas") for one in controllers):
        where = ", ".join(f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in controllers)
        raise Refused(
            f"runtime-class-manager's controller does not run: {where or 'no Deployment of its chart is there'}",
            code="RuntimeClassManagerNotReady",
            hint="`kubectl get pods --all-namespaces --selector " + CONTROLLER_LABELS + "` tells why; "
            f"`{HELM}` installs it again",
        )


def refuse_in_vain(
    shims: tuple[Shim, ...], nodes: tuple[Node, ...], reports: Mapping[str, NodeReport] | None = None
) -> None:
    """Refuse what runtime-class-manager can't do: shims it has no form for, nodes whose containerd drops its block.

    Args:
        shims: What is wanted.
        nodes: Where.
        reports: What our own installer says of nodes, by name, where it is there.

    Raises:
        Refused: Every reason at once.
    """
    problems = shim_problems(shims)
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise Refused(f"runtime-class-manager can't install what is asked for:{lines}", code="NotForThisInstaller")
    why: dict[str, list[str]] = {}
    for node in nodes:
        name = str(node["metadata"]["name"])
        reason = why_dropped(node, (reports or {}).get(name))
        if reason is not None:
            why.setdefault(reason, []).append(name)
    if why:
        lines = "".join(f"\n  {named_nodes(names)}: {reason}" for reason, names in why.items())
        raise Refused(
            f"runtime-class-manager's work would have no effect, although it would say that it is done:{lines}",
            code="BlockDropped",
            hint="use the installer `daemonset`, which writes what that containerd reads, or node pools with "
            "`--os-sku Ubuntu2204` (Kubernetes up to 1.36; its images end on 2027-06-30)",
        )


def every_shim(client: KubeClient) -> list[Manifest]:
    """Return every Shim resource; none where runtime-class-manager is not installed."""
    return client.list("Shim") if client.get("CustomResourceDefinition", CRD) is not None else []


def our_shims(client: KubeClient, owner: str) -> list[Manifest]:
    """Return the Shim resources that we made."""
    marks = owned(owner).items()
    return [shim for shim in every_shim(client) if marks <= (shim["metadata"].get("labels") or {}).items()]


def managed_objects(client: KubeClient, owner: str) -> list[Manifest]:
    """Return the Shim resources that we made and the RuntimeClasses that runtime-class-manager made of them."""
    shims = our_shims(client, owner)
    classes = (client.get("RuntimeClass", str(shim["spec"]["runtimeClass"]["name"])) for shim in shims)
    return [*shims, *filter(None, classes)]


def named_nodes(names: list[str]) -> str:
    """Return `node `a`` or `nodes `a`, `b`, `c` and 2 more`."""
    shown = ", ".join(f"`{name}`" for name in sorted(names)[:_NAMED])
    more = len(names) - _NAMED
    return f"{'node' if len(names) == 1 else 'nodes'} {shown}" + (f" and {more} more" if more > 0 else "")
