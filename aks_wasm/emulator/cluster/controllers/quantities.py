"""Resource quantities, and what a pod asks of a node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from aks_wasm.emulator.cluster.trees import Tree

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9),
    "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30),
    "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_CPU = "cpu"

Amounts = Counter[str]  # resource -> amount; cpu in thousandths, everything else in whole units


@lru_cache(maxsize=512)
def quantity(value: str | float) -> Decimal:
    """Read a resource.Quantity such as `250m`, `1.5Gi`, `1e3` or 2.

    Raises:
        ValueError: It is none.
    """
    text = str(value)
    number = text.rstrip("numkKMGTPEi")
    suffix = text[len(number) :]
    try:
        return Decimal(number) * _SUFFIXES[suffix]
    except (InvalidOperation, KeyError):
        pass
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"`{text}` is not a quantity") from None


def amounts(resources: Tree | None) -> Amounts:
    """Return a resource list in numbers, rounded up: cpu in thousandths, everything else in whole units."""
    found: Amounts = Counter()
    for name, value in (resources or {}).items():
        exact = quantity(value) * (1000 if name == _CPU else 1)
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
