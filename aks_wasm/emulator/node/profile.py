"""What a node pool is made of, and the Node object that AKS registers for each of its machines."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

HANDLERS_ANNOTATION = "emulator.aks-wasm.dev/handlers"
"""JSON object {handler: {shim, version}} of what an installer has put on the node; it goes with the node."""

_CONTAINERD = {
    "Ubuntu2404": ("2.3.2-1", "Ubuntu 24.04.3 LTS", "6.8.0-1041-azure"),
    "AzureLinux": ("2.2.4", "Microsoft Azure Linux 3.0", "6.6.119.3-3.azl3"),
    "AzureLinux3": ("2.2.4", "Microsoft Azure Linux 3.0", "6.6.119.3-3.azl3"),
    "Ubuntu2204": ("1.7.30-1", "Ubuntu 22.04.5 LTS", "5.15.0-1102-azure"),
}  # AKS vhd-notes of 2026-07, see facts wasm.md section 0
_RESERVED_MILLICORES = ((1, 60), (2, 100), (4, 140), (8, 180), (16, 260), (32, 420), (64, 740))
_WASI_LABELS = ("wasmtime-slight-v1", "wasmtime-spin-v1", "wasmtime-spin-v2")
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_NAMESPACE = uuid.UUID("6c1f5a0e-7b0b-4b8e-9a59-0d1f3a6c2b11")  # makes machine ids repeatable


@dataclass(frozen=True)
class NodePoolProfile:
    """One node pool as the node side sees it.

    Attributes:
        name: The pool's name, at most 12 characters on Linux.
        count: How many nodes there should be.
        vm_size: For example `Standard_D2ps_v5`.
        arch: `amd64` or `arm64`, in Kubernetes' words.
        vcpus: Virtual CPUs of the size.
        memory_gib: Memory of the size.
        kubernetes_version: The kubelet's, for example `1.35.5`.
        node_image_version: For example `AKSUbuntu-2404gen2containerd-202607.09.0`.
        mode: `System` or `User`.
        labels: The pool's own node labels.
        taints: `key=value:Effect` each.
        spot: Whether the machines are spot machines; AKS labels and taints them.
        workload_runtime: `OCIContainer` or `WasmWasi`.
        location: The region, for example `westeurope`.
        resource_group: The node resource group, `MC_...`.
        max_pods: Pods a node takes.
        zones: Availability zones, used in turn; empty for a regional pool.
        os_sku: `Ubuntu2204`, `Ubuntu2404` or `AzureLinux`; decides the containerd version.
        subscription: The id of the subscription the machines are in; part of a node's providerID.
    """

    name: str
    count: int = 1
    vm_size: str = "Standard_D2s_v5"
    arch: str = "amd64"
    vcpus: int = 2
    memory_gib: float = 8.0
    kubernetes_version: str = "1.35.5"
    node_image_version: str = "AKSUbuntu-2404gen2containerd-202607.09.0"
    mode: str = "User"
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    spot: bool = False
    workload_runtime: str = "OCIContainer"
    location: str = "westeurope"
    resource_group: str = "MC_local"
    max_pods: int = 110
    zones: tuple[str, ...] = ()
    os_sku: str = "Ubuntu2404"
    subscription: str = "00000000-0000-0000-0000-000000000000"


def node_name(profile: NodePoolProfile, index: int) -> str:
    """Return the name AKS gives machine `index` of the pool's scale set: base 36, six places."""
    digits, rest = "", index
    while rest:
        rest, digit = divmod(rest, 36)
        digits = _BASE36[digit] + digits
    cluster = zlib.crc32(profile.resource_group.lower().encode()) % 100_000_000
    return f"aks-{profile.name}-{cluster:08d}-vmss{digits:0>6}"


def node_object(profile: NodePoolProfile, index: int) -> dict[str, Any]:
    """Return the v1.Node that AKS makes for machine `index` of a pool.

    Args:
        profile: The pool.
        index: The machine's number in the scale set, from 0.
    """
    name = node_name(profile, index)
    scale_set = name[: -len("000000")]
    provider_id = (
        f"azure:///subscriptions/{profile.subscription}/resourceGroups/{profile.resource_group.lower()}"
        f"/providers/Microsoft.Compute/virtualMachineScaleSets/{scale_set}/virtualMachines/{index}"
    )
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": _labels(profile, index, name), "annotations": _annotations()},
        "spec": {
            "podCIDR": f"10.244.{index % 256}.0/24",
            "podCIDRs": [f"10.244.{index % 256}.0/24"],
            "providerID": provider_id,
            **({"taints": taints} if (taints := _taints(profile)) else {}),
        },
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": _internal_ip(name)},
                {"type": "Hostname", "address": name},
            ],
            "capacity": _capacity(profile),
            "allocatable": _allocatable(profile),
            "conditions": _conditions(),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "images": [],
            "nodeInfo": _node_info(profile, name),
        },
    }


