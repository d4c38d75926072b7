"""What the node script works from, as ConfigMaps: the script, the list of shims, its settings, images for probes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import cast, get_args

from aks_wasm.shims.catalogue import Platform, Shim
from aks_wasm.shims.installer.objects import INSTALLER, Manifest, named
from aks_wasm.shims.installer.probes import ProbeImage
from aks_wasm.shims.labels import SYSTEM_NAMESPACE
from aks_wasm.spec.models import Arch

CONTENT_ANNOTATION = "aks-wasm.dev/content"
"""On the installer's pods and ConfigMaps: changes with what they carry."""

SCRIPT, LIST, SETTINGS = "node-script.sh", "shims.tsv", "settings"
"""Keys of the ConfigMap, and names of the files in the folder that the script is given."""

PROBES = f"{INSTALLER}-probe"
"""The ConfigMap of the images that probes run."""

_COLUMNS = 8


def shim_list(shims: Iterable[Shim]) -> str:
    """Return what the script reads: one platform a line, fields separated by tabs."""
    lines = [
        "\t".join((s.name, s.version, s.handler, s.binary, p.os, p.arch, p.location, p.sha256 or ""))
        for s in shims
        for p in s.platforms
    ]
    return "".join(f"{line}\n" for line in lines)


def shims_of(config_map: Mapping[str, object]) -> tuple[Shim, ...]:
    """Return the shims that a live ConfigMap of the installer lists, as far as an installer needs to know them.

    Lines that somebody broke are left out.
    """
    data = cast("Mapping[str, str]", config_map.get("data") or {})
    found: dict[str, Shim] = {}
    for line in data.get(LIST, "").splitlines():
        fields = line.split("\t")
        if len(fields) != _COLUMNS or fields[4] != "linux" or fields[5] not in get_args(Arch):
            continue
        name, version, handler, binary, _os, arch, location, sha256 = fields
        before = found[handler].platforms if handler in found else ()
        found[handler] = Shim(
            name=name,
            version=version,
            handler=handler,
            runtime_type=f"/opt/aks-wasm/{name}/{version}/{binary}",
            binary=binary,
            platforms=(*before, Platform(cast("Arch", arch), location, sha256)),
            runs=None,
            probe="completes",
            pinned=True,
        )
    return tuple(found.values())


def settings(*, local_image_pull: bool, turns: int) -> str:
    """Return the script's settings, `key=value` a line.

    Args:
        local_image_pull: Whether containerd is to pull without its transfer service, which does not unpack images
            labelled wasi/wasm (facts wasm.md, finding 4).
        turns: How many nodes may restart containerd at the same time.
    """
    pull = "true" if local_image_pull else "false"
    return f"local_image_pull={pull}\nturns={turns}\nnamespace={SYSTEM_NAMESPACE}\n"


def script_map(owner: str, data: Mapping[str, str]) -> Manifest:
    """Return the ConfigMap of script, list and settings."""
    return named("v1", "ConfigMap", INSTALLER, owner, data=dict(data))


def probe_map(owner: str, images: Mapping[str, ProbeImage]) -> Manifest:
    """Return the ConfigMap of the images that probes run: OCI archives that the script imports on its node."""
    binary = {f"{key}.tar": base64.b64encode(image.content).decode() for key, image in sorted(images.items())}
    return named("v1", "ConfigMap", PROBES, owner, binaryData=binary)


def fingerprint(data: Mapping[str, str], names: Iterable[str]) -> str:
    """Return sixteen hex digits that change with the script, the list, the settings and the images' names.

    Not with the images' bytes: another machine's zlib packs the same content to other bytes.
    """
    text = json.dumps([dict(data), sorted(names)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
