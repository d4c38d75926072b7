"""What would make `up` fail later, asked before anything is written: location, versions, sizes, quota, names.

Answers demand 13 of shared/facts/demands.md.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, HttpResponseError

from aks_wasm.errors import Problem
from aks_wasm.providers.azure.errors import from_arm, translated
from aks_wasm.providers.azure.faults import fault_in
from aks_wasm.providers.azure.models import vm_size_of
from aks_wasm.providers.azure.rights import rights_problems
from aks_wasm.providers.azure.sizes import Need, quota_problems, size_problems, sizes_of
from aks_wasm.providers.azure.subscription import API_VERSION as SUBSCRIPTIONS_VERSION
from aks_wasm.providers.base import Observed, ObservedCluster
from aks_wasm.spec.models import ClusterSpec, NodePool

if TYPE_CHECKING:
    from aks_wasm.providers.azure.clients import Clients

SKUS_VERSION = "2021-07-01"
USAGES_VERSION = "2026-04-01"
AKS_VERSION = "2026-08-01"
_NODE_GROUP_LENGTH = 80  # of MC_<group>_<cluster>_<location>; AKS refuses longer ones (aks/troubleshooting)

Document = dict[str, Any]


def find_problems(clients: Clients, spec: ClusterSpec, observed: Observed) -> list[Problem]:
    """Return every problem of what is still to be made; nothing is read when nothing is.

    Raises:
        AksWasmError: Azure can't be asked.
    """
    location = spec.azure.location.replace(" ", "").lower()
    needs = needs_of(spec, observed.cluster)
    if not needs and observed.cluster is not None:
        return []
    known = _locations(clients)
    problems = location_problems(location, known)
    if problems:
        return problems
    with ThreadPoolExecutor(3, "preflight") as pool:
        skus = pool.submit(_skus, clients, location)
        usages = pool.submit(_usages, clients, location)
        versions = pool.submit(_versions, clients, spec, location, observed.cluster)
        sizes = sizes_of(skus.result(), location)
        problems += name_problems(spec, location, observed.cluster)
        problems += version_problems(spec.cluster.kubernetes_version, versions.result(), location)
        problems += size_problems(needs, sizes, location)
        problems += quota_problems(needs, sizes, usages.result(), location)
        problems += rights_problems(clients, spec, observed)
    return problems


def needs_of(spec: ClusterSpec, cluster: ObservedCluster | None) -> list[Need]:
    """Return the machines that are in the spec and not yet there."""
    needs: list[Need] = []
    system = spec.cluster.system_pool
    if cluster is None:
        arch = system.arch if "arch" in system.model_fields_set or not system.vm_size else None
        size = vm_size_of(system.vm_size, system.arch)
        needs.append(Need("cluster.systemPool", size, arch, system.count, system=True))
    for index, pool in enumerate(spec.node_pools):
        live = cluster.pool(pool.name) if cluster else None
        more = _start_count(pool) - (live.count if live else 0)
        if live is None or (pool.max is None and more > 0):
            size = (live.vm_size if live and live.vm_size else None) or vm_size_of(pool.vm_size, pool.arch)
            needs.append(Need(f"nodePools.{index}", size, pool.arch, max(0, more), spot=pool.spot, zones=pool.zones))
    return needs


def _start_count(pool: NodePool) -> int:
    if pool.max is not None:
        return max(pool.min or 0, pool.count or 0)
    return 1 if pool.count is None else pool.count


def location_problems(location: str, known: Sequence[str]) -> list[Problem]:
    """Return the problem of a location that Azure does not have."""
    if location in known:
        return []
    near = difflib.get_close_matches(location, known, 3)
    hint = f"did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else "see `az account list-locations`"
    return [Problem("azure.location", f"`{location}` is not a location of the subscription", hint)]


def version_problems(wanted: str | None, offered: Iterable[Document], location: str) -> list[Problem]:
    """Return the problem of a Kubernetes version that AKS does not offer here, as `1.35` or `1.35.5`."""
    if wanted is None:
        return []
    names = {version["version"] for version in offered}
    patches = {patch for version in offered for patch in version.get("patchVersions") or ()}
    if wanted in names | patches:
        return []
    newest = ", ".join(sorted(names, key=_version_key, reverse=True))
    return [
        Problem(
            "cluster.kubernetesVersion",
            f"AKS does not offer Kubernetes {wanted} in {location}",
            f"offered: {newest}; leave it out for the service's default",
        )
    ]


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def name_problems(spec: ClusterSpec, location: str, cluster: ObservedCluster | None) -> list[Problem]:
    """Return the problem of names that together make too long a one for the node resource group."""
    node_group = f"MC_{spec.resource_group}_{spec.name}_{location}"
    if cluster is not None or len(node_group) <= _NODE_GROUP_LENGTH:
        return []
    return [
        Problem(
            "metadata.name",
            f"the node resource group `{node_group}` would have {len(node_group)} characters, AKS takes 80",
            "choose a shorter `metadata.name` or `azure.resourceGroup`",
        )
    ]


def _locations(clients: Clients) -> list[str]:
    with translated("list the locations"):
        found = clients.read_all(f"/subscriptions/{clients.subscription}/locations", SUBSCRIPTIONS_VERSION)
    return [str(item["name"]).lower() for item in found]


def _skus(clients: Clients, location: str) -> list[Document]:
    path = f"/subscriptions/{clients.subscription}/providers/Microsoft.Compute/skus"
    with translated("read the machine sizes"):
        return clients.read_all(path, SKUS_VERSION, **{"$filter": f"location eq '{location}'"})


def _usages(clients: Clients, location: str) -> list[Document]:
    """Read the quota; a right that is missing here is no reason to stop, AKS checks again."""
    path = f"/subscriptions/{clients.subscription}/providers/Microsoft.Compute/locations/{location}/usages"
    try:
        return clients.read_all(path, USAGES_VERSION)
    except HttpResponseError as error:
        if fault_in(error).status == 403:
            return []
        raise from_arm(error, "read the quota") from error
    except AzureError as error:
        raise from_arm(error, "read the quota") from error


def _versions(
    clients: Clients, spec: ClusterSpec, location: str, cluster: ObservedCluster | None
) -> Sequence[Document]:
    if spec.cluster.kubernetes_version is None or cluster is not None:
        return [{"version": spec.cluster.kubernetes_version}]
    provider = "Microsoft.ContainerService"
    path = f"/subscriptions/{clients.subscription}/providers/{provider}/locations/{location}/kubernetesVersions"
    with translated("read the Kubernetes versions"):
        values: list[Document] = clients.read(path, AKS_VERSION)["values"]
    return values
