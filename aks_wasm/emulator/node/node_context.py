"""What every part of a node works with: the cluster's objects, images, pace, folders, addresses, open logs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.node.images import ImageStore
from aks_wasm.emulator.node.logs import ContainerLog
from aks_wasm.emulator.node.network import PodNetwork
from aks_wasm.emulator.node.pod_status import Pod, entry_of, settle

_LONGEST_FLOOR = 1.0  # seconds of wall time


@dataclass
class NodeContext:
    """Shared by all pods of a cluster.

    Attributes:
        store: The cluster's objects.
        images: The nodes' images.
        pace: How fast recorded durations pass.
        folder: Below it: `pods/<uid>` and `modules`.
        network: Pod addresses.
        logs: The logs being written, by (pod uid, container).
    """

    store: Store
    images: ImageStore
    pace: Pace
    folder: Path
    network: PodNetwork = field(default_factory=PodNetwork)
    logs: dict[tuple[str, str], ContainerLog] = field(default_factory=dict)

    @property
    def modules(self) -> Path:
        """Compiled modules."""
        return self.folder / "modules"

    def pod_folder(self, uid: str) -> Path:
        """Where a pod's volumes, container file systems and logs are."""
        return self.folder / "pods" / uid

    def log_file(self, uid: str, container: str, attempt: int) -> Path:
        """The log of one attempt of a container."""
        return self.pod_folder(uid) / "logs" / container / f"{attempt}.log"

    async def back_off(self, seconds: float) -> None:
        """Wait as a real node would; never so short at a quick pace that retrying becomes a busy loop."""
        await asyncio.sleep(max(self.pace.scaled(seconds), min(_LONGEST_FLOOR, seconds / 100)))

    def update(self, pod: Pod, change: Callable[[Pod], None]) -> None:
        """Change a pod's status and what follows from it; nothing happens when the pod is gone or another one."""

        def apply(stored: Pod) -> None:
            if stored["metadata"]["uid"] == pod["metadata"]["uid"] and stored.get("status"):
                change(stored)
                settle(stored)

        self.store.mutate("pods", pod["metadata"]["name"], pod["metadata"]["namespace"], apply)

    def update_container(self, pod: Pod, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the status of one container of a pod."""

        def apply(stored: Pod) -> None:
            entry = entry_of(stored, name)
            if entry is not None:
                change(entry)

        self.update(pod, apply)

    def event(self, pod: Pod, reason: str, message: str, *, container: str = "", warning: bool = False) -> None:
        """Record an event of the kubelet about a pod or one of its containers."""
        field_path = ""
        if container:
            inits = [spec["name"] for spec in pod["spec"].get("initContainers") or ()]
            field_path = f"spec.{'initContainers' if container in inits else 'containers'}{{{container}}}"
        involved = {**pod, "fieldPath": field_path}
        self.store.record_event(involved, reason, message, type="Warning" if warning else "Normal", component="kubelet")
