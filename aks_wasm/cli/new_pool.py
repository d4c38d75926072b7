"""From `nodepool add`'s options to a node pool of the spec, checked by the spec's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aks_wasm.spec.models import ClusterSpec, NodePool


def new_pool(spec: ClusterSpec, name: str, given: Mapping[str, Any]) -> NodePool:
    """Return the pool: what the file says of a pool of that name, overridden by what was given (None was not).

    Raises:
        SpecInvalid: A value is off; every problem is listed.
    """
    from pydantic import ValidationError

    from aks_wasm.errors import SpecInvalid
    from aks_wasm.spec.checks import find_problems
    from aks_wasm.spec.models import NodePool
    from aks_wasm.spec.wording import problem_of

    known = next((pool for pool in spec.node_pools if pool.name == name), None)
    fields = known.model_dump(exclude_unset=True) if known else {}
    fields |= {"name": name, **{field: value for field, value in given.items() if value is not None}}
    _settle_contradictions(fields, given)
    try:
        pool = NodePool.model_validate(fields)
    except ValidationError as error:
        raise SpecInvalid(f"nodepool add {name}", [problem_of(item) for item in error.errors()]) from error
    others = tuple(other for other in spec.node_pools if other.name != name)
    problems = find_problems(spec.model_copy(update={"node_pools": (*others, pool)}))
    if problems:
        raise SpecInvalid(f"nodepool add {name}", problems)
    return pool


def _settle_contradictions(fields: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Let an option drop the file's other way of saying the same: a size says the architecture, bounds the count."""
    for option, others in {
        "vm_size": ("arch",),
        "arch": ("vm_size",),
        "count": ("min", "max"),
        "max": ("count",),
    }.items():
        if given.get(option) is not None:
            for other in others:
                if given.get(other) is None:
                    fields.pop(other, None)
