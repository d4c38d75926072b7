"""Programs for tests on single nodes: containerd in the versions that no node image has, and a CRI client."""

from __future__ import annotations

from e2e import versions
from e2e.artefacts import Recipe, Workshop
from e2e.recipes.go_programs import build_module, build_own

PROGRAMS = ("containerd", "ctr", "containerd-shim-runc-v2")


def _containerd(shop: Workshop, module: str, version: str) -> None:
    packages = [f"{module}/cmd/{program}" for program in PROGRAMS]
    build_module(shop, module, version, packages, f"-X {module}/version.Version={version}")


def _containerd_1_7(shop: Workshop) -> None:
    _containerd(shop, "github.com/containerd/containerd", versions.CONTAINERD_1_7)


def _containerd_2_2(shop: Workshop) -> None:
    _containerd(shop, "github.com/containerd/containerd/v2", versions.CONTAINERD_2_2)


def _cri(shop: Workshop) -> None:
    build_own(shop, "cri", f"k8s.io/cri-api@{versions.CRI_API}")


CONTAINERD_1_7 = Recipe("containerd_1_7", _containerd_1_7, (versions.CONTAINERD_1_7,))
CONTAINERD_2_2 = Recipe("containerd_2_2", _containerd_2_2, (versions.CONTAINERD_2_2,))
CRI = Recipe("cri", _cri, (versions.CRI_API,), ("cri",))
