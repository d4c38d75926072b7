"""What a pod asks of a node, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from aks_wasm.emulator.cluster.quantities import amount
from aks_wasm.emulator.cluster.trees import Tree

_CPU = "cpu"

Amounts = Counter[str]  # resource -> amount; cpu in thousandths, everything else in whole units


@lru_cache(maxsize=512)
def _exact(text: str) -> Decimal:
    return amount(text)


def amounts(resources: Tree | None) -> Amounts:
    """Return a resource list in numbers, rounded up: cpu in thousandths, everything else in whole units.

    Raises:
        ValueError: One of them is no quantity.
    """
    found: Amounts = Counter()
    for name, value in (resources or {}).items():
        exact = _exact(str(value)) * (1000 if name == _CPU else 1)
        found[name] = int(exact.to_integral_value(rounding="ROUND_CEILING"))
    return found


def requests_of(pod: Tree) -> Amounts:
    """Return what a pod asks of its node: its containers together, or its largest init container if that is more."""
    spec = pod["spec"]
    running = _sum(_requests(container) for container in spec.get("containers") or [])
    most: Amounts = Counter()
    for container in spec.get("initContainers") or []:
        if container.get("restartPolicy") == "Always":  # a sidecar stays beside the others
            running += _requests(container)
            most |= running
        else:
            most |= _requests(container)
    return (running | most) + amounts(spec.get("overhead"))


def _requests(container: Tree) -> Amounts:
    resources = container.get("resources") or {}
    # What has a limit and no request asks for the limit; the API server's defaults say so too.
    return amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _sum(parts: Iterable[Amounts]) -> Amounts:
    whole: Amounts = Counter()
    for part in parts:
        whole += part
    return whole
