"""A cluster that somebody else made and a kubeconfig leads to: runtimes can be put on it, nothing else is changed."""

from __future__ import annotations

import os
from typing import NoReturn

from aks_wasm.errors import Problem, UsageError
from aks_wasm.providers.base import (
    ClusterRequest,
    NodePoolRequest,
    Observed,
    ObservedCluster,
    Prerequisite,
    ProviderInfo,
)
from aks_wasm.providers.marks import OWNER_TAG
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.waits import Patience
from aks_wasm.wasm.archive import ImageArchive


class GivenCluster:
    """The cluster of a kubeconfig. It has no pools that we know of, and no place for images unless one is named."""

    def __init__(self, kubeconfig: str, registry: str | None = None) -> None:
        """Take the kubeconfig, and the registry that its nodes can pull from (host and path), where there is one."""
        self._kubeconfig = kubeconfig
        self.info = ProviderInfo(
            "kubeconfig",
            folds_node_pools=False,
            images="registry" if registry else "none",
            image_prefix=(registry or "").rstrip("/"),
            keeps_on_failure=True,
            adds_node_pools=False,
            has_pools=False,
        )

    def observe(self, spec: ClusterSpec) -> Observed:
        """Return that it is there; what is in it its API tells."""
        tags = {OWNER_TAG: spec.name}  # whoever gives its kubeconfig answers for it
        return Observed(ObservedCluster(spec.name, "Succeeded", "", "", tags, api_server="kubeconfig"))

    def check(self, spec: ClusterSpec, observed: Observed) -> list[Problem]:
        """Find nothing: no service stands behind it that could be asked."""
        del spec, observed
        return []

    def ensure(self, prerequisite: Prerequisite, spec: ClusterSpec, patience: Patience) -> None:
        """Do nothing: there is nothing to register and no group."""

    def put_cluster(self, spec: ClusterSpec, request: ClusterRequest, patience: Patience) -> None:
        """Refuse."""
        del request, patience
        _not_ours(spec)

    def put_node_pool(self, spec: ClusterSpec, request: NodePoolRequest, patience: Patience) -> None:
        """Refuse."""
        del request, patience
        _not_ours(spec)

    def delete(self, spec: ClusterSpec, node_pool: str | None, patience: Patience, *, wait: bool) -> None:
        """Refuse."""
        del node_pool, patience, wait
        _not_ours(spec)

    def kubeconfig(self, spec: ClusterSpec) -> str:
        """Return what was given."""
        del spec
        return self._kubeconfig

    def deliver_image(self, spec: ClusterSpec, image: ImageArchive, patience: Patience) -> None:
        """Push the image with docker's login for the registry; refuse where none is named."""
        if self.info.images == "none":
            _not_ours(spec)
        from aks_wasm.wasm.registry import push
        from aks_wasm.wasm.registry_login import Credentials, docker_config_file

        push(image, credentials=Credentials(docker_config=docker_config_file(os.environ)), patience=patience)

    def close(self) -> None:
        """Do nothing: no connection is open."""


def _not_ours(spec: ClusterSpec) -> NoReturn:
    raise UsageError(
        f"the cluster `{spec.name}` is only known by a kubeconfig",
        code="NoProvider",
        hint="give the file that made it: `-f aks-wasm.yaml`",
    )
