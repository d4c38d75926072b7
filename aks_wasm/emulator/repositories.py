"""What the emulator's registry holds: content by digest in a folder, tags in the emulator's state."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aks_wasm.emulator.certificates import write_private
from aks_wasm.emulator.state import Documents

NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"

_PREFIX = "registry:"
_MEMBERS = ("config", "layers", "manifests", "blobs")  # of image manifests, indexes and artifacts
_PIECE = 1024 * 1024  # bytes read at a time when a blob is hashed


class RegistryError(Exception):
    """An error of the distribution specification.

    Attributes:
        status: The HTTP status.
        code: The specification's word, for example `BLOB_UNKNOWN`.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Manifest:
    """A manifest as it was pushed."""

    digest: str
    media_type: str
    content: bytes


class Repositories:
    """All repositories; a blob that several hold is kept once and goes with the last of them."""

    def __init__(self, documents: Documents, folder: Path) -> None:
        self._documents = documents
        self._blobs = folder / "blobs"
        self._uploads = folder / "uploads"
        for path in (folder, self._blobs, self._uploads):
            path.mkdir(exist_ok=True, mode=0o700)
        for abandoned in self._uploads.iterdir():
            abandoned.unlink()

    def names(self) -> list[str]:
        """Return the names of all repositories that hold a manifest."""
        suffix = ":manifests"
        found = self._documents.collections(_PREFIX)
        return sorted(name[len(_PREFIX) : -len(suffix)] for name in found if name.endswith(suffix))

    def tags(self, name: str) -> list[str]:
        """Return the tags of a repository, sorted.

        Raises:
            RegistryError: There is no such repository.
        """
        if name not in self.names():
            raise RegistryError(404, "NAME_UNKNOWN", f"repository {name} is not known to this registry")
        return sorted(tag for tag, _ in self._documents.items(f"{_PREFIX}{name}:tags"))

    def blob(self, name: str, digest: str) -> Path:
        """Return the file of a blob that the repository holds.

        Raises:
            RegistryError: It holds none of that digest.
        """
        if self._documents.get(f"{_PREFIX}{name}:blobs", digest) is None:
            raise RegistryError(404, "BLOB_UNKNOWN", f"blob {digest} is unknown to repository {name}")
        return self._file(digest)

    def mount(self, name: str, digest: str, source: str) -> bool:
        """Let a repository hold a blob of another one; return whether that one had it."""
        if self._documents.get(f"{_PREFIX}{source}:blobs", digest) is None:
            return False
        self._documents.put(f"{_PREFIX}{name}:blobs", digest, {})
        return True

    def delete_blob(self, name: str, digest: str) -> None:
        """Take a blob away from a repository."""
        self.blob(name, digest)
        self._documents.delete(f"{_PREFIX}{name}:blobs", digest)
        self._drop_unheld(digest)

    def begin_upload(self) -> str:
        """Return the id of a new upload; what it gathers is in `upload_file` of the id."""
        upload = uuid.uuid4().hex
        (self._uploads / upload).touch(mode=0o600)
        return upload

    def upload_file(self, upload: str) -> Path:
        """Return the file of an upload.

        Raises:
            RegistryError: There is no such upload.
        """
        path = self._uploads / upload
        if not (upload.isalnum() and path.is_file()):
            raise RegistryError(404, "BLOB_UPLOAD_UNKNOWN", f"upload {upload} is unknown to this registry")
        return path

    def check_upload(self, upload: str, digest: str) -> None:
        """Hash what an upload has gathered (may run in a thread of its own); a wrong one is gone afterwards.

        Raises:
            RegistryError: The content is not that of the digest.
        """
        path = self.upload_file(upload)
        found = _digest_of_file(path)
        if found != digest:
            path.unlink()
            raise RegistryError(400, "DIGEST_INVALID", f"the content's digest is {found}, not {digest}")

    def finish_upload(self, name: str, upload: str, digest: str) -> None:
        """Make a blob of a checked upload."""
        self.upload_file(upload).replace(self._file(digest))
        self._documents.put(f"{_PREFIX}{name}:blobs", digest, {})

    def manifest(self, name: str, reference: str) -> Manifest:
        """Return the manifest of a tag or digest.

        Raises:
            RegistryError: There is none.
        """
        tag = self._documents.get(f"{_PREFIX}{name}:tags", reference)
        digest = tag["digest"] if tag else reference
        record = self._documents.get(f"{_PREFIX}{name}:manifests", digest)
        if record is None:
            raise RegistryError(404, "MANIFEST_UNKNOWN", f"manifest {reference} is unknown to repository {name}")
        return Manifest(digest, record["mediaType"], self._file(digest).read_bytes())

    def put_manifest(self, name: str, reference: str, media_type: str, content: bytes) -> str:
        """Keep a manifest under a tag or its digest; return the digest.

        Raises:
            RegistryError: It is no JSON object, names blobs that are not here, or its digest differs.
        """
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if DIGEST.fullmatch(reference) and reference != digest:
            raise RegistryError(400, "DIGEST_INVALID", f"the manifest's digest is {digest}, not {reference}")
        document = _manifest_document(content)
        self._check_members(name, document)
        write_private(self._file(digest), content)
        media_type = media_type or document.get("mediaType") or OCI_MANIFEST
        self._documents.put(f"{_PREFIX}{name}:manifests", digest, {"mediaType": media_type})
        if not DIGEST.fullmatch(reference):
            self._documents.put(f"{_PREFIX}{name}:tags", reference, {"digest": digest})
        return digest

    def delete_manifest(self, name: str, reference: str) -> None:
        """Take away a tag, or a manifest with all its tags."""
        digest = self.manifest(name, reference).digest
        if reference != digest:
            self._documents.delete(f"{_PREFIX}{name}:tags", reference)
            return
        for tag, record in self._documents.items(f"{_PREFIX}{name}:tags"):
            if record["digest"] == digest:
                self._documents.delete(f"{_PREFIX}{name}:tags", tag)
        self._documents.delete(f"{_PREFIX}{name}:manifests", digest)
        self._drop_unheld(digest)

    def _check_members(self, name: str, document: dict[str, Any]) -> None:
        for member in _members(document):
            digest = member.get("digest", "")
            kinds = (f"{_PREFIX}{name}:blobs", f"{_PREFIX}{name}:manifests")
            held = any(self._documents.get(kind, digest) is not None for kind in kinds)
            if not held and "urls" not in member:  # foreign layers are fetched from elsewhere
                message = f"the manifest names {digest}, which is unknown to repository {name}"
                raise RegistryError(404, "MANIFEST_BLOB_UNKNOWN", message)

    def _drop_unheld(self, digest: str) -> None:
        holders = self._documents.collections(_PREFIX)
        if not any(self._documents.get(holder, digest) is not None for holder in holders):
            self._file(digest).unlink(missing_ok=True)

    def _file(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise RegistryError(400, "DIGEST_INVALID", f"`{digest}` is not a sha256 digest")
        return self._blobs / digest.removeprefix("sha256:")


def _manifest_document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise RegistryError(400, "MANIFEST_INVALID", f"the manifest is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise RegistryError(400, "MANIFEST_INVALID", "the manifest is not a JSON object")
    return document


def _members(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for field in _MEMBERS:
        value = document.get(field)
        candidates = value if isinstance(value, list) else [value]
        yield from (member for member in candidates if isinstance(member, dict))


def _digest_of_file(path: Path) -> str:
    running = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            running.update(piece)
    return f"sha256:{running.hexdigest()}"
