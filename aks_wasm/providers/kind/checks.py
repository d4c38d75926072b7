"""What would make `up` fail later, found before anything is written."""

from __future__ import annotations

from aks_wasm.errors import AksWasmError, Problem
from aks_wasm.providers.base import NodePoolRequest, ObservedCluster
from aks_wasm.providers.kind import image, preflight, shims
from aks_wasm.providers.kind.engine import Engine
from aks_wasm.providers.kind.machines import refusal
from aks_wasm.shims.catalogue import Shim
from aks_wasm.spec.models import Arch, ClusterSpec, NodePool

_AGAIN = "`aks-wasm down`, then `aks-wasm up`, makes the cluster anew"


def problems(
    spec: ClusterSpec, engine: Engine, wanted: tuple[Shim, ...], cluster: ObservedCluster | None
) -> list[Problem]:
    """Find all problems of a spec on this engine.

    Args:
        spec: What is wanted.
        engine: What it is to run on.
        wanted: The shims of the spec.
        cluster: What is there; None when there is nothing, or only what was cut short.
    """
    found = [*_machines(spec, engine.arch), *shims.problems(wanted, engine.arch)]
    if cluster is None:
        return [*found, *image.problems(spec, engine.cgroup), *_limits(spec, engine)]
    if not cluster.node_pools:
        return found  # it stands still and says nothing of its pools; putting them will
    for number, pool in enumerate(spec.node_pools):
        live = cluster.pool(pool.name)
        request = NodePoolRequest(pool.name, None, None, "shim", count_of(pool))
        why = refusal(request, live.count if live else None, engine)
        if why is not None:
            found.append(Problem(f"nodePools.{number}", why, _AGAIN))
    return found


def count_of(pool: NodePool) -> int:
    """Return how many nodes a pool of the spec has here, where nothing scales by itself."""
    count = pool.count if pool.count is not None else (pool.min if pool.min is not None else 1)
    return max(count, pool.min or 0)


def arch_of_size(size: str) -> Arch:
    """Return the architecture of an Azure size: the Arm ones have a `p` after the number of cores (`D2pds_v5`)."""
    family = size.lower().removeprefix("standard_").partition("_")[0]
    features = family.lstrip("abcdefghijklmnopqrstuvwxyz").lstrip("0123456789-")
    return "arm64" if "p" in features else "amd64"


def _machines(spec: ClusterSpec, arch: Arch) -> list[Problem]:
    """Find pools whose Azure size says another architecture; an `arch` that is given is checked for every provider."""
    return [
        Problem(
            f"nodePools.{number}.vmSize",
            f"`{pool.vm_size}` is {arch_of_size(pool.vm_size)}, and containers run on this machine's own {arch} only",
            f"try `--set nodePools.{number}.vmSize=null --set nodePools.{number}.arch={arch}`",
        )
        for number, pool in enumerate(spec.node_pools)
        if pool.vm_size and not pool.arch and arch_of_size(pool.vm_size) != arch
    ]


def _limits(spec: ClusterSpec, engine: Engine) -> list[Problem]:
    nodes = 1 + sum(count_of(pool) for pool in spec.node_pools)
    try:
        there = engine.find_image(image.choose(spec, engine.cgroup)) is not None
    except AksWasmError:
        there = False  # no image is pinned, which another problem says
    return preflight.problems(engine, nodes, image_is_there=there)