def _internal_ip(name: str) -> str:
    number = zlib.crc32(name.encode())
    return f"10.224.{number >> 8 & 0xFF}.{number % 250 + 4}"


def _annotations() -> dict[str, str]:
    return {
        "csi.volume.kubernetes.io/nodeid": "{}",
        "node.alpha.kubernetes.io/ttl": "0",
        "volumes.kubernetes.io/controller-managed-attach-detach": "true",
    }


def _labels(profile: NodePoolProfile, index: int, name: str) -> dict[str, str]:
    zone = f"{profile.location}-{profile.zones[index % len(profile.zones)]}" if profile.zones else "0"
    azure = {
        "agentpool": profile.name,
        "cluster": profile.resource_group,
        "kubelet-serving-ca": "cluster",
        "mode": profile.mode.lower(),
        "node-image-version": profile.node_image_version,
        "nodepool-type": "VirtualMachineScaleSets",
        "os-sku": "AzureLinux" if profile.os_sku.startswith("AzureLinux") else "Ubuntu",
        "os-sku-effective": profile.os_sku,
        "role": "agent",
        "storageprofile": "managed",
        "storagetier": "Premium_LRS",
    }
    if profile.spot:
        azure["scalesetpriority"] = "spot"
    if profile.workload_runtime == "WasmWasi":
        azure |= dict.fromkeys(_WASI_LABELS, "true")
    return {
        "agentpool": profile.name,
        "beta.kubernetes.io/arch": profile.arch,
        "beta.kubernetes.io/instance-type": profile.vm_size,
        "beta.kubernetes.io/os": "linux",
        "failure-domain.beta.kubernetes.io/region": profile.location,
        "failure-domain.beta.kubernetes.io/zone": zone,
        **{f"kubernetes.azure.com/{key}": value for key, value in azure.items()},
        "kubernetes.io/arch": profile.arch,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": profile.vm_size,
        "topology.kubernetes.io/region": profile.location,
        "topology.kubernetes.io/zone": zone,
        **profile.labels,
    }


def _taints(profile: NodePoolProfile) -> list[dict[str, str]]:
    written = list(profile.taints)
    spot = "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"
    if profile.spot and spot not in written:
        written.append(spot)
    taints = []
    for text in written:
        pair, _, effect = text.rpartition(":")
        key, _, value = pair.partition("=")
        taints.append({"key": key, **({"value": value} if value else {}), "effect": effect})
    return taints


def _capacity(profile: NodePoolProfile) -> dict[str, str]:
    # The hypervisor and the kernel keep about 3 % of a machine's memory.
    return {
        "cpu": str(profile.vcpus),
        "ephemeral-storage": "129886128Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{int(profile.memory_gib * 1024 * 1024 * 0.97)}Ki",
        "pods": str(profile.max_pods),
    }


def _allocatable(profile: NodePoolProfile) -> dict[str, str]:
    """Capacity less what AKS reserves (node-resource-reservations in azure-aks-docs, Kubernetes >= 1.29)."""
    capacity = _capacity(profile)
    total = int(capacity["memory"].removesuffix("Ki"))
    reserved = min((20 * profile.max_pods + 50) * 1024, total // 4) + 100 * 1024
    millicores = next((m for cpus, m in reversed(_RESERVED_MILLICORES) if cpus <= profile.vcpus), 60)
    return capacity | {
        "cpu": f"{profile.vcpus * 1000 - millicores}m",
        "ephemeral-storage": "119703055367",
        "memory": f"{total - reserved}Ki",
    }


def _conditions() -> list[dict[str, str]]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    )
    return [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        for kind, status, reason, message in rows
    ]


def _node_info(profile: NodePoolProfile, name: str) -> dict[str, str]:
    containerd, os_image, kernel = _CONTAINERD.get(profile.os_sku, _CONTAINERD["Ubuntu2404"])
    return {
        "architecture": profile.arch,
        "bootID": str(uuid.uuid4()),
        "containerRuntimeVersion": f"containerd://{containerd}",
        "kernelVersion": kernel,
        "kubeProxyVersion": "",
        "kubeletVersion": f"v{profile.kubernetes_version}",
        "machineID": uuid.uuid5(_NAMESPACE, name).hex,
        "operatingSystem": "linux",
        "osImage": os_image,
        "systemUUID": str(uuid.uuid5(_NAMESPACE, f"{profile.resource_group}/{name}")),
    }
