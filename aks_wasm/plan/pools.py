"""Decides about node pools: which route, what to ask for, and whether an existing one differs; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from aks_wasm.errors import Refused
from aks_wasm.providers.base import (
    ChosenRoute,
    NodePoolRequest,
    Observed,
    ObservedCluster,
    ObservedNodePool,
    ProviderInfo,
)
from aks_wasm.shims.labels import SHIMS, ready_label
from aks_wasm.spec.models import NodePool
from aks_wasm.steps.wanted import Wanted


@dataclass(frozen=True)
class PoolPlan:
    """What is to be done about one pool of the spec.

    Attributes:
        pool: As the spec has it.
        request: What to ask for in the end; None when the pool is as it should be.
        preview: The same on the preview route, asked for first; None when that is not asked.
        exists: Whether the pool is there.
        route: The route it has or will have; None while that is open.
    """

    pool: NodePool
    request: NodePoolRequest | None
    preview: NodePoolRequest | None
    exists: bool
    route: ChosenRoute | None


def plan_pools(wanted: Wanted, observed: Observed, info: ProviderInfo) -> list[PoolPlan]:
    """Return what is to be done about each pool of the spec, in its order.

    Raises:
        Refused: A pool is there, and differs in what no service changes on an existing pool.
    """
    return [_plan_pool(pool, wanted, observed, info) for pool in wanted.spec.node_pools]


def _plan_pool(pool: NodePool, wanted: Wanted, observed: Observed, info: ProviderInfo) -> PoolPlan:
    live = observed.cluster.pool(pool.name) if observed.cluster else None
    if live is not None:
        request = _request(pool, wanted, live.route, info)
        if (why := unchangeable(pool, live)) is not None:
            raise Refused(
                f"the node pool `{pool.name}` can't become what the file asks for: {why}",
                code="PropertyChangeNotAllowed",
                hint=f"name the pool differently, or delete it first: `aks-wasm nodepool delete {pool.name}`",
            )
        differs = live.state != "Succeeded" or _differs(live, request)
        return PoolPlan(pool, request if differs else None, None, exists=True, route=live.route)
    if pool.route == "wasi-preview":
        request = _request(pool, wanted, "wasi-preview", info)
        return PoolPlan(pool, request, None, exists=False, route="wasi-preview")
    request = _request(pool, wanted, "shim", info)
    refused = observed.cluster is not None and observed.cluster.has_refused_preview(wanted.spec)
    asks = pool.route == "auto" and info.has_preview_pools and not refused
    preview = _request(pool, wanted, "wasi-preview", info) if asks else None
    return PoolPlan(pool, request, preview, exists=False, route=None if asks else "shim")


def unchangeable(pool: NodePool, live: ObservedNodePool) -> str | None:
    """Return what of a live pool would have to change and can't, or None."""
    if pool.vm_size and live.vm_size and live.vm_size.lower() != pool.vm_size.lower():
        return f"its machines are `{live.vm_size}`, not `{pool.vm_size}`"
    if pool.arch and live.arch and live.arch != pool.arch:
        return f"its machines are {live.arch}, not {pool.arch}"
    if live.spot != pool.spot:
        return "its machines are spot machines" if live.spot else "its machines are no spot machines"
    if pool.zones and set(pool.zones) != set(live.zones):
        return f"it is in the zones {', '.join(live.zones) or 'none'}, not in {', '.join(pool.zones)}"
    if pool.route not in ("auto", live.route):
        return f"its route is {live.route}, not {pool.route}"
    return None


def marked_pools(
    cluster: ObservedCluster | None, plans: list[PoolPlan], handlers: Iterable[str]
) -> tuple[NodePoolRequest, ...]:
    """Return the pools that say something of these handlers or of the installer, as they are to be but for that."""
    keys = {SHIMS, *map(ready_label, handlers)}
    asked = {plan.request.name: plan.request for plan in plans if plan.request is not None}
    found = []
    for live in cluster.node_pools if cluster else ():
        if not keys.isdisjoint(live.labels):
            request = asked.get(live.name) or as_request(live, live.count, live.min, live.max)
            found.append(replace(request, labels={**live.labels, **request.labels}))
    return tuple(found)


def as_request(live: ObservedNodePool, count: int, minimum: int | None, maximum: int | None) -> NodePoolRequest:
    """Return the request that leaves a live pool as it is, but for its size."""
    return NodePoolRequest(
        name=live.name,
        arch=live.arch,
        vm_size=live.vm_size,
        route=live.route,
        count=count,
        min=minimum,
        max=maximum,
        spot=live.spot,
        zones=live.zones,
        labels=live.labels,
        taints=live.taints,
        mode=live.mode,
    )


def _request(pool: NodePool, wanted: Wanted, route: ChosenRoute, info: ProviderInfo) -> NodePoolRequest:
    count = pool.count if pool.count is not None else (pool.min if pool.min is not None else 1)
    return NodePoolRequest(
        name=pool.name,
        arch=pool.arch if pool.arch or pool.vm_size else info.supports_arch[0],
        vm_size=pool.vm_size,
        route=route,
        count=count,
        min=pool.min,
        max=pool.max,
        spot=pool.spot,
        zones=pool.zones,
        labels={**pool.labels, **wanted.labels(route, pool)},
        taints=pool.taints,
    )


def _differs(live: ObservedNodePool, request: NodePoolRequest) -> bool:
    """Compare what can be changed."""
    scaled = (live.min, live.max) != (request.min, request.max)
    if request.min is None:
        scaled = scaled or live.count != request.count
    return (
        scaled
        or any(live.labels.get(key) != value for key, value in request.labels.items())
        or not set(request.taints) <= set(live.taints)
    )
