"""OCI image archives written without any engine: one gzip layer an image, so that content stays small in a node."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEDIA = "application/vnd.oci.image."
SEARCH_PATH = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """An image to write.

    Attributes:
        name: What the nodes' containerd will call it.
        content: Files and folders of this machine by their path in the image; everything becomes root's.
        entrypoint: The program, absolute.
        system: `wasi` is what wasm tools write.
        architecture: `wasm` likewise.
    """

    name: str
    content: Mapping[str, Path]
    entrypoint: str
    system: str = "linux"
    architecture: str = "amd64"


def write_archive(target: Path, images: Iterable[Image]) -> None:
    """Write the images as one OCI layout in a tar; containerd takes their names from an annotation."""
    manifests: list[dict[str, Any]] = []
    with tarfile.open(target, "w") as tar:
        blobs = _Blobs(tar)
        for image in images:
            manifests.append(_manifest(image, blobs))
        blobs.put("index.json", json.dumps({"schemaVersion": 2, "manifests": manifests}).encode())
        blobs.put("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')


class _Blobs:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._seen: set[str] = set()

    def put(self, path: str, data: bytes) -> None:
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(data), 0o644
        self._tar.addfile(entry, io.BytesIO(data))

    def add(self, media: str, data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._seen:
            self._seen.add(digest)
            self.put(f"blobs/sha256/{digest}", data)
        return {"mediaType": MEDIA + media, "digest": f"sha256:{digest}", "size": len(data)}


def _manifest(image: Image, blobs: _Blobs) -> dict[str, Any]:
    raw = _layer(image.content)
    config = {
        "os": image.system,
        "architecture": image.architecture,
        "config": {"Entrypoint": [image.entrypoint], "Env": [SEARCH_PATH]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(raw).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MEDIA + "manifest.v1+json",
        "config": blobs.add("config.v1+json", json.dumps(config).encode()),
        "layers": [blobs.add("layer.v1.tar+gzip", gzip.compress(raw, 1, mtime=0))],
    }
    return {
        **blobs.add("manifest.v1+json", json.dumps(manifest).encode()),
        "platform": {"os": image.system, "architecture": image.architecture},
        "annotations": {"io.containerd.image.name": image.name},
    }


def _layer(content: Mapping[str, Path]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, source in sorted(content.items()):
            tar.add(source, path, filter=_roots)
    return raw.getvalue()


def _roots(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
