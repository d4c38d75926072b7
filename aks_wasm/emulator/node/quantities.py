"""Kubernetes quantities as numbers."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

_SUFFIXES = {
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
}


def parse_quantity(text: object) -> Decimal | None:
    """Return the number, for example 0.1 for `100m` and 67108864 for `64Mi`; None when it is none."""
    written = str(text).strip()
    for suffix, factor in _SUFFIXES.items():
        if written.endswith(suffix):
            written, scale = written[: -len(suffix)], factor
            break
    else:
        scale = Decimal(1)
    try:
        return Decimal(written) * scale
    except InvalidOperation:
        return None
