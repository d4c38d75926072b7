"""The images a cluster's nodes have: content by digest in a folder, names in one index beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RegistryTrust:
    """Which registries are believed.

    Attributes:
        ca_file: The CA that registries on loopback are trusted with, beside certifi's; None for certifi's only.
        plain_http_hosts: `host:port` of registries that speak HTTP without TLS.
    """

    ca_file: Path | None = None
    plain_http_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Image:
    """An image for one platform.

    Attributes:
        name: The normalised reference, for example `docker.io/library/hello:1`.
        digest: Of the manifest, `sha256:...`.
        config: The image configuration document (`config.Entrypoint`, `config.Env`, `os`, `architecture`).
        layers: Digests of the layers, lowest first.
        root: The unpacked root file system; read only.
    """

    name: str
    digest: str
    config: Mapping[str, Any]
    layers: tuple[str, ...]
    root: Path


class ImageError(Exception):
    """An image cannot be had.

    Attributes:
        reason: What kubelet puts into the waiting state: `ErrImagePull`, `ErrImageNeverPull`, `InvalidImageName`.
        message: containerd's words.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class ImageStore:
    """OCI images of one cluster."""

    def __init__(self, folder: Path, registries: RegistryTrust) -> None:
        self.folder = folder
        self.registries = registries

    def load(self, archive: Path) -> list[str]:
        """Take in an OCI layout or docker-save tar; return the names it carried."""
        raise NotImplementedError

    def names(self) -> list[str]:
        """Return the names of all images."""
        raise NotImplementedError

    async def resolve(self, reference: str, platform: str) -> Image:
        """Return the image, from the folder or else from its registry."""
        raise NotImplementedError
