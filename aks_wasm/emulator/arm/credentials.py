"""Kubeconfigs of managed clusters, for users and admins."""

from __future__ import annotations

import base64
from typing import Any

from aks_wasm.emulator.arm import locks, versions
from aks_wasm.emulator.arm.admission import require_cluster
from aks_wasm.emulator.arm.context import Arm, ArmCluster, Document
from aks_wasm.emulator.arm.errors import bad_request
from aks_wasm.emulator.arm.operations import busy
from aks_wasm.emulator.arm.routing import Call, Reply, Route
from aks_wasm.emulator.identity import AKS_SERVER_APPLICATION

_LOGIN_APPLICATION = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"  # kubelogin's, for interactive logins only
# azure-aks-docs local-accounts.md
_NO_STATIC = "Getting static credential isn't allowed because this cluster is set to disable local accounts."


def _emulated(arm: Arm, cluster: Document) -> ArmCluster:
    emulated = arm.context.fleet.get(cluster["fleetKey"])
    if emulated is None:  # being made, or made in vain
        raise busy(cluster["state"])
    return emulated


def _user(arm: Arm, call: Call) -> Reply:
    cluster = require_cluster(arm, call)
    locks.refuse(arm, cluster["id"], deletes=False)
    entra = bool(cluster["properties"].get("aadProfile"))
    if not entra and cluster["properties"]["disableLocalAccounts"]:
        raise bad_request(_NO_STATIC)
    kubeconfig = _emulated(arm, cluster).kubeconfig(
        name=cluster["name"],
        user=f"clusterUser_{cluster['group']}_{cluster['name']}",
        kind="exec" if entra else "certificate",
        exec_config=_exec_config(arm.context.tokens.tenant_id) if entra else None,
    )
    return _reply("clusterUser", kubeconfig)


def _admin(arm: Arm, call: Call) -> Reply:
    cluster = require_cluster(arm, call)
    locks.refuse(arm, cluster["id"], deletes=False)
    if cluster["properties"]["disableLocalAccounts"]:
        raise bad_request(_NO_STATIC)
    kubeconfig = _emulated(arm, cluster).kubeconfig(
        name=f"{cluster['name']}-admin" if cluster["properties"].get("aadProfile") else cluster["name"],
        user=f"clusterAdmin_{cluster['group']}_{cluster['name']}",
        kind="certificate",
    )
    return _reply("clusterAdmin", kubeconfig)


def _exec_config(tenant: str) -> dict[str, Any]:
    arguments = {
        "--environment": "AzurePublicCloud",
        "--server-id": AKS_SERVER_APPLICATION,
        "--client-id": _LOGIN_APPLICATION,
        "--tenant-id": tenant,
        "--login": "devicecode",
    }
    return {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "kubelogin",
        "args": ["get-token", *(part for pair in arguments.items() for part in pair)],
        "env": None,
        "provideClusterInfo": False,
    }


def _reply(name: str, kubeconfig: str) -> Reply:
    value = base64.b64encode(kubeconfig.encode()).decode()
    return Reply(body={"kubeconfigs": [{"name": name, "value": value}]})


_CLUSTER = (
    "/subscriptions/{subscription}/resourcegroups/{group}/providers/Microsoft.ContainerService"
    "/managedClusters/{cluster}"
)
_TYPE = "Microsoft.ContainerService/managedClusters"
_USER_ACTION = f"{_TYPE}/listClusterUserCredential/action"
_ADMIN_ACTION = f"{_TYPE}/listClusterAdminCredential/action"
ROUTES = (
    Route("POST", f"{_CLUSTER}/listClusterUserCredential", _user, versions.CLUSTERS, _USER_ACTION),
    Route("POST", f"{_CLUSTER}/listClusterAdminCredential", _admin, versions.CLUSTERS, _ADMIN_ACTION),
)
