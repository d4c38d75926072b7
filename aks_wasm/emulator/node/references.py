"""Image references as containerd normalises them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PATH = re.compile(r"^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$")
_TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")
_DIGEST = re.compile(r"^sha256:[a-f0-9]{64}$")


@dataclass(frozen=True)
class Reference:
    """One image reference in full.

    Attributes:
        registry: Host with port, `docker.io` when none was written.
        repository: Path inside the registry.
        tag: The tag; empty when only a digest was written.
        digest: `sha256:...`, or empty.
    """

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def base(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    @property
    def name(self) -> str:
        """The normalised text."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.base}{tag}" + (f"@{self.digest}" if self.digest else "")


def parse_reference(text: str) -> Reference | None:
    """Read a reference; None when it is none (kubelet says `InvalidImageName`)."""
    rest, _, digest = text.partition("@")
    head, slash, tail = rest.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        registry, path = head, tail
    else:
        registry, path = "docker.io", rest
    repository, colon, tag = path.partition(":")
    if registry == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    if not tag and not digest and not colon:
        tag = "latest"
    valid = _PATH.match(repository) and (not colon or _TAG.match(tag)) and (not digest or _DIGEST.match(digest))
    return Reference(registry, repository, tag, digest) if valid else None
