"""Debian's build of the registry that most others are made of (distribution), as a program alone."""

from __future__ import annotations

import shutil

from e2e import versions
from e2e.artefacts import Recipe, Workshop

PACKAGE = "docker-registry"


def _registry(shop: Workshop) -> None:
    shop.run("apt-get", "download", PACKAGE, cwd=shop.folder)
    (package,) = shop.folder.glob("*.deb")
    unpacked = shop.folder / "package"
    shop.run("dpkg-deb", "--extract", package, unpacked)
    (unpacked / "usr" / "bin" / PACKAGE).rename(shop.folder / PACKAGE)
    shutil.rmtree(unpacked)
    package.unlink()


REGISTRY = Recipe("registry", _registry, (versions.DEBIAN, PACKAGE))
