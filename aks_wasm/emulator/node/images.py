"""The images a cluster's nodes have: content by digest in a folder, names in one index beside it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aks_wasm.emulator.node.archive import read_archive
from aks_wasm.emulator.node.content import INDEX_TYPES, Content, choose_manifest, fits
from aks_wasm.emulator.node.image_pull import PullFailed, RegistryTrust, pull
from aks_wasm.emulator.node.layers import unpack
from aks_wasm.emulator.node.references import Reference, parse_reference
from aks_wasm.errors import AksWasmError

__all__ = ["Image", "ImageError", "ImageStore", "RegistryTrust"]


@dataclass(frozen=True)
class Image:
    """An image for one platform.

    Attributes:
        name: The normalised reference, for example `docker.io/library/hello:1`.
        digest: What the name stands for, `sha256:...`.
        config: The image configuration document (`config.Entrypoint`, `config.Env`, `os`, `architecture`).
        layer_types: Media types of the layers, lowest first.
        root: The unpacked root file system; read only.
        size: Bytes of all blobs.
        pulled: Whether it was fetched just now.
    """

    name: str
    digest: str
    config: Mapping[str, Any]
    layer_types: tuple[str, ...]
    root: Path
    size: int
    pulled: bool = False

    @property
    def image_id(self) -> str:
        """What a container status shows as imageID."""
        base = self.name.partition("@")[0]
        host, slash, path = base.rpartition("/")
        return f"{host}{slash}{path.partition(':')[0]}@{self.digest}"


class ImageError(Exception):
    """An image can't be had.

    Attributes:
        reason: What kubelet puts into the waiting state: `ErrImagePull`, `InvalidImageName`.
        message: containerd's words.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class ImageStore:
    """OCI images of one cluster, shared by its nodes."""

    def __init__(self, folder: Path, registries: RegistryTrust | None = None) -> None:
        """Open the folder, or make it.

        Args:
            folder: Where content, names and unpacked file systems are kept.
            registries: Which registries are believed when an image has to be pulled.
        """
        self.registries = registries or RegistryTrust()
        self._folder = folder
        self._content = Content(folder / "blobs")
        self._names_file = folder / "names.json"
        self._names: dict[str, str] = json.loads(self._names_file.read_text()) if self._names_file.exists() else {}
        self._pulls: dict[str, asyncio.Lock] = {}

    def load(self, archive: Path) -> list[str]:
        """Take in an OCI layout or docker-save tar; return the normalised names it carried.

        Raises:
            AksWasmError: It is not such an archive.
        """
        found = {}
        for text, digest in read_archive(archive, self._content).items():
            reference = parse_reference(text)
            if reference is None:
                raise AksWasmError(f"`{text}` in `{archive}` is not an image name", code="InvalidImageName")
            found[reference.name] = digest
        self._remember(found)
        return list(found)

    def names(self) -> list[str]:
        """Return the normalised names of all images."""
        return list(self._names)

    def has(self, reference: str, platform: str) -> bool:
        """Tell whether the image is here for nodes of the platform, so that nothing would be pulled."""
        parsed = parse_reference(reference)
        return parsed is not None and self._local(parsed, platform) is not None

    async def resolve(
        self, reference: str, platform: str, *, pull_always: bool = False, logins: Mapping[str, str] | None = None
    ) -> Image:
        """Return the image, from the folder or else from its registry.

        Args:
            reference: As a pod writes it.
            platform: `os/arch` of the node; images for Wasm fit every node.
            pull_always: Ask the registry even when the image is here (imagePullPolicy Always).
            logins: Base64 of `user:password` by registry host (imagePullSecrets).

        Raises:
            ImageError: It can't be had; reason and message are kubelet's and containerd's.
        """
        parsed = parse_reference(reference)
        if parsed is None:
            raise ImageError(
                "InvalidImageName",
                f'Failed to apply default image tag "{reference}": couldn\'t parse image name '
                f'"{reference}": invalid reference format',
            )
        async with self._pulls.setdefault(parsed.name, asyncio.Lock()):
            digest = None if pull_always else self._local(parsed, platform)
            pulled = digest is None
            if digest is None:
                digest = await self._pull(parsed, platform, (logins or {}).get(parsed.registry))
            return await asyncio.to_thread(self._image, parsed, digest, platform, pulled=pulled)

    def _local(self, reference: Reference, platform: str) -> str | None:
        digest = reference.digest or self._names.get(reference.name)
        return digest if digest and self._whole(digest, platform) else None

    def _whole(self, digest: str, platform: str) -> bool:
        """Tell whether everything is here that the platform needs; a pull brings one platform's content only."""
        try:
            manifest = self._content.document(digest)
            if "manifests" in manifest:
                chosen = choose_manifest(manifest, platform)
                if chosen is None:
                    return True  # said when the image is looked at; a pull would not bring it
                manifest = self._content.document(chosen)
            blobs = (manifest["config"], *manifest.get("layers", ()))
            return all(self._content.has(blob["digest"]) for blob in blobs)
        except FileNotFoundError:
            return False
        except (ValueError, KeyError, TypeError):
            return True  # what is wrong with it is said when the image is looked at

    async def _pull(self, reference: Reference, platform: str, login: str | None) -> str:
        try:
            digest = await pull(reference, platform, self._content, self.registries, login)
        except PullFailed as error:
            raise ImageError("ErrImagePull", str(error)) from error
        self._remember({reference.name: digest})
        return digest

    def _image(self, reference: Reference, digest: str, platform: str, *, pulled: bool) -> Image:
        unpacking = f'failed to pull and unpack image "{reference.name}"'
        try:
            manifest = self._content.document(digest)
            if manifest.get("mediaType") in INDEX_TYPES or "manifests" in manifest:
                chosen = choose_manifest(manifest, platform)
                if chosen is None:
                    raise _no_match(unpacking)
                manifest = self._content.document(chosen)
            config = self._content.document(manifest["config"]["digest"])
            if not fits(config, platform):
                raise _no_match(unpacking)
            root = self._unpacked(manifest)
        except (ValueError, KeyError, TypeError) as error:
            raise ImageError("ErrImagePull", f"rpc error: code = Unknown desc = {unpacking}: {error}") from error
        except FileNotFoundError as error:
            blob = Path(str(error.filename)).name
            raise ImageError(
                "ErrImagePull",
                f"rpc error: code = NotFound desc = {unpacking}: content digest sha256:{blob}: not found",
            ) from error
        layers = manifest.get("layers", ())
        return Image(
            name=reference.name,
            digest=digest,
            config=config,
            layer_types=tuple(str(layer.get("mediaType", "")) for layer in layers),
            root=root,
            size=sum(int(layer.get("size", 0)) for layer in layers),
            pulled=pulled,
        )

    def _unpacked(self, manifest: dict[str, Any]) -> Path:
        layers = [layer for layer in manifest.get("layers", ()) if ".tar" in layer.get("mediaType", ".tar")]
        # The chain of layers names the file system, so images that share all layers share it too.
        key = self._content.add([json.dumps([layer["digest"] for layer in layers]).encode()])
        root = self._folder / "roots" / key.removeprefix("sha256:")
        if root.exists():
            return root
        root.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=root.parent))
        try:
            for layer in layers:
                unpack(self._content.path(layer["digest"]), fresh)
            fresh.chmod(0o755)
            fresh.rename(root)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return root

    def _remember(self, names: dict[str, str]) -> None:
        self._names |= names
        handle, temporary = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(handle, "w") as file:
            json.dump(self._names, file)
        Path(temporary).replace(self._names_file)


def _no_match(unpacking: str) -> ImageError:
    return ImageError(
        "ErrImagePull",
        f"rpc error: code = NotFound desc = {unpacking}: no match for platform in manifest: not found",
    )
