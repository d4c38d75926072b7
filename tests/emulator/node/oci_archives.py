"""OCI image archives made for tests."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def layer_of(files: dict[str, bytes], *, compressed: bool = True) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0) if compressed else raw.getvalue()


@dataclass
class ImageArchive:
    """Blobs and names of an OCI layout."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def blob(self, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest

    def descriptor(self, content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        return {"mediaType": media_type, "digest": self.blob(content), "size": len(content), **more}

    def manifest(self, layers: list[bytes], config: dict[str, Any], platform: str, layer_type: str = LAYER) -> bytes:
        system, _, arch = platform.partition("/")
        document = {"os": system, "architecture": arch, "config": config, "rootfs": {"type": "layers", "diff_ids": []}}
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self.descriptor(json.dumps(document).encode(), "application/vnd.oci.image.config.v1+json"),
                "layers": [self.descriptor(layer, layer_type) for layer in layers],
            }
        ).encode()

    def add(
        self,
        name: str,
        files: dict[str, bytes],
        *,
        config: dict[str, Any] | None = None,
        platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64"),
    ) -> ImageArchive:
        layer = layer_of(files)
        manifests = []
        for platform in platforms:
            system, _, arch = platform.partition("/")
            manifest = self.manifest([layer], config or {}, platform)
            manifests.append(self.descriptor(manifest, MANIFEST, platform={"os": system, "architecture": arch}))
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
        return self.name(name, index, INDEX)

    def name(self, name: str, document: bytes, media_type: str) -> ImageArchive:
        annotations = {"io.containerd.image.name": name}
        self.entries.append(self.descriptor(document, media_type, annotations=annotations))
        return self

    def write(self, path: Path) -> Path:
        layout = {
            "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
            "index.json": json.dumps({"schemaVersion": 2, "manifests": self.entries}).encode(),
        }
        blobs = {f"blobs/sha256/{digest.removeprefix('sha256:')}": content for digest, content in self.blobs.items()}
        path.write_bytes(layer_of(layout | blobs, compressed=False))
        return path
