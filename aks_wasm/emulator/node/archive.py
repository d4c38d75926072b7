"""Image archives into content: OCI layout tars and what `docker save` writes."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from aks_wasm.emulator.node.content import MANIFEST_TYPES, Content
from aks_wasm.errors import AksWasmError

_NAME_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_CHUNK = 1 << 20
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"


def read_archive(archive: Path, content: Content) -> dict[str, str]:
    """Take in all blobs of an archive; return the digest of the index or manifest behind each name.

    Raises:
        AksWasmError: It is not an image archive, carries no name, or a blob is not what its digest says.
    """
    try:
        with tarfile.open(archive) as tar:
            names = {_plain(member.name): member for member in tar if member.isfile()}
            if "index.json" in names and (found := _oci_layout(tar, names, content)):
                return found
            if "manifest.json" in names:
                return _docker_save(tar, names, content)
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError) as error:
        raise _invalid(archive, str(error)) from error
    raise _invalid(archive, "neither `index.json` with named images nor `manifest.json` is in it")


def _invalid(archive: Path, why: str) -> AksWasmError:
    return AksWasmError(
        f"`{archive}` is not an image archive",
        code="InvalidImageArchive",
        details=why,
        hint="give an OCI layout tar whose index names its images, or what `docker save` writes",
    )


def _plain(name: str) -> str:
    return name.removeprefix("./")


def _oci_layout(tar: tarfile.TarFile, names: dict[str, tarfile.TarInfo], content: Content) -> dict[str, str]:
    found = {}
    for entry in json.loads(_read(tar, names["index.json"]))["manifests"]:
        annotations = entry.get("annotations") or {}
        name = next((annotations[key] for key in _NAME_ANNOTATIONS if annotations.get(key)), None)
        if name:
            found[str(name)] = str(entry["digest"])
    if found:
        for path, member in names.items():
            if path.startswith("blobs/sha256/"):
                content.add(_chunks(tar, member), f"sha256:{path.rpartition('/')[2]}")
    missing = [digest for digest in found.values() if not content.has(digest)]
    if missing:
        raise ValueError(f"{missing[0]} is named in the index but not in the archive")
    return found


def _docker_save(tar: tarfile.TarFile, names: dict[str, tarfile.TarInfo], content: Content) -> dict[str, str]:
    found: dict[str, str] = {}
    for image in json.loads(_read(tar, names["manifest.json"])):
        config = content.add(_chunks(tar, names[image["Config"]]))
        layers = [content.add(_chunks(tar, names[layer])) for layer in image["Layers"]]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPES[0],
            "config": _descriptor(content, config, _CONFIG),
            "layers": [_descriptor(content, layer, _LAYER) for layer in layers],
        }
        digest = content.add([json.dumps(manifest).encode()])
        found |= dict.fromkeys(image.get("RepoTags") or (), digest)
    if not found:
        raise ValueError("no image in it has a tag")
    return found


def _descriptor(content: Content, digest: str, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": content.path(digest).stat().st_size}


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    return b"".join(_chunks(tar, member))


def _chunks(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    file: IO[bytes] | None = tar.extractfile(member)
    while file is not None and (chunk := file.read(_CHUNK)):
        yield chunk
