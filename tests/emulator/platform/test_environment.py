from __future__ import annotations

import json
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import certifi
import pytest
import requests

from aks_wasm.emulator.environment import render, variables
from aks_wasm.errors import AksWasmError, UsageError

SIGN_IN = """
import os
from azure.identity import DefaultAzureCredential
from azure.mgmt.resource.resources import ResourceManagementClient
with DefaultAzureCredential(disable_instance_discovery=True) as credential:
    with ResourceManagementClient(
        credential,
        os.environ["AZURE_SUBSCRIPTION_ID"],
        base_url=os.environ["AKS_WASM_ARM_ENDPOINT"],
        credential_scopes=[os.environ["AKS_WASM_ARM_AUDIENCE"] + "/.default"],
    ) as client:
        print([group.name for group in client.resource_groups.list() if group.name == "never-made"])
"""
DOCUMENTED = {
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_AUTHORITY_HOST",
    "AKS_WASM_ARM_ENDPOINT",
    "AKS_WASM_ARM_AUDIENCE",
    "AKS_WASM_REGISTRY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "ARM_SUBSCRIPTION_ID",
    "ARM_TENANT_ID",
    "ARM_CLIENT_ID",
    "ARM_CLIENT_SECRET",
    "ARM_METADATA_HOSTNAME",
    "AZURE_CONFIG_DIR",
    "AZURE_CORE_INSTANCE_DISCOVERY",
    "AZURE_CORE_COLLECT_TELEMETRY",
    "NO_PROXY",
}


def test_everything_that_clients_need_is_there(emulator):
    values = emulator.environment
    assert values.keys() >= DOCUMENTED
    assert values["AKS_WASM_REGISTRY"] == emulator.url.removeprefix("https://") + "/aks-wasm"
    assert values["ARM_CLIENT_SECRET"] == values["AZURE_CLIENT_SECRET"]
    assert "https://" not in values["ARM_METADATA_HOSTNAME"]


def test_the_bundle_trusts_the_emulator_and_the_public_authorities(emulator):
    bundle = Path(emulator.environment["REQUESTS_CA_BUNDLE"])
    context = ssl.create_default_context(cafile=str(bundle))
    assert len(context.get_ca_certs()) == len(ssl.create_default_context(cafile=certifi.where()).get_ca_certs()) + 1
    assert requests.get(f"{emulator.url}/v2/", verify=str(bundle), timeout=20).status_code == 200
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600


def test_a_companys_own_bundle_is_kept_and_ours_is_not_added_twice(emulator, tmp_path):
    company = tmp_path / "company.pem"
    company.write_bytes(Path(certifi.where()).read_bytes().split(b"-----END CERTIFICATE-----")[0])
    company.write_bytes(company.read_bytes() + b"-----END CERTIFICATE-----\n")
    inherited = {"REQUESTS_CA_BUNDLE": str(company)}
    for _ in range(2):
        inherited = variables(emulator.running, inherited)
    assert Path(inherited["REQUESTS_CA_BUNDLE"]).read_bytes().count(b"BEGIN CERTIFICATE") > 100
    values = variables(emulator.running, {"REQUESTS_CA_BUNDLE": str(company)})
    assert Path(values["REQUESTS_CA_BUNDLE"]).read_bytes().count(b"BEGIN CERTIFICATE") == 2


def test_loopback_joins_the_hosts_that_need_no_proxy(emulator):
    values = variables(emulator.running, {"NO_PROXY": "intranet, localhost"})
    assert values["NO_PROXY"] == values["no_proxy"] == "intranet,localhost,127.0.0.1"


def test_a_shell_evaluates_what_is_printed_whatever_is_in_the_values():
    values = {"PLAIN": "a", "ODD": 'it\'s "$HOME" `id`; \\ $(id)'}
    script = render(values, "sh") + 'printf "%s|%s" "$PLAIN" "$ODD"'
    shown = subprocess.run(["/bin/sh", "-ec", script], capture_output=True, text=True, check=True)
    assert shown.stdout == f"a|{values['ODD']}"
    assert shown.stderr == ""


def test_the_real_sdk_needs_nothing_but_the_printed_variables(emulator):
    script = render(emulator.environment, "sh") + 'exec "$0" -c "$1"'
    command = ["/bin/sh", "-ec", script, sys.executable, SIGN_IN]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (shown.stdout, shown.stderr) == ("[]\n", "")


def test_az_and_kubectl_are_told_the_commands_that_no_variable_replaces():
    remarks = [line for line in render({"A": "1"}, "sh").splitlines() if line.startswith("#")]
    assert any("az cloud register" in line for line in remarks)
    assert any("az aks get-credentials" in line for line in remarks)
    assert any("export KUBECONFIG" in line for line in remarks)


def test_json_is_one_document():
    assert json.loads(render({"A": "1"}, "json")) == {"A": "1"}


def test_github_gets_the_variables_in_its_file_and_masked_secrets_on_stdout(tmp_path):
    target = tmp_path / "github-env"
    target.write_text("BEFORE=1\n")
    values = {"AZURE_CLIENT_ID": "id", "AZURE_CLIENT_SECRET": "s3cret", "ARM_CLIENT_SECRET": "s3cret"}
    assert render(values, "github", {"GITHUB_ENV": str(target)}) == "::add-mask::s3cret\n"
    lines = target.read_text().splitlines()
    assert lines == ["BEFORE=1", "AZURE_CLIENT_ID=id", "AZURE_CLIENT_SECRET=s3cret", "ARM_CLIENT_SECRET=s3cret"]


def test_github_outside_of_github_actions_is_a_usage_error():
    with pytest.raises(UsageError, match="GITHUB_ENV"):
        render({}, "github", {})


def test_a_github_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(AksWasmError, match="can't be written"):
        render({}, "github", {"GITHUB_ENV": str(tmp_path)})


def test_an_unknown_format_is_a_usage_error_that_lists_the_known_ones():
    with pytest.raises(UsageError) as caught:
        render({}, "powershell")
    assert caught.value.hint == "there are sh, json, github"
