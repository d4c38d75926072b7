"""What a client asks before it signs in: the cloud's endpoints and the authority's configuration."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from aks_wasm.emulator.arm.context import Arm

CLOUD_NAME = "AksWasmEmulator"


def endpoints(base_url: str) -> dict[str, Any]:
    """Return the metadata of the cloud; az and Terraform want all of these members."""
    slash = f"{base_url}/"
    return {
        "name": CLOUD_NAME,
        "authentication": {
            "loginEndpoint": slash,
            "audiences": [slash, base_url],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": slash,
        "portal": slash,
        "graph": slash,
        "graphAudience": slash,
        "microsoftGraphResourceId": slash,
        "gallery": slash,
        "batch": slash,
        "media": slash,
        "sqlManagement": slash,
        "vmImageAliasDoc": f"{slash}aliases.json",
        "activeDirectoryDataLake": slash,
        "appInsightsResourceId": slash,
        "appInsightsTelemetryChannelResourceId": f"{slash}v2/track",
        "attestationResourceId": slash,
        "logAnalyticsResourceId": slash,
        "ossrDbmsResourceId": slash,
        "synapseAnalyticsResourceId": slash,
        "suffixes": {
            "acrLoginServer": "azurecr.io",
            "attestationEndpoint": "attest.azure.net",
            "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
            "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
            "azureFrontDoorEndpointSuffix": "azurefd.net",
            "keyVaultDns": "vault.azure.net",
            "mhsmDns": "managedhsm.azure.net",
            "mysqlServerEndpoint": "mysql.database.azure.com",
            "mariadbServerEndpoint": "mariadb.database.azure.com",
            "postgresqlServerEndpoint": "postgres.database.azure.com",
            "sqlServerHostname": "database.windows.net",
            "storage": "core.windows.net",
            "storageSyncEndpointSuffix": "afs.azure.net",
            "synapseAnalytics": "dev.azuresynapse.net",
        },
    }


def openid_configuration(base_url: str, tenant: str, tenant_id: str) -> dict[str, Any]:
    """Return the authority's configuration.

    Args:
        base_url: Where it is reached.
        tenant: As asked: an id, a domain, `common`, or `adfs` for the variant without tenants.
        tenant_id: The id of the one tenant.
    """
    if tenant.lower() == "adfs":
        authority = f"{base_url}/adfs"
        token, authorize, device = (f"{authority}/oauth2/{end}" for end in ("token", "authorize", "devicecode"))
        issuer, keys = authority, f"{authority}/discovery/keys"
    else:
        shared = tenant.lower() in {"common", "organizations"}
        authority = f"{base_url}/{tenant}"
        token, authorize, device = (f"{authority}/oauth2/v2.0/{end}" for end in ("token", "authorize", "devicecode"))
        issuer = f"{base_url}/{'{tenantid}' if shared else tenant_id}/v2.0"
        keys = f"{authority}/discovery/v2.0/keys"
    return {
        "issuer": issuer,
        "authorization_endpoint": authorize,
        "token_endpoint": token,
        "device_authorization_endpoint": device,
        "end_session_endpoint": f"{authority}/oauth2/logout",
        "jwks_uri": keys,
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_types_supported": ["code", "id_token", "token"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "tid", "oid"],
    }


def instance_discovery(base_url: str, host: str) -> dict[str, Any]:
    """Return what MSAL asks of an authority's cloud before it trusts it."""
    known = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
    return {
        "tenant_discovery_endpoint": f"{base_url}/common/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [known],
    }


def routes(arm: Arm) -> list[web.RouteDef]:
    """Return the routes that need no token."""

    async def cloud(request: web.Request) -> web.Response:
        known = endpoints(arm.base_url)
        # The oldest version has one cloud's bare endpoints, the later ones a list for public clouds, az takes both.
        asked = request.query.get("api-version", "")
        return web.json_response([known] if asked in {"2019-05-01", "2020-06-01"} else known)

    async def configuration(request: web.Request) -> web.Response:
        tenant = request.match_info.get("tenant", "adfs")
        return web.json_response(openid_configuration(arm.base_url, tenant, arm.context.tokens.tenant_id))

    async def discovery(_request: web.Request) -> web.Response:
        return web.json_response(instance_discovery(arm.base_url, arm.base_url.removeprefix("https://")))

    async def keys(_request: web.Request) -> web.Response:
        return web.json_response(arm.context.tokens.public_keys())

    return [
        web.get("/metadata/endpoints", cloud),
        web.get("/common/discovery/instance", discovery),
        web.get("/adfs/.well-known/openid-configuration", configuration),
        web.get("/{tenant}/.well-known/openid-configuration", configuration),
        web.get("/{tenant}/v2.0/.well-known/openid-configuration", configuration),
        web.get("/{tenant}/discovery/v2.0/keys", keys),
        web.get("/{tenant}/discovery/keys", keys),
    ]
