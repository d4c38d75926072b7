"""The images a node runs, under the names kubeadm gives them, in one archive: nothing is pulled."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from e2e import versions
from e2e.archives import Image, write_archive
from e2e.artefacts import BuildFailed, Recipe, Workshop
from e2e.places import SOURCES
from e2e.recipes.go_programs import COREDNS, ETCD, KUBERNETES, NODE_NETWORK
from e2e.recipes.root_filesystem import ROOT_FILESYSTEM

FROM_KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
# kube-proxy calls iptables, nft, conntrack and modprobe.
PROXY_PROGRAMS = ("usr/sbin/xtables-nft-multi", "usr/sbin/nft", "usr/sbin/conntrack", "usr/bin/dash", "usr/bin/kmod")
PROXY_FOLDERS = (
    "usr/sbin",
    "usr/bin",
    "usr/lib",
    "usr/lib64",
    "usr/local/bin",
    "tmp",
    "run",
    "etc",
    "var",
    "proc",
    "sys",
    "dev",
)
IPTABLES = [f"{name}{suffix}" for name in ("iptables", "ip6tables") for suffix in ("", "-save", "-restore")]


def _control_plane(shop: Workshop) -> None:
    kubernetes = shop.artefact(KUBERNETES)
    told = shop.output(kubernetes / "kubeadm", "config", "images", "list", "--kubernetes-version", versions.KUBERNETES)
    names = {line.rpartition("/")[2].partition(":")[0]: line for line in told.split()}
    if not re.search(rf":{re.escape(versions.ETCD[1:])}-", names["etcd"]):
        raise BuildFailed(f"kubeadm wants {names['etcd']}, not etcd {versions.ETCD}")
    if not names["coredns"].endswith(f":{versions.COREDNS}"):
        raise BuildFailed(f"kubeadm wants {names['coredns']}, not CoreDNS {versions.COREDNS}")
    pause, proxy = shop.folder / "pause", shop.folder / "proxy"
    shop.run("gcc", "-Os", "-static", "-s", "-o", pause, SOURCES / "pause" / "pause.c")
    _proxy_tree(shop, proxy)
    network = shop.artefact(NODE_NETWORK) / "node_network"
    etcd = shop.artefact(ETCD) / "etcd"
    images = [
        Image(names["pause"], {"pause": pause}, "/pause"),
        Image(names["coredns"], {"coredns": shop.artefact(COREDNS) / "coredns"}, "/coredns"),
        Image(names["etcd"], {"usr/local/bin/etcd": etcd}, "/usr/local/bin/etcd"),
        Image("bench.local/node-network:1", {"node-network": network}, "/node-network"),
        Image(names["kube-proxy"], {".": proxy}, "/usr/local/bin/kube-proxy"),
    ]
    for program in FROM_KUBERNETES:
        path = f"usr/local/bin/{program}"
        images.append(Image(names[program], {path: kubernetes / program}, f"/{path}"))
    write_archive(shop.folder / "images.tar", images)
    (shop.folder / "pause-image").write_text(names["pause"])
    shutil.rmtree(proxy)


def _proxy_tree(shop: Workshop, tree: Path) -> None:
    root = shop.artefact(ROOT_FILESYSTEM)
    for folder in PROXY_FOLDERS:
        (tree / folder).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / name).symlink_to(f"usr/{name}")
    # All extensions, links included: without the linked ones kube-proxy fails quietly and no Service works.
    extensions = [str(path.relative_to(root)) for path in (root / "usr" / "lib").glob("*/xtables/*.so")]
    programs = [*PROXY_PROGRAMS, *extensions]
    _copy(root, tree, [*programs, *_libraries(shop, root, programs)])
    (tree / "usr/bin/sh").symlink_to("dash")
    (tree / "usr/sbin/modprobe").symlink_to("../bin/kmod")
    for name in IPTABLES:
        (tree / "usr/sbin" / name).symlink_to("xtables-nft-multi")
    for name in ("protocols", "services", "ethertypes"):
        if (root / "etc" / name).exists():
            shutil.copy(root / "etc" / name, tree / "etc" / name)
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    shutil.copy(shop.artefact(KUBERNETES) / "kube-proxy", tree / "usr/local/bin/kube-proxy")


def _libraries(shop: Workshop, root: Path, programs: Iterable[str]) -> list[str]:
    told = shop.output("chroot", root, "ldd", *(f"/{program}" for program in programs))
    found = set(re.findall(r"(/\S+\.so\S*) \(0x|=> (/\S+)", told))
    return sorted({(linked or plain).lstrip("/") for plain, linked in found})


def _copy(root: Path, tree: Path, files: Iterable[str]) -> None:
    for file in files:
        path = file if file.startswith("usr/") else f"usr/{file}"  # /lib is /usr/lib in both
        source = root / path
        while source.is_symlink():  # as it would lead within the root file system
            link = str(source.readlink())
            source = root / link.lstrip("/") if link.startswith("/") else source.parent / link
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tree / path)


CONTROL_PLANE = Recipe(
    "control_plane",
    _control_plane,
    (versions.DEBIAN,),
    ("archives.py", "pause"),
    (KUBERNETES, ETCD, COREDNS, NODE_NETWORK, ROOT_FILESYSTEM),
)
