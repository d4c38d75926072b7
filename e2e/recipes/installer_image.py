"""The image the installer's pods run: Debian's static busybox under the name of the one that AKS nodes can pull.

The kubelet asks for it by digest; containerd looks such a name up as it looks up any other, the tag left out.
"""

from __future__ import annotations

import shutil

from e2e import versions
from e2e.archives import Image, write_archive
from e2e.artefacts import Recipe, Workshop

PACKAGE = "busybox-static"
NAMES = (
    "mcr.microsoft.com/cbl-mariner/busybox@sha256:e4fb4d51fc9b70d6cdc1ce66a0af02ab40554d2ca632e1d188fabc760e432fdd",
    "bench.local/busybox:1",
)


def _installer_image(shop: Workshop) -> None:
    shop.run("apt-get", "download", PACKAGE, cwd=shop.folder)
    (package,) = shop.folder.glob("*.deb")
    unpacked, root = shop.folder / "package", shop.folder / "root"
    shop.run("dpkg-deb", "--extract", package, unpacked)
    (root / "bin").mkdir(parents=True)
    (root / "tmp").mkdir()
    busybox = root / "bin" / "busybox"
    (unpacked / "bin" / "busybox").rename(busybox)
    for applet in shop.output(busybox, "--list").split():
        if applet != busybox.name:
            (root / "bin" / applet).symlink_to(busybox.name)
    write_archive(shop.folder / "installer-image.tar", [Image(name, {".": root}, "/bin/sh") for name in NAMES])
    for folder in (unpacked, root):
        shutil.rmtree(folder)
    package.unlink()


INSTALLER_IMAGE = Recipe("installer_image", _installer_image, (versions.DEBIAN, PACKAGE, *NAMES), ("archives.py",))
