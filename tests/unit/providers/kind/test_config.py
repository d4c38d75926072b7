from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from aks_wasm.providers.base import NodePoolRequest
from aks_wasm.providers.kind.config import Wish, cluster_config

SYSTEM = NodePoolRequest("system", "amd64", None, "shim", 1, mode="System")
WASM = NodePoolRequest(
    "wasm",
    "amd64",
    "Standard_D2s_v5",
    "shim",
    2,
    labels={"aks-wasm.dev/shims": "installed"},
    taints=("aks-wasm.dev/wasm=true:NoSchedule", "gpu:NoExecute"),
)


def config(*pools: NodePoolRequest, **fields: Any) -> dict[str, Any]:
    wish = Wish("hello", "kindest/node:v1.36.4", pools or (SYSTEM, WASM), Path("/home/kind/hello/provided"), **fields)
    document: dict[str, Any] = yaml.safe_load(cluster_config(wish))
    return document


def test_a_pool_has_a_worker_for_each_of_its_nodes() -> None:
    document = config()
    assert (document["kind"], document["apiVersion"], document["name"]) == (
        "Cluster",
        "kind.x-k8s.io/v1alpha4",
        "hello",
    )
    assert [node["role"] for node in document["nodes"]] == ["control-plane", "worker", "worker"]
    assert {node["image"] for node in document["nodes"]} == {"kindest/node:v1.36.4"}


def test_workers_are_labelled_and_tainted_as_on_aks() -> None:
    worker = config()["nodes"][1]
    assert worker["labels"] == {
        "kubernetes.azure.com/agentpool": "wasm",
        "agentpool": "wasm",
        "kubernetes.azure.com/mode": "user",
        "node.kubernetes.io/instance-type": "Standard_D2s_v5",
        "aks-wasm.dev/shims": "installed",
    }
    (patch,) = worker["kubeadmConfigPatches"]
    assert yaml.safe_load(patch) == {
        "kind": "JoinConfiguration",
        "nodeRegistration": {
            "taints": [
                {"key": "aks-wasm.dev/wasm", "value": "true", "effect": "NoSchedule"},
                {"key": "gpu", "effect": "NoExecute"},
            ]
        },
    }


def test_ordinary_pods_run_on_the_control_plane_which_is_the_system_pool() -> None:
    node = config()["nodes"][0]
    assert node["labels"]["kubernetes.azure.com/agentpool"] == "system"
    (patch,) = node["kubeadmConfigPatches"]
    assert yaml.safe_load(patch) == {"kind": "InitConfiguration", "nodeRegistration": {"taints": []}}


def test_every_node_sees_the_shims_and_with_them_our_mark() -> None:
    for node in config()["nodes"]:
        assert node["extraMounts"] == [
            {
                "hostPath": "/home/kind/hello/provided",
                "containerPath": "/opt/aks-wasm/provided",
                "readOnly": True,
            }
        ]


def test_patches_go_in_and_no_patch_leaves_the_file_as_it_is() -> None:
    assert config(patches=("version = 2\n",))["containerdConfigPatches"] == ["version = 2\n"]
    assert "containerdConfigPatches" not in config()


def test_an_image_without_a_network_of_its_own_gets_none() -> None:
    assert config(default_network=False)["networking"] == {"disableDefaultCNI": True}
    assert "networking" not in config()


def test_an_autoscaled_pool_has_its_least_count_and_a_spot_pool_its_marks() -> None:
    spot = NodePoolRequest("spot", "amd64", None, "shim", 0, min=1, max=3, spot=True)
    worker = config(SYSTEM, spot)["nodes"][1]
    assert worker["labels"]["kubernetes.azure.com/scalesetpriority"] == "spot"
    (taint,) = yaml.safe_load(worker["kubeadmConfigPatches"][0])["nodeRegistration"]["taints"]
    assert taint == {"key": "kubernetes.azure.com/scalesetpriority", "value": "spot", "effect": "NoSchedule"}


def test_a_pool_of_no_nodes_has_no_worker() -> None:
    assert len(config(SYSTEM, NodePoolRequest("none", "amd64", None, "shim", 0))["nodes"]) == 1
