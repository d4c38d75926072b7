"""What of an existing cluster the file says differently and `up` leaves as it is; pure."""

from __future__ import annotations

from aks_wasm.providers.base import ObservedCluster
from aks_wasm.spec.models import SYSTEM_POOL, ClusterSpec


def left_as_it_is(spec: ClusterSpec, cluster: ObservedCluster | None) -> list[str]:
    """Return a sentence for each field that is set, differs from the cluster and is not changed by `up`."""
    if cluster is None:
        return []
    options, live = spec.cluster, cluster.pool(SYSTEM_POOL)
    pairs: list[tuple[str, object, object]] = []
    if spec.target != "local" and "location" in spec.azure.model_fields_set:
        pairs.append(("azure.location", spec.azure.location.replace(" ", "").lower(), cluster.location.lower()))
    wanted = options.kubernetes_version if spec.target != "local" else None
    if wanted and not f"{cluster.kubernetes_version}.".startswith(f"{wanted}."):
        pairs.append(("cluster.kubernetesVersion", wanted, cluster.kubernetes_version))
    if live is not None and "system_pool" in options.model_fields_set:
        system = options.system_pool
        if system.vm_size:
            pairs.append(("cluster.systemPool.vmSize", system.vm_size.lower(), (live.vm_size or "").lower()))
        if "count" in system.model_fields_set:
            pairs.append(("cluster.systemPool.count", system.count, live.count))
    return [
        f"`{field}` is `{asked}` in the file and `{there}` on the cluster; `up` leaves it so"
        for field, asked, there in pairs
        if asked != there
    ]
