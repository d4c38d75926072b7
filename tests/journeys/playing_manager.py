"""runtime-class-manager at work on a cluster of the emulator, played by the tests' controller in a thread."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aks_wasm.emulator.node.profile import HANDLERS_ANNOTATION
from aks_wasm.errors import AksWasmError
from aks_wasm.kube.client import KubeClient
from aks_wasm.kube.conditions import wait_for
from aks_wasm.spec.builtin import HELLO
from aks_wasm.waits import Patience, SystemClock
from aks_wasm.wasm.oci import content_of, package
from aks_wasm.wasm.registry import push
from aks_wasm.wasm.registry_login import Credentials
from tests.kube.shim_controller import NAMESPACE, ShimController
from tests.running_emulator import RunningEmulator

HOST = "rcm-host"
LOOK_SECONDS = 0.1
PATIENCE = Patience(60, SystemClock())


class Manager:
    """Its controller, and what its Jobs do to nodes: containerd's handlers as the emulated nodes keep them.

    Attributes:
        controller: What the test may tell to fail on a node, or to sleep.
        dropping: Whether containerd drops its block.
        image: A Spin service that nodes can pull; what runs in its place.
    """

    def __init__(self, kubeconfig: str) -> None:
        self.client = KubeClient.from_kubeconfig(kubeconfig)
        self.controller = ShimController(self.client, self._configured)
        self.dropping = False
        self.image = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, name="runtime-class-manager")

    def start(self, image: str) -> None:
        """Install it and wait until its Deployment, for which a Wasm pod stands, is available."""
        self.image = image
        node = str(self.client.list("Node")[0]["metadata"]["name"])
        self._set(node, HOST, {"shim": "spin", "version": "v0.25.1"})
        self.client.apply(
            {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": HOST}, "handler": HOST}
        )
        pod = {
            "runtimeClassName": HOST,
            "nodeSelector": {"kubernetes.io/hostname": node},
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "rcm", "image": image, "command": ["/"]}],
        }
        self.controller.install(pod)
        deployment = {"kind": "Deployment", "metadata": {"name": "rcm-runtime-class-manager", "namespace": NAMESPACE}}
        wait_for(self.client, deployment, PATIENCE)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(10)
        self.client.close()

    def handlers(self, node: str) -> dict[str, Any]:
        """Return the handlers in a node's effective configuration, its own host's apart."""
        live = self.client.get("Node", node) or {"metadata": {}}
        found: dict[str, Any] = json.loads((live["metadata"].get("annotations") or {}).get(HANDLERS_ANNOTATION, "{}"))
        return {name: entry for name, entry in found.items() if name != HOST}

    def _live(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            try:
                self.controller.look()
            except AksWasmError:
                continue  # somebody else wrote at the same time, or the cluster is going

    def _configured(self, node: str, handler: str, location: str | None) -> None:
        version = re.search(r"/(v\d[\d.]*)/", location or "")
        entry = {"shim": handler.partition("-")[0], "version": version[1] if version else ""}
        self._set(node, handler, entry if location and not self.dropping else None)

    def _set(self, node: str, handler: str, entry: dict[str, str] | None) -> None:
        live = self.client.get("Node", node) or {"metadata": {}}
        found = json.loads((live["metadata"].get("annotations") or {}).get(HANDLERS_ANNOTATION, "{}"))
        found = {name: one for name, one in found.items() if name != handler} | ({handler: entry} if entry else {})
        self.client.annotate("Node", node, {HANDLERS_ANNOTATION: json.dumps(found)})


def pushed_image(emulator: RunningEmulator, folder: Path) -> str:
    """Push a Spin service to the emulator's registry as somebody else would; return its name."""
    registry = emulator.environment["AKS_WASM_REGISTRY"]
    archive = package(content_of(HELLO / "service" / "spin.toml"), repository=f"{registry}/rcm", folder=folder / "rcm")
    push(archive, credentials=Credentials(), verify=str(emulator.ca_file), patience=PATIENCE)
    return archive.name


@contextmanager
def playing_manager(emulator: RunningEmulator, folder: Path, kubeconfig: str) -> Iterator[Manager]:
    """Have it at work on a cluster."""
    image, manager = pushed_image(emulator, folder), Manager(kubeconfig)
    try:
        manager.start(image)
        yield manager
    finally:
        manager.stop()
