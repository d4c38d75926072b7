"""The real az (2.91.0) against the whole emulator: sign in, register, make, scale, look, delete.

It takes two minutes: az waits 30 s between polls, because AKS sends no Retry-After.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.running_emulator import EmulatorFactory, RunningEmulator

AZ = os.environ.get("AKS_WASM_TEST_AZ", "")
pytestmark = [
    pytest.mark.az,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not AZ, reason="AKS_WASM_TEST_AZ names no az"),
]
PLACE = ("-g", "rg", "--cluster-name", "c")


class Az:
    """An az of its own configuration, signed in to an emulator."""

    def __init__(self, emulator: RunningEmulator, home: Path) -> None:
        self._environment = {
            **emulator.environment,
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AZURE_CONFIG_DIR": str(home / "az"),
        }
        account = emulator.environment
        self("cloud", "register", "-n", "Emulator", "--endpoint-resource-manager", emulator.url)
        self("cloud", "set", "-n", "Emulator")
        secret = ("-u", account["AZURE_CLIENT_ID"], "-p", account["AZURE_CLIENT_SECRET"])
        self("login", "--service-principal", *secret, "-t", account["AZURE_TENANT_ID"])

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [AZ, *arguments, "-o", "json"]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False, timeout=120)

    def __call__(self, *arguments: str) -> Any:
        done = self.run(*arguments)
        assert done.returncode == 0, f"az {' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture
def az(start_emulator: EmulatorFactory, tmp_path: Path) -> Az:
    return Az(start_emulator(), tmp_path)


def test_az_goes_the_whole_way(az: Az, tmp_path: Path) -> None:
    az("provider", "register", "--namespace", "Microsoft.ContainerService", "--wait")
    feature = ("--namespace", "Microsoft.ContainerService", "--name", "WasmNodePoolPreview")
    assert az("feature", "register", *feature)["properties"]["state"] == "Registered"
    assert az("feature", "show", *feature)["name"].lower() == "microsoft.containerservice/wasmnodepoolpreview"
    az("group", "create", "-n", "rg", "-l", "westeurope", "--tags", "a=b")
    assert az("group", "exists", "-n", "rg") is True
    cluster = ("-g", "rg", "-n", "c")
    made = az("aks", "create", *cluster, "--node-count", "1", "--node-vm-size", "Standard_D2s_v5", "--no-ssh-key")
    assert made["provisioningState"] == "Succeeded"
    assert [one["name"] for one in az("aks", "list")] == ["c"]
    assert az("aks", "show", *cluster)["currentKubernetesVersion"] == "1.35.5"
    pool = (*PLACE, "-n", "wasm")
    added = az("aks", "nodepool", "add", *pool, "--node-count", "1", "--node-vm-size", "Standard_D2ps_v5")
    assert added["provisioningState"] == "Succeeded"
    assert az("aks", "nodepool", "scale", *pool, "--node-count", "2")["count"] == 2
    assert [one["name"] for one in az("aks", "nodepool", "list", *PLACE)] == ["nodepool1", "wasm"]
    kubeconfig = tmp_path / "kubeconfig"
    az("aks", "get-credentials", *cluster, "--file", str(kubeconfig))
    assert "https://127.0.0.1:" in kubeconfig.read_text()
    az("aks", "nodepool", "delete", *pool)
    az("aks", "delete", *cluster, "--yes")
    az("group", "delete", "-n", "rg", "--yes")
    assert az("group", "exists", "-n", "rg") is False


def test_az_shows_the_services_refusals_and_lists(az: Az) -> None:
    az("provider", "register", "--namespace", "Microsoft.ContainerService", "--wait")
    az("group", "create", "-n", "rg", "-l", "westeurope")
    refused = az.run("aks", "show", "-g", "rg", "-n", "nope")
    assert refused.returncode == 3
    assert "(ResourceNotFound)" in refused.stderr
    unknown = az.run("feature", "show", "--namespace", "Microsoft.ContainerService", "--name", "Nonsense")
    assert "The feature 'Nonsense' could not be found." in unknown.stderr
    sizes = az("vm", "list-skus", "-l", "westeurope", "--resource-type", "virtualMachines", "--all")
    assert "Standard_D2ps_v5" in [size["name"] for size in sizes]
    usages = az("vm", "list-usage", "-l", "westeurope")
    assert "cores" in [usage["name"]["value"] for usage in usages]
    versions = az("aks", "get-versions", "-l", "westeurope")["values"]
    assert [one["version"] for one in versions if one["isDefault"]] == ["1.35"]
    az("lock", "create", "-n", "keep", "-g", "rg", "--lock-type", "CanNotDelete")
    assert "(ScopeLocked)" in az.run("group", "delete", "-n", "rg", "--yes").stderr
    az("lock", "delete", "-n", "keep", "-g", "rg")
    assert [one["name"] for one in az("account", "list")] == ["Emulator"]
    assert "West Europe" in [one["displayName"] for one in az("account", "list-locations")]
