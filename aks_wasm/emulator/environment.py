"""What others need to talk to the emulator: `aks-wasm emulator env` for az, Terraform, SDKs and kubectl."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import certifi

from aks_wasm.emulator.certificates import write_private
from aks_wasm.emulator.launch import Running
from aks_wasm.emulator.layout import Layout, unwritable
from aks_wasm.errors import UsageError

FORMATS = ("sh", "json", "github")
SECRETS = ("AZURE_CLIENT_SECRET", "ARM_CLIENT_SECRET")
LOOPBACK = ("localhost", "127.0.0.1")
REPOSITORY = "aks-wasm"  # where packaged modules go in the emulator's registry

_AZ = """\
# az needs these once more:
#   az cloud register -n aks-wasm-emulator --endpoint-resource-manager "$AKS_WASM_ARM_ENDPOINT"
#   az cloud set -n aks-wasm-emulator
#   az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" -t "$AZURE_TENANT_ID"
#   az provider register -n Microsoft.ContainerService --wait
"""
# Each cluster has its own, so there is no variable to set beforehand.
_KUBECTL = """\
# kubectl takes a cluster's kubeconfig:
#   az aks get-credentials -g GROUP -n CLUSTER -f FILE    # or: aks-wasm kubeconfig --target emulator > FILE
#   export KUBECONFIG=FILE
"""


def variables(running: Running, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables; the trust bundle they name is written beside the emulator's state.

    Args:
        running: The daemon.
        inherited: The environment they will be added to; default: that of this process.

    Raises:
        Unreachable: The daemon has gone.
        AksWasmError: The bundle can't be written.
    """
    inherited = os.environ if inherited is None else inherited
    layout = Layout.of(running.home)
    account: dict[str, str] = running.client().get("environment")
    place = running.url.removeprefix("https://")
    bundle = str(_bundle(layout, inherited))
    no_proxy = _no_proxy(inherited)
    return {
        **account,
        "AZURE_AUTHORITY_HOST": running.url,
        "AKS_WASM_ARM_ENDPOINT": running.url,
        "AKS_WASM_ARM_AUDIENCE": running.url,
        "AKS_WASM_REGISTRY": f"{place}/{REPOSITORY}",
        "REQUESTS_CA_BUNDLE": bundle,  # Python: the SDK, az
        "SSL_CERT_FILE": bundle,  # Go: Terraform, kubectl, oras
        "NODE_EXTRA_CA_CERTS": str(layout.certificate),
        **_terraform(account, place),
        **_az(layout),
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,  # wins over the other one where both are set
    }


def render(values: Mapping[str, str], style: str, inherited: Mapping[str, str] | None = None) -> str:
    """Return what to print on stdout.

    Args:
        values: The variables.
        style: `sh` to be evaluated by a shell; `json`; `github` masks the secrets, and appends the variables to
            the file that $GITHUB_ENV names, so that the steps after this one have them.
        inherited: Where GITHUB_ENV is looked up; default: the environment of this process.

    Raises:
        UsageError: The style is unknown, or GITHUB_ENV is not set.
        AksWasmError: The file of GITHUB_ENV can't be written.
    """
    if style == "sh":
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items()) + _AZ + _KUBECTL
    if style == "json":
        return json.dumps(dict(values), indent=2) + "\n"
    if style == "github":
        return _publish(values, os.environ if inherited is None else inherited)
    raise UsageError(f"`{style}` is not a format of `emulator env`", hint=f"there are {', '.join(FORMATS)}")


def _publish(values: Mapping[str, str], inherited: Mapping[str, str]) -> str:
    target = inherited.get("GITHUB_ENV")
    if not target:
        raise UsageError(
            "`--format github` needs GITHUB_ENV, which GitHub Actions sets in each step", hint="elsewhere use `sh`"
        )
    try:
        with Path(target).open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())
    except OSError as error:
        raise unwritable(Path(target), error) from error
    secrets = dict.fromkeys(values[name] for name in SECRETS if name in values)
    return "".join(f"::add-mask::{secret}\n" for secret in secrets)


def _terraform(account: Mapping[str, str], place: str) -> dict[str, str]:
    names = ("SUBSCRIPTION_ID", "TENANT_ID", "CLIENT_ID", "CLIENT_SECRET")
    return {
        **{f"ARM_{name}": account[f"AZURE_{name}"] for name in names},
        "ARM_METADATA_HOSTNAME": place,
        # azurerm would otherwise register dozens of providers that have nothing to do with AKS.
        "ARM_RESOURCE_PROVIDER_REGISTRATIONS": "none",
    }


def _az(layout: Layout) -> dict[str, str]:
    return {
        "AZURE_CONFIG_DIR": str(layout.azure_config),
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",  # else az asks login.microsoftonline.com about our authority
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",  # else az login asks which subscription
    }


def _bundle(layout: Layout, inherited: Mapping[str, str]) -> Path:
    """Write the authorities trusted so far (a company's own bundle, else certifi's) and the emulator's."""
    known = inherited.get("REQUESTS_CA_BUNDLE") or certifi.where()
    if Path(known) == layout.bundle or not Path(known).is_file():
        known = certifi.where()
    try:
        content = Path(known).read_bytes().rstrip() + b"\n" + layout.certificate.read_bytes()
        write_private(layout.bundle, content)
    except OSError as error:
        raise unwritable(layout.bundle, error) from error
    return layout.bundle


def _no_proxy(inherited: Mapping[str, str]) -> str:
    known = (inherited.get("no_proxy") or inherited.get("NO_PROXY") or "").split(",")
    hosts = [host.strip() for host in known if host.strip()]
    return ",".join(hosts + [host for host in LOOPBACK if host not in hosts])
