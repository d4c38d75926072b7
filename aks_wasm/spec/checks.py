"""What is wrong with a spec although every field is well formed; needs nothing but the file and its folder."""

from __future__ import annotations

from collections import Counter

from aks_wasm.errors import Problem
from aks_wasm.spec.models import SYSTEM_POOL, ClusterSpec, CustomShim, NodePool, Workload


def find_problems(spec: ClusterSpec) -> list[Problem]:
    """Return every contradiction in the spec, each naming field, value and way out."""
    problems = [
        *_duplicates("nodePools", [pool.name for pool in spec.node_pools]),
        *_duplicates("workloads", [workload.name for workload in spec.workloads]),
        *_duplicates("shims", [_shim_name(shim) for shim in spec.shims]),
    ]
    if not spec.node_pools:
        problems.append(Problem("nodePools", "at least one node pool is needed"))
    for index, pool in enumerate(spec.node_pools):
        problems += _pool_problems(f"nodePools.{index}", pool)
    problems += _installer_problems(spec)
    listed = {_shim_name(shim) for shim in spec.shims}
    for index, workload in enumerate(spec.workloads):
        problems += _workload_problems(f"workloads.{index}", workload, listed)
    return problems


def _installer_problems(spec: ClusterSpec) -> list[Problem]:
    installer = spec.installer
    if installer.kind == "daemonset":
        return []
    idle = [
        ("image", installer.image is not None),
        ("maxUnavailable", "max_unavailable" in installer.model_fields_set),
        ("localImagePull", installer.local_image_pull is not None),
    ]
    return [
        Problem(f"installer.{name}", f"`{installer.kind}` knows no such thing", "leave it out, or use kind daemonset")
        for name, given in idle
        if given
    ]


def _shim_name(shim: str | CustomShim) -> str:
    return shim.name if isinstance(shim, CustomShim) else shim.partition("@")[0]


def _duplicates(field: str, names: list[str]) -> list[Problem]:
    return [
        Problem(field, f"`{name}` is there {count} times", "names must differ")
        for name, count in Counter(names).items()
        if count > 1
    ]


def _pool_problems(field: str, pool: NodePool) -> list[Problem]:
    problems = []
    if pool.os_type == "Windows":
        problems.append(Problem(f"{field}.osType", "`Windows` nodes can't run Wasm shims", "use Linux"))
    if pool.mode == "System":
        problems.append(
            Problem(
                f"{field}.mode",
                "a `System` pool can't run Wasm",
                "use mode User; the system pool is separate",
            )
        )
    if pool.name == SYSTEM_POOL:
        problems.append(
            Problem(f"{field}.name", f"`{SYSTEM_POOL}` is the pool that AKS keeps its own pods on", "choose another")
        )
    autoscaled = pool.min is not None or pool.max is not None
    if autoscaled and (pool.min is None or pool.max is None):
        missing = "min" if pool.min is None else "max"
        problems.append(Problem(f"{field}.{missing}", "the autoscaler needs both `min` and `max`"))
    elif pool.min is not None and pool.max is not None:
        problems += _bounds_problems(field, pool, pool.min, pool.max)
    elif pool.count == 0:
        problems.append(
            Problem(f"{field}.count", "`0` nodes and no autoscaler would run nothing", "set `min: 0` and `max`")
        )
    return problems


def _bounds_problems(field: str, pool: NodePool, low: int, high: int) -> list[Problem]:
    if low > high:
        return [Problem(f"{field}.min", f"`{low}` is above max `{high}`")]
    if pool.count is not None and not low <= pool.count <= high:
        return [Problem(f"{field}.count", f"`{pool.count}` is not between min `{low}` and max `{high}`")]
    return []


def _workload_problems(field: str, workload: Workload, listed: set[str]) -> list[Problem]:
    problems = []
    given = [name for name in ("source", "module", "image") if getattr(workload, name) is not None]
    if len(given) != 1:
        found = f"found {' and '.join(given)}" if given else "found none"
        problems.append(Problem(field, f"exactly one of source, module and image is needed, {found}"))
    if workload.shim == "none":
        if "image" not in given:
            problems.append(Problem(f"{field}.shim", "`none` runs an ordinary container", "give an `image`"))
    elif workload.shim not in listed:
        choices = ", ".join(f"`{name}`" for name in sorted(listed)) or "none"
        problems.append(
            Problem(
                f"{field}.shim",
                f"`{workload.shim}` is not among the cluster's shims ({choices})",
                "take one of these, or add it to `shims`" if listed else "add it to `shims`",
            )
        )
    if workload.source is not None and workload.shim in listed - {"spin"}:
        problems.append(Problem(f"{field}.source", f"a Spin application can't run on the shim `{workload.shim}`"))
    return problems
