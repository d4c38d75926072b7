"""The recipes of the bench's artefacts, in the order they are best begun: the longest first."""

from __future__ import annotations

from e2e.artefacts import Recipe
from e2e.recipes.apps import APPS
from e2e.recipes.control_plane import CONTROL_PLANE
from e2e.recipes.go_programs import CONTAINERD, COREDNS, ETCD, KIND, KUBERNETES, NODE_NETWORK, RUNC_FIT
from e2e.recipes.installer_image import INSTALLER_IMAGE
from e2e.recipes.node_programs import CONTAINERD_1_7, CONTAINERD_2_2, CRI
from e2e.recipes.registry import REGISTRY
from e2e.recipes.root_filesystem import ROOT_FILESYSTEM
from e2e.recipes.shim import SHIM

# The engine may need runc-fit, so it is built before anything else; it takes seconds.
ALL: tuple[Recipe, ...] = (
    RUNC_FIT,
    KUBERNETES,
    SHIM,
    ROOT_FILESYSTEM,
    KIND,
    CONTAINERD,
    ETCD,
    COREDNS,
    NODE_NETWORK,
    CONTAINERD_1_7,
    CONTAINERD_2_2,
    CRI,
    APPS,
    INSTALLER_IMAGE,
    REGISTRY,
    CONTROL_PLANE,
)

__all__ = ["ALL"]
