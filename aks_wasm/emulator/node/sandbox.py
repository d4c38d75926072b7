"""A pod's volumes and sandbox: the runtime its RuntimeClass stands for, its address; waits until all can be had."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from aks_wasm.emulator.node.container_spec import surroundings
from aks_wasm.emulator.node.container_worker import PodScene
from aks_wasm.emulator.node.node_context import NodeContext
from aks_wasm.emulator.node.pod_status import Pod, set_condition
from aks_wasm.emulator.node.runtimes import Runtime, missing_handler, runtimes_of
from aks_wasm.emulator.node.volumes import MountError, materialise

_SANDBOX_SECONDS = 0.5  # recorded
_SANDBOX_RETRY = 12.0  # seconds between two tries of the kubelet
_FIRST_MOUNT_RETRY, _LONGEST_MOUNT_RETRY = 0.5, 122.0


class NodeGone(Exception):
    """The pod's node is no longer there."""


async def make_sandbox(context: NodeContext, pod: Pod) -> PodScene:
    """Set up what the pod's containers share; says in events why it can't, and tries again.

    Raises:
        NodeGone: The node vanished meanwhile.
    """
    while True:
        node = context.store.peek("nodes", pod["spec"]["nodeName"])
        if node is None:
            raise NodeGone
        runtime = _runtime(context, pod, node)
        if isinstance(runtime, Runtime):
            break
        prefix = "Failed to create pod sandbox: "
        context.event(pod, "FailedCreatePodSandBox", prefix + runtime, warning=True)
        await context.back_off(_SANDBOX_RETRY)
    await context.pace.spend(_SANDBOX_SECONDS)
    ip = _address(context, pod, node)

    def ready(stored: Pod) -> None:
        stored["status"] |= {"podIP": ip, "podIPs": [{"ip": ip}]}
        set_condition(stored, "PodReadyToStartContainers", holds=True)

    context.update(pod, ready)
    arch = (node["metadata"].get("labels") or {}).get("kubernetes.io/arch", "amd64")
    return PodScene(context=context, pod=pod, runtime=runtime, platform=f"linux/{arch}", ip=ip)


def host_ip(node: Mapping[str, Any]) -> str:
    """Return the node's internal address."""
    addresses = (node.get("status") or {}).get("addresses") or ()
    return next((str(entry["address"]) for entry in addresses if entry["type"] == "InternalIP"), "")


def _runtime(context: NodeContext, pod: Pod, node: Mapping[str, Any]) -> Runtime | str:
    """Return the pod's runtime, or why there is none in the words of kubelet and containerd."""
    handler, name = "", pod["spec"].get("runtimeClassName")
    if name:
        runtime_class = context.store.peek("runtimeclasses.node.k8s.io", name)
        if runtime_class is None:
            return f'failed to get RuntimeClass "{name}": runtimeclass.node.k8s.io "{name}" not found'
        handler = runtime_class["handler"]
    found = runtimes_of(node).get(handler)
    if found is not None:
        return found
    return f"rpc error: code = Unknown desc = {missing_handler(node, handler, secrets.token_hex(32))}"


def _address(context: NodeContext, pod: Pod, node: Mapping[str, Any]) -> str:
    if pod["spec"].get("hostNetwork"):
        return host_ip(node)
    wanted = (pod.get("status") or {}).get("podIP")
    return context.network.assign(pod["metadata"]["uid"], node["spec"]["podCIDR"], wanted)


async def set_up_volumes(context: NodeContext, pod: Pod, *, leave_out: str = "") -> None:
    """Make the pod's volumes; says in events what is missing, and tries again.

    Args:
        context: The node's.
        pod: Whose.
        leave_out: A kind of volume that the caller does without.
    """
    delay = _FIRST_MOUNT_RETRY
    folder = context.pod_folder(pod["metadata"]["uid"]) / "volumes"
    while True:
        try:
            materialise(surroundings(context.store, pod), folder, leave_out=leave_out)
        except MountError as error:
            context.event(pod, "FailedMount", str(error), warning=True)
            await context.back_off(delay)
            delay = min(delay * 2, _LONGEST_MOUNT_RETRY)
        else:
            return
