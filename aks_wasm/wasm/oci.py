"""Packages modules and Spin applications as OCI image archives, the same bytes for the same content.

Answers demands 31 and 37 of shared/facts/demands.md.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aks_wasm.errors import AksWasmError
from aks_wasm.wasm.archive import ImageArchive
from aks_wasm.wasm.inspect import inspect
from aks_wasm.wasm.spin_files import app_files
from aks_wasm.wasm.spin_manifest import load

# Labelled linux/*, not wasi/wasm: containerd >= 2.1 pulls through its transfer service, which does not unpack
# wasi/wasm images (facts wasm.md finding 4). The layers are the same for both.
ARCHITECTURES = ("amd64", "arm64")
MODULE_PATH = "/app.wasm"
_TAG_DIGITS = 12
_MEDIA = "application/vnd.oci.image."
_EPOCH = "1970-01-01T00:00:00Z"
_NAME_ANNOTATIONS = ("org.opencontainers.image.ref.name", "io.containerd.image.name")


@dataclass(frozen=True)
class ImageContent:
    """What an image is made of.

    Attributes:
        files: Path inside the image without a leading slash -> bytes.
        entrypoint: What the image runs: `/app.wasm`, or `/` for a Spin application.
    """

    files: Mapping[str, bytes]
    entrypoint: tuple[str, ...]

    @property
    def tag(self) -> str:
        """Twelve hex digits that change with the content."""
        digest = hashlib.sha256(json.dumps(self.entrypoint).encode())
        for path in sorted(self.files):
            digest.update(f"\0{path}\0{len(self.files[path])}\0".encode())
            digest.update(self.files[path])
        return digest.hexdigest()[:_TAG_DIGITS]

    def name(self, repository: str) -> str:
        """Return the full reference in that repository."""
        return f"{repository}:{self.tag}"


def repository_name(prefix: str, cluster: str, workload: str) -> str:
    """Return the repository of a workload's images, for example `registry.azurecr.io/hello-web`."""
    return f"{prefix.rstrip('/')}/{cluster}-{workload}"


def module_content(path: Path) -> ImageContent:
    """Return the content of an image that runs one module or component.

    Raises:
        UsageError: The file is missing or not WebAssembly.
    """
    inspect(path)
    return ImageContent({MODULE_PATH[1:]: path.read_bytes()}, (MODULE_PATH,))


def spin_content(path: Path) -> ImageContent:
    """Return the content of an image that holds a Spin application: `/spin.toml` and what it names.

    Args:
        path: The manifest; what it names is found relative to it.

    Raises:
        UsageError: The manifest or something it names is missing or wrong.
    """
    return ImageContent(app_files(load(path)), ("/",))


def content_of(path: Path) -> ImageContent:
    """Return the content for a Spin manifest (`.toml`) or a module (anything else)."""
    return spin_content(path) if path.suffix == ".toml" else module_content(path)


def package(content: ImageContent, *, repository: str, folder: Path) -> ImageArchive:
    """Write the image as an OCI layout tar for linux/amd64 and linux/arm64.

    Args:
        content: What goes in.
        repository: The name without a tag; the tag is made from the content.
        folder: Where the tar goes; an archive of the same content that is there already is kept.

    Raises:
        AksWasmError: The folder cannot be written, or the disk is full.
    """
    name = content.name(repository)
    target = folder / f"{repository.rpartition('/')[2]}-{content.tag}.tar"
    digest = _digest_of(target, name)
    if digest is not None:
        return ImageArchive(name=name, path=target, digest=digest)
    blobs = _Blobs()
    index = _image_index(content, blobs)
    descriptor = blobs.add(_MEDIA + "index.v1+json", index) | {"annotations": dict.fromkeys(_NAME_ANNOTATIONS, name)}
    try:
        _write_layout(target, blobs, descriptor)
    except OSError as error:
        raise AksWasmError(
            f"the image `{name}` cannot be written to `{folder}`: {error.strerror or error}",
            code="ImageNotWritten",
            hint="free some space, or name another folder with `AKS_WASM_HOME`",
        ) from error
    return ImageArchive(name=name, path=target, digest=descriptor["digest"])


def _digest_of(target: Path, name: str) -> str | None:
    """Return the digest of an archive that is there already under that name, so that nothing is compressed twice."""
    try:
        with tarfile.open(target) as tar:
            index = tar.extractfile("index.json")
            manifests = json.load(index)["manifests"] if index else []
        (descriptor,) = manifests
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError):
        return None
    known = descriptor.get("annotations", {}).get(_NAME_ANNOTATIONS[0]) == name
    return str(descriptor["digest"]) if known else None


class _Blobs:
    """Content by digest."""

    def __init__(self) -> None:
        self.by_digest: dict[str, bytes] = {}

    def add(self, media_type: str, content: bytes | dict[str, Any]) -> dict[str, Any]:
        """Keep a blob; return its descriptor."""
        data = content if isinstance(content, bytes) else _json(content)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.by_digest[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _image_index(content: ImageContent, blobs: _Blobs) -> dict[str, Any]:
    layer = _layer(content.files)
    diff_id = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    layer_descriptor = blobs.add(_MEDIA + "layer.v1.tar+gzip", gzip.compress(layer, mtime=0))
    manifests = []
    for architecture in ARCHITECTURES:
        config = {
            "created": _EPOCH,
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": list(content.entrypoint), "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{"created": _EPOCH, "created_by": "aks-wasm"}],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MEDIA + "manifest.v1+json",
            "config": blobs.add(_MEDIA + "config.v1+json", config),
            "layers": [layer_descriptor],
        }
        manifests.append(
            blobs.add(_MEDIA + "manifest.v1+json", manifest)
            | {"platform": {"architecture": architecture, "os": "linux"}}
        )
    return {"schemaVersion": 2, "mediaType": _MEDIA + "index.v1+json", "manifests": manifests}


def _layer(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    folders = {str(parent) for path in files for parent in Path(path).parents if str(parent) not in (".", "/")}
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folders | set(files)):
            member = tarfile.TarInfo(path)
            if path in files:
                member.size = len(files[path])
                # Executable, so that a node without the shim says "exec format error" and not "permission denied".
                member.mode = 0o755 if path.endswith(".wasm") else 0o644
                tar.addfile(member, io.BytesIO(files[path]))
            else:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(member)
    return buffer.getvalue()


def _write_layout(target: Path, blobs: _Blobs, descriptor: dict[str, Any]) -> None:
    layout = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"})}
    layout["index.json"] = _json({"schemaVersion": 2, "manifests": [descriptor]})
    for digest, data in blobs.by_digest.items():
        layout[f"blobs/sha256/{digest.removeprefix('sha256:')}"] = data
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
            for path in sorted(layout):
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(layout[path]), 0o644
                tar.addfile(member, io.BytesIO(layout[path]))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
