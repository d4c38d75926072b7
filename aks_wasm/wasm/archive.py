"""A packaged workload on its way to the nodes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ImageArchive:
    """An OCI layout tar on disk and the name that it gets on the nodes.

    Attributes:
        name: Full reference with a tag made from the content, so that a changed module is a changed image.
        path: The tar.
        digest: `sha256:...` of the image index.
    """

    name: str
    path: Path
    digest: str
