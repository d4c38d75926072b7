"""A pod that lacks a runtime on a node that is just being provisioned is not lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aks_wasm.kube.causes import Cause
from aks_wasm.kube.client import KubeClient
from aks_wasm.kube.conditions import wait_gone
from aks_wasm.kube.installing import INSTALL_GRACE, with_installer
from aks_wasm.shims.labels import INSTALLED, SHIMS, SYSTEM_NAMESPACE
from aks_wasm.waits import Patience, SystemClock
from tests.kube.running_api import RunningApi

LACKS = Cause("NoRuntime", "its node has no runtime for the handler `x`", 30.0)


def node(api: RunningApi, name: str, **labels: str) -> dict[str, Any]:
    """Make a node; return a pod that is on it."""
    made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
    api.do(lambda store: store.create("nodes", made))
    return {"spec": {"nodeName": name}}


def in_namespace(store: Any) -> None:
    if store.peek("namespaces", SYSTEM_NAMESPACE) is None:
        meta = {"name": SYSTEM_NAMESPACE}
        store.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})


@pytest.fixture
def installer(api: RunningApi, client: KubeClient) -> Iterator[None]:
    """An installer that has not come to any node yet."""
    labels = {"app.kubernetes.io/component": "shim-installer"}
    pod = {"nodeSelector": {"no": "node"}, "containers": [{"name": "keep", "image": "i"}]}
    api.do(in_namespace)
    client.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "shim-installer", "namespace": SYSTEM_NAMESPACE},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }
    )
    yield
    client.delete("DaemonSet", "shim-installer", SYSTEM_NAMESPACE)
    wait_gone(client, "DaemonSet", "shim-installer", SYSTEM_NAMESPACE, Patience(30, SystemClock()))


def installer_on(api: RunningApi, name: str, *, ready: bool) -> None:
    def create(store: Any) -> None:
        in_namespace(store)
        store.create(
            "pods",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"shim-installer-{name}",
                    "namespace": SYSTEM_NAMESPACE,
                    "labels": {"app.kubernetes.io/component": "shim-installer"},
                },
                "spec": {"nodeName": name, "containers": [{"name": "keep", "image": "i"}]},
            },
        )
        status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
        store.mutate("pods", f"shim-installer-{name}", SYSTEM_NAMESPACE, lambda pod: pod.update(status=status))

    api.do(create)


def test_it_is_lost_where_nodes_are_marked_and_no_installer_is(api: RunningApi, client: KubeClient) -> None:
    pod = node(api, "local", **{SHIMS: INSTALLED})
    assert with_installer(client, pod, LACKS) == LACKS


@pytest.mark.usefixtures("installer")
@pytest.mark.parametrize("has_pod", [False, True])
def test_it_is_waited_for_while_the_installer_is_at_work(api: RunningApi, client: KubeClient, has_pod: bool) -> None:
    name = f"young-{has_pod}".lower()
    pod = node(api, name, **{SHIMS: INSTALLED})
    if has_pod:
        installer_on(api, name, ready=False)
    assert with_installer(client, pod, LACKS).grace == INSTALL_GRACE
    assert with_installer(client, pod, Cause("ImageUnknown", "x", 45.0)).grace == 45.0


def test_it_is_lost_where_no_installer_works_or_all_is_done(api: RunningApi, client: KubeClient) -> None:
    assert with_installer(client, node(api, "plain"), LACKS) == LACKS
    pod = node(api, "done", **{SHIMS: INSTALLED})
    installer_on(api, "done", ready=True)
    assert with_installer(client, pod, LACKS) == LACKS
    assert with_installer(client, {"spec": {"nodeName": "gone"}}, LACKS) == LACKS
    assert with_installer(client, {"spec": {}}, LACKS) == LACKS
