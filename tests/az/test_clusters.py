"""Clusters and node pools by az, looked at with kubectl."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.az.azure_cli import ANSWER_SECONDS, KUBECTL, Az, needs_az

pytestmark = [*needs_az, pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")]
SPOT = "kubernetes.azure.com/scalesetpriority"


def test_az_waits_for_a_cluster_while_another_one_lives_its_life(az: Az, tmp_path: Path) -> None:
    az("group", "create", "-n", "az-waits", "-l", "northeurope")
    creation = ("aks", "create", "-g", "az-waits", "-n", "slow", "--node-count", "2", "--no-ssh-key", "--tags", "a=b")
    with az.beside(*creation) as creating:
        cluster_lives_its_life(az, "az-waits", tmp_path / "kubeconfig")
        output, errors = creating.communicate(timeout=ANSWER_SECONDS)
    assert creating.returncode == 0, errors
    made = json.loads(output)
    assert (made["provisioningState"], made["tags"], made["sku"]["tier"]) == ("Succeeded", {"a": "b"}, "Free")
    assert made["nodeResourceGroup"] == "MC_az-waits_slow_northeurope"
    assert [(pool["count"], pool["mode"]) for pool in made["agentPoolProfiles"]] == [(2, "System")]
    assert [one["name"] for one in az("aks", "list", "-g", "az-waits")] == ["slow"]
    az("group", "delete", "-n", "az-waits", "--yes")
    assert [group for group in az("group", "list", "--query", "[].name") if "az-waits" in group] == []


def cluster_lives_its_life(az: Az, group: str, kubeconfig: Path) -> None:
    az.add_cluster(group, "quick")
    place = ("-g", group, "-n", "quick")
    shown = az("aks", "show", *place)
    assert (shown["provisioningState"], shown["currentKubernetesVersion"]) == ("Succeeded", "1.35.5")
    resources = az("resource", "list", "-g", group)
    assert "Microsoft.ContainerService/managedClusters" in [one["type"] for one in resources if one["name"] == "quick"]
    az("aks", "get-credentials", *place, "--file", str(kubeconfig))
    assert kubeconfig.stat().st_mode & 0o077 == 0
    assert [name.startswith("aks-nodepool1-") for name in node_names(az, kubeconfig)] == [True]
    az("aks", "delete", *place, "--yes", "--no-wait")
    az("aks", "wait", *place, "--deleted", "--interval", "1")


def test_node_pools_come_grow_and_go(az: Az, group: str, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    az("aks", "get-credentials", "-g", group, "-n", "c", "--file", str(kubeconfig), "--admin")
    pools = ("-g", group, "--cluster-name", "c")
    labels = ("--labels", "runtime=wasm", "--node-taints", "runtime=wasm:NoSchedule")
    add_pool(az, *pools, "-n", "wasm", "--node-vm-size", "Standard_D2ps_v5", *labels)
    add_pool(az, *pools, "-n", "spot", "--node-vm-size", "Standard_D2s_v5", "--priority", "Spot")
    listed = {pool["name"]: pool for pool in az("aks", "nodepool", "list", *pools)}
    wasm, spot = listed["wasm"], listed["spot"]
    assert [wasm["provisioningState"], spot["provisioningState"]] == ["Succeeded", "Succeeded"]
    assert (wasm["nodeLabels"], wasm["nodeTaints"]) == ({"runtime": "wasm"}, ["runtime=wasm:NoSchedule"])
    assert (spot["nodeLabels"], spot["nodeTaints"]) == ({SPOT: "spot"}, [f"{SPOT}=spot:NoSchedule"])
    assert az("aks", "nodepool", "scale", *pools, "-n", "wasm", "--node-count", "2")["count"] == 2
    nodes = az.kubectl(kubeconfig, "get", "nodes", "-l", "runtime=wasm")["items"]
    assert [node["metadata"]["labels"]["kubernetes.io/arch"] for node in nodes] == ["arm64", "arm64"]
    taint = {"key": "runtime", "value": "wasm", "effect": "NoSchedule"}
    assert [node["spec"]["taints"] for node in nodes] == [[taint], [taint]]
    az("aks", "nodepool", "delete", *pools, "-n", "spot")
    assert "(NotFound) Could not find the agentpool" in az.refusal("aks", "nodepool", "show", *pools, "-n", "spot")
    assert [name for name in node_names(az, kubeconfig) if name.startswith("aks-spot-")] == []


def add_pool(az: Az, *pool: str) -> None:
    place = pool[:6]
    az("aks", "nodepool", "add", *pool, "--node-count", "1", "--no-wait")
    az("aks", "nodepool", "wait", *place, "--created", "--interval", "1")


def node_names(az: Az, kubeconfig: Path) -> list[str]:
    return [node["metadata"]["name"] for node in az.kubectl(kubeconfig, "get", "nodes")["items"]]
