"""The clusters behind ARM and behind local mode: each one a store, an API server, controllers and nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.state import Documents

if TYPE_CHECKING:
    from aks_wasm.emulator.node.agent import RegistryTrust
    from aks_wasm.emulator.node.images import ImageStore
    from aks_wasm.emulator.node.profile import NodePoolProfile

KubeconfigKind = Literal["certificate", "token", "exec"]


class EmulatedCluster:
    """One cluster: its Kubernetes API answers at `url` while it is started."""

    key: str
    url: str
    ca_pem: bytes
    images: ImageStore

    async def converge(self, pools: Sequence[NodePoolProfile]) -> None:
        """Make the nodes be those of the pools."""
        raise NotImplementedError

    def kubeconfig(
        self, *, name: str, user: str, kind: KubeconfigKind, exec_config: dict[str, Any] | None = None
    ) -> str:
        """Return a kubeconfig (YAML) as AKS returns it."""
        raise NotImplementedError

    async def start(self) -> None:
        """Power on; the state is as it was."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Power off; the state is kept."""
        raise NotImplementedError


class Fleet:
    """All clusters of the emulator, remembered in its state."""

    def __init__(
        self,
        documents: Documents,
        pace: Pace,
        folder: Path,
        tokens: Callable[[str], list[str] | None],
        registry_trust: RegistryTrust,
    ) -> None:
        raise NotImplementedError

    async def create(self, key: str, *, kubernetes_version: str) -> EmulatedCluster:
        """Make the cluster and start it, or return the one of that key."""
        raise NotImplementedError

    def get(self, key: str) -> EmulatedCluster | None:
        """Return the cluster, or None."""
        raise NotImplementedError

    def keys(self) -> list[str]:
        """Return the keys of all clusters, oldest first."""
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        """Take the cluster away; no process, port or file of it is left."""
        raise NotImplementedError

    async def resume(self) -> None:
        """Start every cluster of the state again, each on the port it had."""
        raise NotImplementedError

    async def close(self) -> None:
        """Stop every cluster; the state is kept."""
        raise NotImplementedError
