"""Blobs by digest in a folder, and what is read out of them: indexes, manifests, configurations."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_WASM_PLATFORMS = (("wasi", "wasm"), ("wasip1", "wasm"), ("wasip2", "wasm"))


class DigestMismatch(ValueError):
    """What came is not what the digest promises."""


class IncomingBlob:
    """A blob on its way in."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._seen = hashlib.sha256()

    @property
    def digest(self) -> str:
        """The digest of what has come so far."""
        return f"sha256:{self._seen.hexdigest()}"

    def write(self, chunk: bytes) -> None:
        """Take the next piece."""
        self._seen.update(chunk)
        self._file.write(chunk)


class Content:
    """Blobs named by their SHA-256."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Return where the blob lies, or would lie.

        Raises:
            ValueError: It is not a SHA-256 digest.
        """
        algorithm, _, value = digest.partition(":")
        if algorithm != "sha256" or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
            raise ValueError(f"`{digest}` is not a sha256 digest")
        return self.folder / value

    def has(self, digest: str) -> bool:
        """Tell whether the blob is here."""
        return self.path(digest).exists()

    def add(self, chunks: Iterable[bytes], digest: str | None = None) -> str:
        """Take in a blob; return its digest.

        Raises:
            DigestMismatch: `digest` was given and is another one.
        """
        with self.receive(digest) as blob:
            for chunk in chunks:
                blob.write(chunk)
        return blob.digest

    @contextlib.contextmanager
    def receive(self, digest: str | None = None) -> Iterator[IncomingBlob]:
        """Take in a blob piece by piece; it is kept when the block ends well.

        Raises:
            DigestMismatch: `digest` was given and is another one.
        """
        handle, temporary = tempfile.mkstemp(dir=self.folder)
        path = Path(temporary)
        try:
            with os.fdopen(handle, "wb") as file:
                blob = IncomingBlob(file)
                yield blob
            if digest is not None and digest != blob.digest:
                raise DigestMismatch(f"{digest} promised, {blob.digest} came")
            path.replace(self.path(blob.digest))
        finally:
            path.unlink(missing_ok=True)

    def document(self, digest: str) -> dict[str, Any]:
        """Return a blob that is a JSON object.

        Raises:
            ValueError: It is no JSON object.
            OSError: It is not here.
        """
        document = json.loads(self.path(digest).read_bytes())
        if not isinstance(document, dict):
            raise ValueError(f"{digest} is not a JSON object")  # noqa: TRY004 - bad data, not a bad call
        return document


def choose_manifest(index: dict[str, Any], platform: str) -> str | None:
    """Return the digest of the manifest for `os/arch`, else of the one for Wasm, else None."""
    system, _, arch = platform.partition("/")
    for wanted in ((system, arch), *_WASM_PLATFORMS):
        for entry in index.get("manifests", ()):
            offered = entry.get("platform") or {}
            if (offered.get("os"), offered.get("architecture")) == wanted:
                return str(entry["digest"])
    return None


def fits(config: dict[str, Any], platform: str) -> bool:
    """Tell whether an image's configuration is for the platform, for Wasm, or says nothing (an artifact)."""
    system, _, arch = platform.partition("/")
    offered = (config.get("os"), config.get("architecture"))
    return not all(offered) or offered == (system, arch) or offered in _WASM_PLATFORMS
