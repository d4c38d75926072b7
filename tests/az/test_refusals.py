"""What az prints when AKS says no."""

from __future__ import annotations

import json

from tests.az.azure_cli import CONTAINER_SERVICE, Az, needs_az

pytestmark = needs_az
# Facts azure.md, section 0: what AKS answered in 2026.
RETIRED = (
    "The agent pool mywasipool has a deprecated workload runtime WasmWasi. WebAssembly System Interface (WASI) node "
    "pools (preview) are no longer supported on AKS. For more information on the retirement, see "
    "https://aka.ms/aks/wasi-retirement. If you'd like to run WebAssembly (WASM) workloads, you can deploy SpinKube to "
    "Azure Kubernetes Service."
)
WASI_POOL = {
    "properties": {
        "count": 1,
        "mode": "User",
        "osType": "Linux",
        "type": "VirtualMachineScaleSets",
        "vmSize": "Standard_D2s_v5",
        "workloadRuntime": "WasmWasi",
    }
}


def put_wasi_pool(az: Az, group: str) -> tuple[str, ...]:
    """Return the arguments with which az sends what its `nodepool add` no longer lets through."""
    path = (
        f"/subscriptions/{az.account['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{group}/providers/"
        "Microsoft.ContainerService/managedClusters/c/agentPools/mywasipool?api-version=2026-06-01"
    )
    return ("rest", "--method", "put", "--url", path, "--body", json.dumps(WASI_POOL))


def test_az_prints_what_aks_refuses(az: Az, group: str) -> None:
    add = ("aks", "nodepool", "add", "-g", group, "--cluster-name", "c", "-n", "more")
    refused = az.run(*put_wasi_pool(az, group))
    assert refused.returncode == 1
    assert refused.stderr.startswith("ERROR: Bad Request(")
    answer = json.loads(refused.stderr[len("ERROR: Bad Request(") : refused.stderr.rindex(")")])
    assert (answer["code"], answer["message"]) == ("InvalidWorkloadRuntimeSettingError", RETIRED)
    too_many = az.refusal(*add, "--node-vm-size", "Standard_D2ds_v5", "--node-count", "60")
    assert too_many.startswith(
        "ERROR: (ErrCode_InsufficientVCPUQuota) Insufficient vcpu quota requested 120, remaining 100 for family "
        "standardDDSv5Family for region uksouth."
    )
    unknown = az.refusal(*add, "--node-vm-size", "Standard_Nope", "--node-count", "1")
    assert unknown.startswith(
        "ERROR: (BadRequest) The VM size of Standard_Nope is not allowed in your subscription in location 'uksouth'."
    )
    old = az.refusal("aks", "create", "-g", group, "-n", "old", "--kubernetes-version", "1.20.7", "--no-ssh-key")
    assert old.startswith("ERROR: (K8sVersionNotSupported) Managed cluster old is on version 1.20.7 which is not supp")
    pools = az("aks", "show", "-g", group, "-n", "c")["agentPoolProfiles"]
    assert {"mywasipool", "more"}.isdisjoint(pool["name"] for pool in pools)
    assert az.refusal("aks", "show", "-g", group, "-n", "old").startswith(
        "ERROR: (ResourceNotFound) The Resource 'Microsoft.ContainerService/managedClusters/old' under resource group "
        f"'{group}' was not found."
    )


def test_a_change_beside_another_one_is_refused_until_that_is_aborted(az: Az, group: str) -> None:
    pool = ("-g", group, "--cluster-name", "c", "-n")
    new = ("--node-vm-size", "Standard_D2ps_v5", "--node-count", "1", "--no-wait")
    az.emulator.control(
        "POST", "faults", {"match": {"method": "PUT", "path": "/c/agentPools/stuck$"}, "fault": "stuck"}
    )
    az("aks", "nodepool", "add", *pool, "stuck", *new)
    assert az.refusal("aks", "nodepool", "add", *pool, "second", *new) == (
        "ERROR: (OperationNotAllowed) Operation is not allowed: Another agentpool operation (stuck - Creating) is in "
        "progress, please wait for it to finish before starting a new operation. See "
        "https://aka.ms/aks-pending-operation for more details"
    )
    az("aks", "nodepool", "operation-abort", "-g", group, "--cluster-name", "c", "--nodepool-name", "stuck")
    assert az("aks", "nodepool", "show", *pool, "stuck")["provisioningState"] == "Canceled"


def test_in_2022_a_wasi_pool_is_granted_once_feature_and_provider_are_registered(az_2022: Az) -> None:
    az_2022("feature", "register", *CONTAINER_SERVICE, "-n", "WasmNodePoolPreview")
    az_2022("provider", "register", *CONTAINER_SERVICE, "--wait")
    az_2022.make_cluster("az-granted", "westus2")
    granted = az_2022(*put_wasi_pool(az_2022, "az-granted"))["properties"]
    assert (granted["provisioningState"], granted["workloadRuntime"]) == ("Creating", "WasmWasi")
