"""The Debian root file system of a node."""

from __future__ import annotations

import shutil

from e2e import versions
from e2e.artefacts import Recipe, Workshop

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "containerd", "runc", "containernetworking-plugins", "iptables", "nftables",
    "ebtables", "conntrack", "ethtool", "iproute2", "iputils-ping", "kmod", "procps", "mount", "util-linux", "hostname",
    "socat", "ca-certificates", "curl", "jq", "libseccomp2",
)  # fmt: skip
NEEDLESS = ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")


def _root_filesystem(shop: Workshop) -> None:
    shop.run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", versions.DEBIAN, shop.folder)
    for folder in NEEDLESS:
        shutil.rmtree(shop.folder / folder, ignore_errors=True)


ROOT_FILESYSTEM = Recipe("root_filesystem", _root_filesystem, (versions.DEBIAN, *PACKAGES))
