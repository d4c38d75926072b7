"""Packages the spec's workloads, and the probes, into image archives; their names carry the hash of their content."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from aks_wasm.steps.wanted import probe_image_key
from aks_wasm.spec.builtin import HELLO
from aks_wasm.workflows.context import Run

if TYPE_CHECKING:
    from aks_wasm.shims.catalogue import Shim
    from aks_wasm.wasm.archive import ImageArchive


def package_images(run: Run, shims: Iterable[Shim]) -> dict[str, ImageArchive]:
    """Package every workload that has a source or a module, and the probes that these shims need.

    Returns:
        Archives by workload name, and by `probe_image_key` for the probes. Kept under AKS_WASM_HOME, so that an
        unchanged module is not packaged twice.

    Raises:
        UsageError: A file is missing or is not what it should be.
    """
    from aks_wasm.wasm.oci import content_of, package, repository_name

    sources = {w.name: Path(path) for w in run.spec.workloads if (path := w.source or w.module) is not None}
    for shim in shims:
        spin = shim.name == "spin"
        sources[probe_image_key(shim)] = HELLO / "probe" / ("spin.toml" if spin else "probe.wasm")
    folder = run.settings.home / "cache" / "images"
    prefix = run.provider.info.image_prefix
    return {
        key: package(content_of(path), repository=repository_name(prefix, run.spec.name, key), folder=folder)
        for key, path in sources.items()
    }
