"""Resource providers of a subscription and their registration."""

from __future__ import annotations

from typing import Any

from aks_wasm.emulator.arm import features, versions
from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.errors import GatewayError
from aks_wasm.emulator.arm.names import CONTAINER_SERVICE, moment, now
from aks_wasm.emulator.arm.regions import REGIONS
from aks_wasm.emulator.arm.responses import page
from aks_wasm.emulator.arm.routing import Call, Reply, Route, Versions

REGISTER_SECONDS = 30
_COLLECTION = "arm.providers"
_ALWAYS = ("Microsoft.Authorization", "Microsoft.Features", "Microsoft.Resources")
# A subscription in which virtual machines have been made, but no cluster yet.
_USUAL = ("Microsoft.Compute", "Microsoft.ManagedIdentity", "Microsoft.Network", "Microsoft.Storage")
_OTHERS = (
    *(CONTAINER_SERVICE, "Microsoft.ContainerRegistry", "Microsoft.Insights", "Microsoft.OperationalInsights"),
    *("Microsoft.OperationsManagement", "Microsoft.KubernetesConfiguration"),
)
NAMESPACES = (*_ALWAYS, *_USUAL, *_OTHERS)
_TYPES: dict[str, tuple[Versions, ...]] = {
    CONTAINER_SERVICE: (versions.CLUSTERS, versions.POOLS, versions.AKS_LOCATIONS),
    "Microsoft.Compute": (versions.SKUS, versions.USAGES),
    "Microsoft.Features": (versions.FEATURES,),
    "Microsoft.Authorization": (versions.LOCKS, versions.PERMISSIONS),
    "Microsoft.Resources": (versions.TAGS,),
}


def state(arm: Arm, namespace: str) -> str:
    """Return the registration state of a provider, as of now."""
    kept = _kept(arm, namespace)
    return str(kept["then"] if now() >= moment(kept["due"]) else kept["meanwhile"])


def require(arm: Arm, namespace: str) -> None:
    """Refuse a write to a provider that the subscription has not registered.

    Raises:
        GatewayError: 409 MissingSubscriptionRegistration.
    """
    kept = _kept(arm, namespace)
    if state(arm, namespace) == "Registered" or kept["before"] == "Registered":
        return
    message = (
        f"The subscription is not registered to use namespace '{namespace}'. "
        "See https://aka.ms/rps-not-found for how to register subscriptions."
    )
    code = "MissingSubscriptionRegistration"
    details = [{"code": code, "target": namespace, "message": message}]
    raise GatewayError(409, code, message, extra={"details": details})


def knows_feature(arm: Arm, namespace: str, feature: str) -> bool:
    """Tell whether the provider was registered again since the feature was, and has taken it in."""
    kept = _kept(arm, namespace)
    return feature in kept["features"] and state(arm, namespace) == "Registered"


def _kept(arm: Arm, namespace: str) -> Document:
    initially = "Registered" if namespace in (*_ALWAYS, *_USUAL) else "NotRegistered"
    kept = arm.documents.get(_COLLECTION, namespace.lower())
    unchanged = {"before": initially, "meanwhile": initially, "then": initially, "features": []}
    return kept or {**unchanged, "due": now().isoformat()}


def _named(call: Call) -> str:
    for namespace in NAMESPACES:
        if namespace.lower() == call["namespace"].lower():
            return namespace
    message = f"The resource namespace '{call['namespace']}' is invalid."
    raise GatewayError(404, "InvalidResourceNamespace", message)


def _change(arm: Arm, namespace: str, *, register: bool) -> None:
    before = state(arm, namespace)
    if before in {"Registering", "Unregistering"}:
        _take_features_in(arm, namespace, register=register)
        return
    then = "Registered" if register else "NotRegistered"
    kept: Document = {
        "before": before if register else then,
        "meanwhile": "Registering" if register else "Unregistering",
        "then": then,
        "due": arm.pace.after(REGISTER_SECONDS).isoformat(),
        "features": features.registered(arm, namespace) if register else [],
    }
    arm.documents.put(_COLLECTION, namespace.lower(), kept)


def _take_features_in(arm: Arm, namespace: str, *, register: bool) -> None:
    """A repeated request does not start the registration over, but sees what was registered meanwhile."""
    kept = _kept(arm, namespace)
    if register and kept["then"] == "Registered":
        kept["features"] = features.registered(arm, namespace)
        arm.documents.put(_COLLECTION, namespace.lower(), kept)


def _shown(arm: Arm, call: Call, namespace: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{call['subscription']}/providers/{namespace}",
        "namespace": namespace,
        "resourceTypes": [
            {
                "resourceType": kind.kind,
                "locations": [display for display, _, _ in REGIONS.values()],
                "apiVersions": list(reversed(kind.known)),
                "capabilities": "None",
            }
            for kind in _TYPES.get(namespace, ())
        ],
        "registrationState": state(arm, namespace),
        "registrationPolicy": "RegistrationFree" if namespace in _ALWAYS else "RegistrationRequired",
    }


def _list(arm: Arm, call: Call) -> Reply:
    return page(arm, call, [_shown(arm, call, namespace) for namespace in NAMESPACES])


def _get(arm: Arm, call: Call) -> Reply:
    return Reply(body=_shown(arm, call, _named(call)))


def _register(arm: Arm, call: Call) -> Reply:
    namespace = _named(call)
    _change(arm, namespace, register=True)
    return Reply(body=_shown(arm, call, namespace))


def _unregister(arm: Arm, call: Call) -> Reply:
    namespace = _named(call)
    if namespace == CONTAINER_SERVICE and any(arm.documents.items("arm.clusters")):
        message = (
            f"Cannot unregister subscription from resource provider '{namespace}' because resources of its types "
            "exist in it."
        )
        raise GatewayError(409, "SubscriptionUnregistrationFailed", message)
    _change(arm, namespace, register=False)
    return Reply(body=_shown(arm, call, namespace))


_PROVIDERS = "/subscriptions/{subscription}/providers"
_PROVIDER = f"{_PROVIDERS}/{{namespace}}"
ROUTES = (
    Route("GET", _PROVIDERS, _list, versions.RESOURCES),
    Route("GET", _PROVIDER, _get, versions.RESOURCES),
    Route("POST", f"{_PROVIDER}/register", _register, versions.RESOURCES, "Microsoft.Resources/register/action"),
    Route("POST", f"{_PROVIDER}/unregister", _unregister, versions.RESOURCES, "Microsoft.Resources/unregister/action"),
)
