"""Binaries from this machine on their way to nodes that fetch nothing: gzip'ed, in ConfigMaps of at most 900 KiB."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aks_wasm.errors import UsageError
from aks_wasm.shims.installer.objects import Manifest, labels
from aks_wasm.shims.labels import SYSTEM_NAMESPACE

PART_BYTES = 900 * 1024  # an object may have 1 MiB (etcd's limit is 1.5), base64 and the rest of it not counted here
MOST_BYTES = 64 * 1024 * 1024  # of one binary, gzip'ed: some seventy objects
COMPONENT_VALUE = "shim-part"
HASH_DIGITS = 12
_PART = re.compile(rf"^shim-(?P<key>[0-9a-f]{{{HASH_DIGITS}}})-\d+$")


@dataclass(frozen=True)
class Binary:
    """A shim's binary.

    Attributes:
        content: The file as it is to lie on the node.
        name: Whose it is, for messages.
    """

    content: bytes
    name: str = "the shim"

    @cached_property
    def key(self) -> str:
        """What `parts://` locations name: the first digits of the content's SHA-256."""
        return hashlib.sha256(self.content).hexdigest()[:HASH_DIGITS]

    @cached_property
    def parts(self) -> tuple[bytes, ...]:
        """The gzip'ed content, cut.

        Raises:
            UsageError: It is too large for the cluster's API.
        """
        packed = gzip.compress(self.content, mtime=0)
        if len(packed) > MOST_BYTES:
            size, most = len(packed) // 1024**2, MOST_BYTES // 1024**2
            raise UsageError(
                f"{self.name} has {size} MiB gzip'ed; more than {most} MiB do not go through the cluster's API",
                code="BinaryTooLarge",
                hint="strip it, or put it where the nodes can fetch it: https://, oci:// or file:// on the node",
            )
        return tuple(packed[start : start + PART_BYTES] for start in range(0, len(packed), PART_BYTES))


def parts_in(daemon_set: Mapping[str, Any]) -> dict[str, int]:
    """Return how many parts of each binary a live DaemonSet of the installer mounts, by the binary's key.

    Only names are looked at: the parts themselves are large, and stay where they are.
    """
    counts: Counter[str] = Counter()
    for volume in daemon_set["spec"]["template"]["spec"].get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            found = _PART.match((source.get("configMap") or {}).get("name") or "")
            if found is not None:
                counts[found["key"]] += 1
    return dict(counts)


def part_maps(owner: str, binary: Binary) -> list[Manifest]:
    """Return the ConfigMaps of a binary.

    Raises:
        UsageError: It is too large.
    """
    return [_part(owner, f"shim-{binary.key}-{n}", _file(n), part) for n, part in enumerate(binary.parts)]


def part_sources(key: str, count: int) -> list[dict[str, Any]]:
    """Return the sources of a projected volume that put the parts of a binary where the script looks."""
    return [
        {"configMap": {"name": f"shim-{key}-{n}", "items": [{"key": _file(n), "path": f"parts/{key}/{_file(n)}"}]}}
        for n in range(count)
    ]


def _file(number: int) -> str:
    return f"part-{number:03d}"


def _part(owner: str, name: str, file: str, content: bytes) -> Manifest:
    metadata = {"name": name, "namespace": SYSTEM_NAMESPACE, "labels": labels(owner, COMPONENT_VALUE)}
    data = {file: base64.b64encode(content).decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": data, "immutable": True}
