"""az as its user first meets the emulator: sign-in, features, providers, what the region offers."""

from __future__ import annotations

from pathlib import Path

from tests.az.azure_cli import CLOUD, CONTAINER_SERVICE, Az, needs_az
from tests.running_emulator import RunningEmulator

pytestmark = needs_az


def test_az_is_signed_in_to_the_emulators_subscription(az: Az) -> None:
    account = az("account", "show")
    assert account["environmentName"] == CLOUD
    assert account["id"] == az.account["AZURE_SUBSCRIPTION_ID"]
    assert account["user"] == {"name": az.account["AZURE_CLIENT_ID"], "type": "servicePrincipal"}
    assert az("cloud", "show")["endpoints"]["resourceManager"].rstrip("/") == az.emulator.url


def test_a_wrong_secret_is_refused_in_entras_words(emulator: RunningEmulator, tmp_path: Path) -> None:
    refused = Az(emulator, tmp_path).sign_in(secret="wrong")
    assert refused.returncode == 1
    assert refused.stderr.startswith("ERROR: AADSTS7000215: Invalid client secret provided. Ensure the secret being ")


def test_feature_and_provider_are_registered(az: Az) -> None:
    feature = (*CONTAINER_SERVICE, "-n", "WasmNodePoolPreview")
    registered = az("feature", "register", *feature)
    assert registered["properties"]["state"] == "Registered"
    assert registered["name"] == "microsoft.ContainerService/WasmNodePoolPreview"
    assert az("feature", "show", *feature)["properties"]["state"] == "Registered"
    states = {one["name"]: one["properties"]["state"] for one in az("feature", "list", *CONTAINER_SERVICE)}
    assert states["microsoft.ContainerService/WasmNodePoolPreview"] == "Registered"
    assert "NotRegistered" in states.values()
    provider = az("provider", "show", *CONTAINER_SERVICE)
    assert provider["registrationState"] == "Registered"
    assert "managedClusters" in [kind["resourceType"] for kind in provider["resourceTypes"]]


def test_the_region_tells_versions_sizes_and_quotas(az: Az) -> None:
    versions = az("aks", "get-versions", "-l", "westeurope")["values"]
    assert [one["version"] for one in versions if one["isDefault"]] == ["1.35"]
    sizes = az("vm", "list-skus", "-l", "westeurope", "--resource-type", "virtualMachines", "--size", "Standard_D2ps")
    capabilities = {one["name"]: one["value"] for one in sizes[0]["capabilities"]}
    assert (sizes[0]["name"], capabilities["CpuArchitectureType"]) == ("Standard_D2ps_v5", "Arm64")
    usages = {one["name"]["value"]: one for one in az("vm", "list-usage", "-l", "westeurope")}
    assert usages["cores"]["localName"] == "Total Regional vCPUs"
    assert int(usages["standardDPSv5Family"]["limit"]) == 100
