"""Packages the spec's workloads, and the probes, into image archives; their names carry the hash of their content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aks_wasm.shims.catalogue import preview_shim
from aks_wasm.shims.installer import probe_image_key
from aks_wasm.spec.builtin import HELLO
from aks_wasm.steps.wanted import Wanted
from aks_wasm.workflows.context import Run

if TYPE_CHECKING:
    from aks_wasm.wasm.archive import ImageArchive

PROBES = {
    "probe-spin-completes": HELLO / "probe" / "spin.toml",
    "probe-spin-serves": HELLO / "service" / "spin.toml",
    "probe-spin-1-serves": HELLO / "service" / "spin-1.toml",
    "probe-module-completes": HELLO / "probe" / "probe.wasm",
}


def images_of(home: Path, cluster: str) -> Path:
    """Return the folder of a cluster's packaged images; nothing else is in it."""
    return home / "cache" / "images" / cluster


def package_images(run: Run, wanted: Wanted) -> dict[str, ImageArchive]:
    """Package every workload that has a source or a module, and the probes that the installer does not bring.

    Returns:
        Archives by workload name, and by `probe_image_key` for the probes. Kept under AKS_WASM_HOME.

    Raises:
        UsageError: A file is missing or is not what it should be.
    """
    from aks_wasm.wasm.oci import content_of, package, repository_name

    sources = {w.name: Path(path) for w in run.spec.workloads if (path := w.source or w.module) is not None}
    brought = [
        preview for shim in wanted.shims if (preview := preview_shim(shim)) and run.provider.info.has_preview_pools
    ]
    for shim in (*brought, *(() if wanted.installer else wanted.shims)):
        key = probe_image_key(shim)
        sources[key] = PROBES[key]
    folder = images_of(run.settings.home, run.spec.name)
    prefix = run.provider.info.image_prefix
    return {
        key: package(content_of(path), repository=repository_name(prefix, run.spec.name, key), folder=folder)
        for key, path in sources.items()
    }
