"""Programs built as Go modules: kind, Kubernetes, etcd, CoreDNS, containerd 2, and three small ones of our own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from e2e import versions
from e2e.artefacts import BuildFailed, Recipe, Workshop
from e2e.places import SOURCES, Places

# What these programs could do without on a node that only has overlayfs.
TAGS = "no_btrfs,no_devmapper,no_zfs,no_aufs"


def go_environment(places: Places) -> dict[str, str]:
    """Keep Go's downloads and object files in the bench's folder, and build without a C compiler."""
    return {
        "GOMODCACHE": str(places.build / "go-mod"),
        "GOCACHE": str(places.build / "go-build"),
        "GOFLAGS": "-mod=mod -buildvcs=false -modcacherw",
        "CGO_ENABLED": "0",
    }


def build_module(shop: Workshop, module: str, version: str, packages: Sequence[str], flags: str = "") -> None:
    """Build packages of one published version, in a module of its own that requires nothing else."""
    env = go_environment(shop.places)
    work = shop.folder / "module"
    work.mkdir()
    shop.run("go", "mod", "init", "bench", cwd=work, env=env)
    if module == "k8s.io/kubernetes":
        _replace_staging(shop, version, work)
    shop.run("go", "get", f"{module}@{version}", cwd=work, env=env)
    build = ["go", "build", "-tags", TAGS, "-ldflags", f"-s -w {flags}", "-o", f"{shop.folder}/"]
    shop.run(*build, *packages, cwd=work, env=env)
    shutil.rmtree(work)


def _replace_staging(shop: Workshop, version: str, work: Path) -> None:
    """k8s.io/kubernetes requires its own parts as v0.0.0; they are published as v0.<minor>.<patch>."""
    env = go_environment(shop.places)
    told = shop.output("go", "mod", "download", "-json", f"k8s.io/kubernetes@{version}", cwd=work, env=env)
    required = Path(json.loads(told)["GoMod"]).read_text().splitlines()
    published = "v0." + version.removeprefix("v1.")
    parts = [line.split()[0] for line in required if line.split()[1:2] == ["v0.0.0"]]
    if not parts:
        raise BuildFailed(f"k8s.io/kubernetes {version} requires no part of its own as v0.0.0")
    shop.run("go", "mod", "edit", *(f"-replace={part}={part}@{published}" for part in parts), cwd=work, env=env)


def build_own(shop: Workshop, source: str, requires: str = "") -> None:
    """Build a program of `e2e/`, which is one file and at most one requirement."""
    env = go_environment(shop.places)
    work = shop.folder / "module"
    shutil.copytree(SOURCES / source, work)
    shop.run("go", "mod", "init", source, cwd=work, env=env)
    if requires:
        shop.run("go", "get", requires, cwd=work, env=env)
    shop.run("go", "build", "-ldflags", "-s -w", "-o", shop.folder / source, ".", cwd=work, env=env)
    shutil.rmtree(work)


def _kind(shop: Workshop) -> None:
    build_module(shop, "sigs.k8s.io/kind", versions.KIND, ["sigs.k8s.io/kind"])


def _kubernetes(shop: Workshop) -> None:
    version = "k8s.io/component-base/version"
    told = {"gitVersion": versions.KUBERNETES, "gitMajor": "1", "gitTreeState": "clean"}
    told["gitMinor"] = versions.KUBERNETES.split(".")[1]
    flags = [f"-X {version}.{name}={value}" for name, value in told.items()]  # without these kubeadm refuses to work
    flags.append(f"-X k8s.io/client-go/pkg/version.gitVersion={versions.KUBERNETES}")
    programs = ("kubeadm", "kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    packages = [f"k8s.io/kubernetes/cmd/{program}" for program in (*programs, "kube-proxy")]
    build_module(shop, "k8s.io/kubernetes", versions.KUBERNETES, packages, " ".join(flags))


def _etcd(shop: Workshop) -> None:
    build_module(shop, "go.etcd.io/etcd/server/v3", versions.ETCD, ["go.etcd.io/etcd/server/v3"])
    (shop.folder / "server").rename(shop.folder / "etcd")


def _coredns(shop: Workshop) -> None:
    build_module(shop, "github.com/coredns/coredns", versions.COREDNS, ["github.com/coredns/coredns"])


def _containerd(shop: Workshop) -> None:
    module = "github.com/containerd/containerd/v2"
    packages = [f"{module}/cmd/{program}" for program in ("containerd", "ctr", "containerd-shim-runc-v2")]
    flags = f"-X {module}/version.Version={versions.CONTAINERD}"
    build_module(shop, module, versions.CONTAINERD, packages, flags)


def _node_network(shop: Workshop) -> None:
    build_own(shop, "node_network", f"github.com/vishvananda/netlink@{versions.NETLINK}")


def _runc_fit(shop: Workshop) -> None:
    build_own(shop, "runc_fit")


KIND = Recipe("kind", _kind, (versions.KIND,))
KUBERNETES = Recipe("kubernetes", _kubernetes, (versions.KUBERNETES,))
ETCD = Recipe("etcd", _etcd, (versions.ETCD,))
COREDNS = Recipe("coredns", _coredns, (versions.COREDNS,))
CONTAINERD = Recipe("containerd", _containerd, (versions.CONTAINERD,))
NODE_NETWORK = Recipe("node_network", _node_network, (versions.NETLINK,), ("node_network",))
RUNC_FIT = Recipe("runc_fit", _runc_fit, (), ("runc_fit",))
