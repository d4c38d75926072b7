"""Images of runtime-class-manager, built from a checkout of its sources at v0.2.0: no package registry has it.

Its own downloader image is Alpine with bash and curl. In its place stands a script on busybox that fetches, unpacks and
compares as `images/downloader/download_shim.sh` does, which tells of an address without a file a little sooner.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

from e2e.archives import Image, write_archive
from e2e.places import Places
from e2e.recipes.go_programs import go_environment
from tests.e2e.machine import Machine
from tests.e2e.plain_clusters import INSTALLER_IMAGE

SOURCES = "AKS_WASM_E2E_RUNTIME_CLASS_MANAGER"
"""Environment: where the checkout is."""

_NAMED = os.environ.get(SOURCES)  # taken before the tests' own environment is made

DEFINITION = "config/crd/bases/runtime.spinkube.dev_shims.yaml"
CONTROLLER, NODE_INSTALLER, DOWNLOADER = (f"bench.local/rcm-{part}:1" for part in ("controller", "node", "downloader"))
_DOWNLOAD = """#!/bin/sh
set -eu
cd /tmp
wget -q -O "containerd-shim-$SHIM_NAME" "$SHIM_LOCATION"
mkdir unpacked
tar -xzf "containerd-shim-$SHIM_NAME" -C unpacked
cp "unpacked/containerd-shim-$SHIM_NAME" /assets
[ -z "${SHIM_SHA256:-}" ] || echo "$SHIM_SHA256  containerd-shim-$SHIM_NAME" | sha256sum -c -
"""


def sources() -> Path | None:
    """Return the checkout, where one is named."""
    return Path(_NAMED) if _NAMED else None


def build_images(machine: Machine, checkout: Path, folder: Path) -> Path:
    """Build its programs and write its images; return their archive."""
    folder.mkdir()
    environment = {**go_environment(Places(machine.root)), "GOFLAGS": "-buildvcs=false"}
    for program in ("rcm", "node-installer"):
        build = ("go", "build", "-C", checkout, "-ldflags", "-s -w", "-o", folder / program, f"./cmd/{program}")
        Machine(machine.root, machine.environment | environment).run(*build)
    root = _busybox(machine, folder / "root")
    script = folder / "download"
    script.write_text(_DOWNLOAD)
    script.chmod(0o755)
    archive = folder / "images.tar"
    images = [
        Image(CONTROLLER, {"rcm": folder / "rcm", "tmp": root / "tmp"}, "/rcm"),
        Image(NODE_INSTALLER, {".": root, "node-installer": folder / "node-installer"}, "/node-installer"),
        Image(DOWNLOADER, {".": root, "download": script}, "/download"),
    ]
    write_archive(archive, images)
    return archive


def _busybox(machine: Machine, root: Path) -> Path:
    """Unpack the bench's image of busybox."""
    with tarfile.open(machine.apps / INSTALLER_IMAGE) as tar:

        def blob(digest: str) -> bytes:
            found = tar.extractfile("blobs/" + digest.replace(":", "/"))
            assert found is not None
            return found.read()

        index = tar.extractfile("index.json")
        assert index is not None
        manifest = json.loads(blob(json.load(index)["manifests"][0]["digest"]))
        layer = gzip.decompress(blob(manifest["layers"][0]["digest"]))
    with tarfile.open(fileobj=io.BytesIO(layer)) as content:
        content.extractall(root, filter="tar")
    return root
