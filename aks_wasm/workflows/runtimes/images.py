"""The images that probes run, packaged on this machine; the installer brings them to its nodes, nothing is pulled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aks_wasm.providers.base import LOCAL_PREFIX
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.installer import ProbeImage, probe_image_key, stay_image_key
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.images import PROBES, images_of

if TYPE_CHECKING:
    from aks_wasm.wasm.archive import ImageArchive


def probe_archives(run: Run, shims: Iterable[Shim]) -> dict[str, ImageArchive]:
    """Package what probes these shims, by `probe_image_key` and `stay_image_key`; kept under AKS_WASM_HOME."""
    return _packaged(run, {key for shim in shims for key in (probe_image_key(shim), stay_image_key(shim))})


def probe_images(run: Run) -> dict[str, ProbeImage]:
    """Return all of them as the installer takes them: another run may add a shim before this one writes the list."""
    archives = _packaged(run, PROBES)
    return {key: ProbeImage(archive.name, archive.path.read_bytes()) for key, archive in archives.items()}


def _packaged(run: Run, keys: Iterable[str]) -> dict[str, ImageArchive]:
    from aks_wasm.wasm.oci import content_of, package, repository_name

    folder = images_of(run.settings.home, run.spec.name)
    return {
        key: package(
            content_of(PROBES[key]), repository=repository_name(LOCAL_PREFIX, run.spec.name, key), folder=folder
        )
        for key in sorted(keys)
    }
