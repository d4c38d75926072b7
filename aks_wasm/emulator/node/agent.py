"""The kubelets, the kube-proxy and the cloud load balancer of one cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aks_wasm.emulator.node.images import ImageStore, RegistryTrust
from aks_wasm.emulator.node.profile import NodePoolProfile

if TYPE_CHECKING:
    from aks_wasm.emulator.clock import Pace
    from aks_wasm.emulator.cluster.store import Store


class NodeAgents:
    """Everything that happens on the nodes of one cluster."""

    def __init__(self, store: Store, images: ImageStore, pace: Pace, folder: Path, registries: RegistryTrust) -> None:
        self.store = store
        self.images = images
        self.pace = pace
        self.folder = folder
        self.registries = registries

    async def converge(self, pools: Sequence[NodePoolProfile]) -> None:
        """Make nodes appear and vanish so that each pool has `count` of them; pods of a vanished node go."""
        raise NotImplementedError

    async def run(self) -> None:
        """Run pods and balance Services until cancelled; then every container is killed."""
        raise NotImplementedError

    def open_log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool,
        previous: bool,
        tail_lines: int | None,
        since_seconds: int | None,
        timestamps: bool,
        limit_bytes: int | None,
    ) -> AsyncIterator[bytes]:
        """Yield a container's log as the kubelet serves it."""
        raise NotImplementedError
