"""resource.Quantity: `100m`, `64Mi`, `1.5` as exact numbers."""

from __future__ import annotations

import re
from decimal import Decimal

_SUFFIXES = {
    "": Decimal(1), "n": Decimal(10) ** -9, "u": Decimal(10) ** -6, "m": Decimal(10) ** -3,
    "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9, "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15, "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30, "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50, "Ei": Decimal(2) ** 60,
}  # fmt: skip
_FORM = re.compile(r"^(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<suffix>[numkKMGTPE]?i?)$")


def amount(text: str) -> Decimal:
    """Return what a quantity says.

    Raises:
        ValueError: It is none.
    """
    found = _FORM.match(text)
    if found is None or found["suffix"] not in _SUFFIXES:
        raise ValueError(f"`{text}` is no quantity")
    return Decimal(found["number"]) * _SUFFIXES[found["suffix"]]
