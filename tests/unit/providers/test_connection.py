"""Which Resource Manager and which subscription, from the file and the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aks_wasm.errors import NotSignedIn, UsageError
from aks_wasm.providers.azure.clients import Clients
from aks_wasm.providers.azure.connection import Connection, connection_from
from aks_wasm.providers.azure.subscription import cli_subscription, find_subscription, only_subscription
from aks_wasm.settings import Settings
from aks_wasm.spec.models import AzureSpec

SETTINGS = Settings(home=Path("/nowhere"))
EMULATED = {
    "AKS_WASM_ARM_ENDPOINT": "https://localhost:18443/",
    "AKS_WASM_ARM_AUDIENCE": "https://localhost:18443",
    "AZURE_AUTHORITY_HOST": "https://localhost:18443",
    "AZURE_TENANT_ID": "t",
    "AZURE_CLIENT_ID": "c",
    "AZURE_CLIENT_SECRET": "hush",
    "AZURE_SUBSCRIPTION_ID": "s",
    "REQUESTS_CA_BUNDLE": "/ca.pem",
}


def azure(**fields: Any) -> AzureSpec:
    return AzureSpec.model_validate(fields)


@pytest.mark.parametrize(
    ("cloud", "endpoint", "scope", "authority"),
    [
        (
            "public",
            "https://management.azure.com",
            "https://management.azure.com/.default",
            "https://login.microsoftonline.com",
        ),
        (
            "usgovernment",
            "https://management.usgovcloudapi.net",
            "https://management.core.usgovcloudapi.net/.default",
            "https://login.microsoftonline.us",
        ),
        (
            "china",
            "https://management.chinacloudapi.cn",
            "https://management.chinacloudapi.cn/.default",
            "https://login.chinacloudapi.cn",
        ),
    ],
)
def test_a_cloud_has_its_endpoints(cloud: str, endpoint: str, scope: str, authority: str) -> None:
    connection = connection_from(azure(cloud=cloud), SETTINGS, {})
    assert (connection.endpoint, connection.scope, connection.authority) == (endpoint, scope, authority)
    assert connection.is_microsofts
    assert not connection.is_loopback
    assert "use_env_settings" not in connection.transport_options()


def test_a_cloud_of_ones_own() -> None:
    own = {
        "resourceManager": "https://arm.stack.local/",
        "authority": "https://login.stack.local",
        "audience": "https://a/",
    }
    connection = connection_from(azure(cloud=own), SETTINGS, {})
    assert (connection.endpoint, connection.scope) == ("https://arm.stack.local", "https://a/.default")
    assert not connection.is_microsofts


def test_the_environment_wins_so_that_a_file_can_be_rehearsed() -> None:
    connection = connection_from(azure(cloud="china"), SETTINGS, EMULATED)
    assert connection.endpoint == connection.audience == "https://localhost:18443"
    assert connection.is_loopback
    assert connection.ca_file == "/ca.pem"
    assert connection.subscription == "s"
    assert connection.principal is not None
    assert "hush" not in repr(connection)


def test_on_loopback_proxies_are_left_out() -> None:
    assert connection_from(azure(), SETTINGS, EMULATED).transport_options()["use_env_settings"] is False


def test_settings_name_the_endpoint_of_the_process_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "mine")
    settings = Settings(home=Path("/nowhere"), arm_endpoint="https://arm.example")
    connection = connection_from(azure(), settings)
    assert (connection.endpoint, connection.audience) == ("https://arm.example", "https://arm.example")
    assert connection.subscription == "mine"
    assert connection.principal is None


@pytest.mark.parametrize("url", ["http://localhost:1", "localhost:1", "https://"])
def test_an_endpoint_without_tls_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not an https URL"):
        connection_from(azure(), SETTINGS, {"AKS_WASM_ARM_ENDPOINT": url})


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://management.azure.com/subscriptions/s/operations/o?s=1", True),
        ("https://westus2.management.azure.com/x", True),
        ("https://evil.example/management.azure.com", False),
        ("https://xmanagement.azure.com/", False),
        ("http://management.azure.com/", False),
        ("https://management.azure.com:444/", False),
    ],
)
def test_only_resource_manager_sees_our_token(url: str, may: bool) -> None:
    assert Connection("https://management.azure.com", "a", "b").may_see_token(url) is may


def clients(subscription: str | None = None) -> Clients:
    return Clients(Connection("https://management.azure.com", "a", "https://b", subscription=subscription))


def test_the_files_subscription_wins_over_the_environments() -> None:
    assert find_subscription(clients("environment"), "file", {}) == "file"
    assert find_subscription(clients("environment"), None, {}) == "environment"


def test_the_cli_logins_subscription_is_taken_when_nothing_else_names_one(tmp_path: Path) -> None:
    profile = '\ufeff{"subscriptions": [{"id": "cli", "isDefault": true, "environmentName": "AzureCloud"}]}'
    (tmp_path / "azureProfile.json").write_text(profile, encoding="utf-8")
    assert find_subscription(clients(), None, {"AZURE_CONFIG_DIR": str(tmp_path)}) == "cli"


@pytest.mark.parametrize(
    ("profile", "cloud"),
    [
        (None, "AzureCloud"),
        ("no json", "AzureCloud"),
        ('{"subscriptions": [{"id": "x", "isDefault": false}]}', "AzureCloud"),
        ('{"subscriptions": [{"id": "x", "isDefault": true, "environmentName": "AzureChinaCloud"}]}', "AzureCloud"),
        ('{"subscriptions": [{"id": "x", "isDefault": true}]}', None),
    ],
)
def test_a_cli_login_that_does_not_fit_is_left_alone(profile: str | None, cloud: str | None) -> None:
    assert cli_subscription(profile, cloud) is None


def test_the_only_subscription_is_taken_and_several_are_listed() -> None:
    one = {"subscriptionId": "a", "state": "Enabled", "displayName": "A"}
    off = {"subscriptionId": "b", "state": "Disabled"}
    assert only_subscription([one, off]) == "a"
    with pytest.raises(UsageError, match=r"2 subscriptions: `a` \(A\), `c` \(\)"):
        only_subscription([one, {"subscriptionId": "c"}])
    with pytest.raises(NotSignedIn):
        only_subscription([off])
