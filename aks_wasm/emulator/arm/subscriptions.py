"""Tenants, subscriptions and their locations."""

from __future__ import annotations

import re
from typing import Any

from aks_wasm.emulator.arm import versions
from aks_wasm.emulator.arm.context import Arm
from aks_wasm.emulator.arm.errors import GatewayError
from aks_wasm.emulator.arm.regions import REGIONS, zones
from aks_wasm.emulator.arm.responses import page
from aks_wasm.emulator.arm.routing import Call, Reply, Route
from aks_wasm.emulator.identity import TENANT_DOMAIN, TENANT_NAME

SUBSCRIPTION_NAME = "Emulator"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def check(arm: Arm, subscription: str) -> None:
    """Refuse a subscription that the tenant does not have.

    Raises:
        GatewayError: 400 for what is no GUID, 404 for another one.
    """
    if not _GUID.fullmatch(subscription):
        message = f"The provided subscription identifier '{subscription}' is malformed or invalid."
        raise GatewayError(400, "InvalidSubscriptionId", message)
    if subscription.lower() != arm.context.tokens.subscription_id.lower():
        message = f"The subscription '{subscription}' could not be found."
        raise GatewayError(404, "SubscriptionNotFound", message)


def _subscription(arm: Arm) -> dict[str, Any]:
    subscription = arm.context.tokens.subscription_id
    return {
        "id": f"/subscriptions/{subscription}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": subscription,
        "tenantId": arm.context.tokens.tenant_id,
        "displayName": SUBSCRIPTION_NAME,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _list_subscriptions(arm: Arm, call: Call) -> Reply:
    return page(arm, call, [_subscription(arm)])


def _get_subscription(arm: Arm, call: Call) -> Reply:
    del call
    return Reply(body=_subscription(arm))


def _list_locations(arm: Arm, call: Call) -> Reply:
    places = [_location(call["subscription"], name) for name in REGIONS]
    return page(arm, call, places, size=len(places))  # Resource Manager sends them all at once


def _location(subscription: str, name: str) -> dict[str, Any]:
    display, geography, _ = REGIONS[name]
    mappings = [{"logicalZone": zone, "physicalZone": f"{name}-az{zone}"} for zone in zones(name)]
    return {
        "id": f"/subscriptions/{subscription}/locations/{name}",
        "name": name,
        "type": "Region",
        "displayName": display,
        "regionalDisplayName": f"({geography}) {display}",
        "metadata": {"regionType": "Physical", "regionCategory": "Recommended", "geographyGroup": geography},
        **({"availabilityZoneMappings": mappings} if mappings else {}),
    }


def _list_tenants(arm: Arm, call: Call) -> Reply:
    tenant = arm.context.tokens.tenant_id
    return page(
        arm,
        call,
        [
            {
                "id": f"/tenants/{tenant}",
                "tenantId": tenant,
                "countryCode": "US",
                "displayName": TENANT_NAME,
                "domains": [TENANT_DOMAIN],
                "tenantCategory": "Home",
                "defaultDomain": TENANT_DOMAIN,
                "tenantType": "AAD",
            }
        ],
    )


ROUTES = (
    Route("GET", "/tenants", _list_tenants, versions.SUBSCRIPTIONS),
    Route("GET", "/subscriptions", _list_subscriptions, versions.SUBSCRIPTIONS),
    Route("GET", "/subscriptions/{subscription}", _get_subscription, versions.SUBSCRIPTIONS),
    Route("GET", "/subscriptions/{subscription}/locations", _list_locations, versions.SUBSCRIPTIONS),
)
