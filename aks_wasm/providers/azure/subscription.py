"""Which subscription: the file's, the environment's, the CLI login's, else the only one there is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import NotSignedIn, UsageError
from aks_wasm.providers.azure.errors import translated

if TYPE_CHECKING:
    from aks_wasm.providers.azure.clients import Clients

API_VERSION = "2022-12-01"
_CLI_CLOUDS = {
    "https://management.azure.com": "AzureCloud",
    "https://management.usgovcloudapi.net": "AzureUSGovernment",
    "https://management.chinacloudapi.cn": "AzureChinaCloud",
}


def find_subscription(clients: Clients, named: str | None, environment: Mapping[str, str] | None = None) -> str:
    """Return the subscription's id.

    Args:
        clients: Asked for the list only when nothing names one.
        named: `azure.subscription` of the file; wins.
        environment: The process' own when None.

    Raises:
        NotSignedIn: The account sees no subscription.
        UsageError: It sees several.
    """
    chosen = named or clients.connection.subscription
    if chosen:
        return chosen
    source = os.environ if environment is None else environment
    if not source.get("AZURE_CLIENT_ID"):
        login = cli_subscription(_cli_profile(source), _CLI_CLOUDS.get(clients.connection.endpoint))
        if login:
            return login
    with translated("list the subscriptions"):
        return only_subscription(clients.read_all("/subscriptions", API_VERSION))


def cli_subscription(profile: str | None, cloud: str | None) -> str | None:
    """Return the default subscription of an `azureProfile.json`, when it is of that cloud."""
    if not profile or not cloud:
        return None
    try:
        document = json.loads(profile)
    except ValueError:
        return None
    for item in document.get("subscriptions") or ():
        if item.get("isDefault") and item.get("environmentName", "AzureCloud") == cloud:
            return str(item["id"])
    return None


def only_subscription(subscriptions: Sequence[Mapping[str, Any]]) -> str:
    """Return the one enabled subscription of a list.

    Raises:
        NotSignedIn: There is none.
        UsageError: There are several; all are named.
    """
    usable = [item for item in subscriptions if item.get("state", "Enabled") in ("Enabled", "Warned", "PastDue")]
    if not usable:
        raise NotSignedIn(
            "the account sees no enabled subscription",
            code="NoSubscription",
            hint="sign in to another tenant with `az login --tenant`, or ask for a role on a subscription",
        )
    if len(usable) > 1:
        names = ", ".join(f"`{item['subscriptionId']}` ({item.get('displayName', '')})" for item in usable)
        raise UsageError(
            f"the account sees {len(usable)} subscriptions: {names}",
            code="SeveralSubscriptions",
            hint="name one in `azure.subscription` or AZURE_SUBSCRIPTION_ID",
        )
    return str(usable[0]["subscriptionId"])


def _cli_profile(source: Mapping[str, str]) -> str | None:
    folder = Path(source["AZURE_CONFIG_DIR"]) if source.get("AZURE_CONFIG_DIR") else Path.home() / ".azure"
    try:
        return (folder / "azureProfile.json").read_text(encoding="utf-8-sig")
    except OSError:
        return None
