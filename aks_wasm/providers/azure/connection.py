"""Which Resource Manager, with which authority, CA and credential: from the environment and the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aks_wasm.errors import UsageError
from aks_wasm.settings import Settings
from aks_wasm.spec.models import AzureSpec, CloudEndpoints

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

CONNECT_SECONDS = 3.0  # an address that does not answer is said so within about 5 s
READ_SECONDS = 60.0

_CLOUDS = {  # Resource Manager, audience, authority: azure-mgmt-core's get_arm_endpoints and azure-identity's constants
    "public": ("https://management.azure.com", "https://management.azure.com", "https://login.microsoftonline.com"),
    "usgovernment": (
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net",
        "https://login.microsoftonline.us",
    ),
    "china": (
        "https://management.chinacloudapi.cn",
        "https://management.chinacloudapi.cn",
        "https://login.chinacloudapi.cn",
    ),
}
_MICROSOFT_AUTHORITIES = frozenset(urlsplit(authority).hostname for _, _, authority in _CLOUDS.values())
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class ServicePrincipal:
    """An application that signs in with its secret; for an environment that is not the process' own."""

    tenant: str
    client_id: str
    secret: str

    def __repr__(self) -> str:
        return f"ServicePrincipal(tenant={self.tenant!r}, client_id={self.client_id!r})"


@dataclass(frozen=True)
class Connection:
    """How to reach one Resource Manager.

    Attributes:
        endpoint: Its URL, no slash at the end.
        audience: What tokens are for, no slash at the end.
        authority: Where tokens come from.
        ca_file: The certificate authorities to trust, or None for the usual ones.
        principal: Who to sign in as; None leaves it to DefaultAzureCredential.
        subscription: What the environment names, or None.
    """

    endpoint: str
    audience: str
    authority: str
    ca_file: str | None = None
    principal: ServicePrincipal | None = None
    subscription: str | None = None

    @property
    def scope(self) -> str:
        """The OAuth scope of Resource Manager's tokens."""
        return f"{self.audience}/.default"

    @property
    def is_loopback(self) -> bool:
        """Whether a proxy would only be in the way."""
        return urlsplit(self.endpoint).hostname in _LOOPBACK

    @property
    def is_microsofts(self) -> bool:
        """Whether the authority is one that instance discovery knows."""
        return urlsplit(self.authority).hostname in _MICROSOFT_AUTHORITIES

    def may_see_token(self, url: str) -> bool:
        """Whether a URL that an answer named is on our Resource Manager, or on a region's part of it."""
        ours, theirs = urlsplit(self.endpoint), urlsplit(url)
        host, other = ours.hostname or "", theirs.hostname or ""
        same_host = other == host or other.endswith(f".{host}")
        return same_host and (theirs.scheme, theirs.port) == (ours.scheme, ours.port)

    def transport_options(self) -> dict[str, object]:
        """Return what every client, identity's included, is told about TLS, proxies and patience."""
        options: dict[str, object] = {"connection_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
        if self.ca_file:
            options["connection_verify"] = self.ca_file
        if self.is_loopback:
            options["use_env_settings"] = False
        return options


def connection_from(azure: AzureSpec, settings: Settings, environment: Mapping[str, str] | None = None) -> Connection:
    """Combine the file's cloud with the environment, which wins: the same file is rehearsed by setting variables.

    Args:
        azure: The file's part.
        settings: Holds AKS_WASM_ARM_ENDPOINT and AKS_WASM_ARM_AUDIENCE.
        environment: Another environment than the process' own, for example the emulator's; its service principal
            is then used as it stands.

    Raises:
        UsageError: The endpoint is no https URL.
    """
    source: Mapping[str, str] = os.environ if environment is None else environment
    endpoint, audience, authority = _endpoints(azure.cloud)
    override = source.get("AKS_WASM_ARM_ENDPOINT") if environment is not None else settings.arm_endpoint
    if override:
        endpoint, audience = override, override
    audience = (source.get("AKS_WASM_ARM_AUDIENCE") if environment is not None else settings.arm_audience) or audience
    authority = source.get("AZURE_AUTHORITY_HOST") or authority
    return Connection(
        endpoint=_https(endpoint, "the Resource Manager's URL"),
        audience=audience.rstrip("/"),
        authority=_https(authority if "://" in authority else f"https://{authority}", "the authority's URL"),
        ca_file=source.get("REQUESTS_CA_BUNDLE") or None,
        principal=_principal(source) if environment is not None else None,
        subscription=source.get("AZURE_SUBSCRIPTION_ID") or None,
    )


def open_credential(connection: Connection) -> TokenCredential:
    """Return the credential: the connection's own service principal, else whatever DefaultAzureCredential finds."""
    from azure.identity import ClientSecretCredential, DefaultAzureCredential

    options: dict[str, object] = {
        **connection.transport_options(),
        "authority": connection.authority,
        "disable_instance_discovery": not connection.is_microsofts,
        "retry_total": 2,
        "retry_connect": 1,
    }
    if (principal := connection.principal) is not None:
        return ClientSecretCredential(principal.tenant, principal.client_id, principal.secret, **options)
    return DefaultAzureCredential(**options)


def _endpoints(cloud: str | CloudEndpoints) -> tuple[str, str, str]:
    if isinstance(cloud, str):
        return _CLOUDS[cloud]
    manager = cloud.resource_manager
    return manager, cloud.audience or manager, cloud.authority or _CLOUDS["public"][2]


def _principal(source: Mapping[str, str]) -> ServicePrincipal | None:
    values = [source.get(f"AZURE_{name}", "") for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET")]
    return ServicePrincipal(*values) if all(values) else None


def _https(url: str, what: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise UsageError(
            f"{what} `{url}` is not an https URL",
            code="EndpointNotHttps",
            hint="tokens are only sent over TLS; give an address that starts with https://",
        )
    return url.rstrip("/")
