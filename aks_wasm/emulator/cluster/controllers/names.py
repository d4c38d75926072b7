"""Names that controllers make up: random suffixes and hashes of templates, in Kubernetes' own alphabet."""

from __future__ import annotations

import json
import random
from typing import Any

# k8s.io/apimachinery/pkg/util/rand: no vowels and nothing that looks like one, so no words come out.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_LONGEST_BASE = 63 - _SUFFIX_LENGTH  # k8s.io/apiserver/pkg/storage/names
_random = random.SystemRandom()


def suffixed(base: str) -> str:
    """Return `base` with a random suffix, as generateName makes it."""
    return base[:_LONGEST_BASE] + "".join(_random.choice(_ALPHABET) for _ in range(_SUFFIX_LENGTH))


def template_hash(template: Any, collisions: int | None = None) -> str:
    """Return the pod-template-hash of a template: FNV-1a of its canonical JSON, safely encoded.

    Real hashes are over Go's dump of the struct; only their form is the same.
    """
    text = json.dumps(template, sort_keys=True, separators=(",", ":")) + (str(collisions) if collisions else "")
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(_ALPHABET[int(digit) % len(_ALPHABET)] for digit in str(value))
