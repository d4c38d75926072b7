"""What a run tells while it waits for the installer on nodes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aks_wasm.emulator.cluster.store import Store
from aks_wasm.errors import TimedOut
from aks_wasm.kube.client import KubeClient
from aks_wasm.shims.installer import CONTENT_ANNOTATION, Installation
from aks_wasm.shims.labels import SYSTEM_NAMESPACE
from aks_wasm.steps.nodes_installed import wait_installed
from aks_wasm.waits import Patience
from tests.kube.running_api import RunningApi
from tests.unit.clocks import FakeClock

NODE, POD = "still-used", "shim-installer-x"
ERROR = "StillUsed: spin/v0.25.1/containerd-shim-spin-v2 is still run by pod shop/web-1"


def report(error: str | None) -> bytes:
    document = {
        "node": NODE, "containerd": "2.3.4", "config": "/etc/containerd/config.toml", "version": 2, "plugin": "p",
        "imports": False, "handlers": ["runc"], "systemdCgroup": True, "localImagePull": False, "shims": [],
        "healthy": error is None, "error": error,
    }  # fmt: skip
    return f"aks-wasm: looking\n{json.dumps(document)}\n".encode()


def keeper(*, ready: bool) -> dict[str, Any]:
    return {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [
            {"name": "keep", "image": "i", "imageID": "", "ready": ready, "restartCount": 0, "state": {"running": {}}}
        ],
    }


def test_a_removal_that_waits_for_somebody_elses_pod_names_it(api: RunningApi, client: KubeClient) -> None:
    wanted = Installation("demo", ())
    labels = {"app.kubernetes.io/component": "shim-installer"}
    pod = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": POD, "namespace": SYSTEM_NAMESPACE, "labels": labels,
                     "annotations": {CONTENT_ANNOTATION: wanted.content}},
        "spec": {"nodeName": NODE, "containers": [{"name": "keep", "image": "i"}]},
    }  # fmt: skip

    def create(store: Store) -> None:
        if store.peek("namespaces", SYSTEM_NAMESPACE) is None:
            meta = {"name": SYSTEM_NAMESPACE}
            store.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        store.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
        store.create("pods", pod)

    def status(*, ready: bool) -> bool:
        change = {"status": keeper(ready=ready)}
        api.do(lambda store: store.mutate("pods", POD, SYSTEM_NAMESPACE, lambda found: found.update(change)))
        return False

    api.do(create)
    status(ready=False)
    api.logs.texts[POD, False] = report(ERROR)
    with pytest.raises(TimedOut, match=r"`still-used` StillUsed: .* is still run by pod shop/web-1"):
        wait_installed(client, wanted, [NODE], Patience(10, FakeClock()))
    api.logs.texts[POD, False] = report(None)
    clock = FakeClock(lambda _now: status(ready=True))
    wait_installed(client, wanted, [NODE], Patience(10, clock))
    assert clock.pauses
