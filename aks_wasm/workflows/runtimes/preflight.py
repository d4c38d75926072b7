"""What would make an installation fail later, found before anything is made.

Answers demands 13 and 36 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from aks_wasm.errors import Refused, UsageError
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.labels import SHIMS, SYSTEM_NAMESPACE
from aks_wasm.steps.privileges import require_privileges
from aks_wasm.steps.runtime import is_ready
from aks_wasm.waits import Seen, wait_until
from aks_wasm.workflows.runtimes.site import Node, Site, labels_of, name_of

AUTOMATIC = "Automatic"
READY_SECONDS = 120.0  # a node that was just added or restarted; one that takes longer has something


def ready_nodes(site: Site) -> list[Node]:
    """Return the nodes that are to have runtimes, once all of them are Ready.

    Raises:
        UsageError: There is none, and none will come by itself.
        TimedOut: Some are not; the message names them.
    """

    def look() -> Seen[list[Node]]:
        nodes = site.nodes()
        lacking = [name_of(node) for node in nodes if not is_ready(node)]
        shown = ", ".join(f"`{name}`" for name in lacking[:3]) + (" and others" if len(lacking) > 3 else "")
        return Seen(f"not Ready: {shown}", done=not lacking, value=nodes)

    hint = (
        f"`kubectl describe node` tells why; to leave one out: `kubectl label node NODE {SHIMS}-`, or `--node-selector`"
    )
    patience = site.run.step_context().patience(READY_SECONDS)
    nodes = wait_until(look, what="the nodes", patience=patience, hint=hint) or []
    if not nodes and not site.may_grow:
        raise UsageError(
            f"the cluster of `{site.run.spec.name}` has no node to put runtimes on",
            code="NoNodes",
            hint="are its pools scaled to 0? `kubectl get nodes` shows what is there",
        )
    return nodes


def check_architectures(nodes: Sequence[Node], shims: Sequence[Shim]) -> None:
    """Refuse shims that some node has no binary for.

    Raises:
        UsageError: Every shim and architecture at once, with a node of each.
    """
    of_arch = {labels_of(node).get("kubernetes.io/arch", "unknown"): name_of(node) for node in nodes}
    lines = [
        f"`{shim.name}` {shim.version} is for {_listed([p.arch for p in shim.platforms])}, node `{node}` is {arch}"
        for shim in shims
        for arch, node in sorted(of_arch.items())
        if arch not in {platform.arch for platform in shim.platforms}
    ]
    if lines:
        raise UsageError(
            "some nodes have no binary to run:" + "".join(f"\n  {line}" for line in lines),
            code="NoPlatform",
            hint="give a binary for each architecture (`--shim NAME=PATH` may be repeated), or choose the nodes: "
            "`--node-selector kubernetes.io/arch=amd64`",
        )


def check_privileges(site: Site, image: str) -> None:
    """Refuse where the installer's pods may not be what they must be; nothing is written to find out.

    Raises:
        Refused: Privileged pods are denied.
        NotAllowed: This user may not make pods.
    """
    if site.sku == AUTOMATIC:
        raise Refused(
            f"`{site.run.spec.name}` is an AKS Automatic cluster, which lets no privileged pod run on its nodes",
            code="PrivilegedPodsDenied",
            hint="its Pod Security can't be turned off: use a cluster of the Base SKU, as `aks-wasm up` makes them",
            docs_url="https://learn.microsoft.com/azure/aks/deployment-safeguards",
        )
    require_privileges(site.run.connect(), SYSTEM_NAMESPACE, image=image)


def _listed(words: Sequence[str]) -> str:
    return " and ".join(words) or "nothing"
