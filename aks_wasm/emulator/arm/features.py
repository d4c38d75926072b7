"""Preview features of a subscription: listed, registered, unregistered; unknown ones are 404."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aks_wasm.emulator.arm import versions
from aks_wasm.emulator.arm.context import Arm, Document
from aks_wasm.emulator.arm.errors import GatewayError
from aks_wasm.emulator.arm.names import CONTAINER_SERVICE, moment, now
from aks_wasm.emulator.arm.responses import page
from aks_wasm.emulator.arm.routing import Call, Reply, Route

REGISTER_SECONDS = 120  # under 2022; today the answer to the POST says Registered (facts azure.md section 0)
UNREGISTER_SECONDS = 30
KNOWN = {
    CONTAINER_SERVICE: (
        "AKS-ExtensionManager",
        "AutoUpgradePreview",
        "CustomNodeConfigPreview",
        "EnableImageCleanerPreview",
        "KataVMIsolationPreview",
        "NodeAutoProvisioningPreview",
        "PodSubnetPreview",
        "WasmNodePoolPreview",
    ),
    "Microsoft.Compute": ("EncryptionAtHost", "InGuestAutoPatchVMPreview"),
    "Microsoft.Network": ("AllowLBPreview",),
}
_COLLECTION = "arm.features"
_TYPE = "Microsoft.Features/providers/features"
_REGISTRATION_TYPE = "Microsoft.Features/featureProviders/subscriptionFeatureRegistrations"


def state(arm: Arm, namespace: str, feature: str) -> str:
    """Return the registration state of a known feature, as of now."""
    kept = arm.documents.get(_COLLECTION, _key(namespace, feature))
    if kept is None:
        return "NotRegistered"
    return str(kept["then"] if now() >= moment(kept["due"]) else kept["meanwhile"])


def registered(arm: Arm, namespace: str) -> list[str]:
    """Return the features of a provider that are Registered now."""
    return [name for name in KNOWN.get(namespace, ()) if state(arm, namespace, name) == "Registered"]


def _key(namespace: str, feature: str) -> str:
    return f"{namespace}/{feature}".lower()


def _named(call: Call) -> tuple[str, str]:
    """Return namespace and feature as the service writes them.

    Raises:
        GatewayError: 404 for one it does not have (azure-docs#96730).
    """
    for namespace, features in KNOWN.items():
        for feature in features:
            if _key(namespace, feature) == _key(call["namespace"], call["feature"]):
                return namespace, feature
    message = f"The feature '{call['feature']}' could not be found."
    raise GatewayError(404, "FeatureNotFound", message)


def _stay_pending(arm: Arm, namespace: str, feature: str) -> None:
    """Let a registration wait for an approval that never comes (AKS#984)."""
    never = datetime.max.replace(tzinfo=UTC).isoformat()
    kept: Document = {"meanwhile": "Pending", "then": "Registered", "due": never}
    arm.documents.put(_COLLECTION, _key(namespace, feature), kept)


def _change(arm: Arm, namespace: str, feature: str, *, register: bool) -> None:
    then = "Registered" if register else "Unregistered"
    if state(arm, namespace, feature) in {then, f"{then[:-2]}ing"}:
        return  # the request is repeatable: it neither starts over nor fails
    instant = register and arm.context.age == "today"
    seconds = 0 if instant else REGISTER_SECONDS if register else UNREGISTER_SECONDS
    kept: Document = {
        "meanwhile": f"{then[:-2]}ing",
        "then": then,
        "due": (now() if instant else arm.pace.after(seconds)).isoformat(),
    }
    arm.documents.put(_COLLECTION, _key(namespace, feature), kept)


def _shown(arm: Arm, call: Call, namespace: str, feature: str) -> dict[str, Any]:
    # Today's answers spell this one namespace with a small m (seen in 2026); compare without case.
    prefix = "microsoft.ContainerService" if arm.context.age == "today" else CONTAINER_SERVICE
    return {
        "properties": {"state": state(arm, namespace, feature)},
        "id": f"/subscriptions/{call['subscription']}/providers/Microsoft.Features/providers/{namespace}"
        f"/features/{feature}",
        "type": _TYPE,
        "name": f"{prefix if namespace == CONTAINER_SERVICE else namespace}/{feature}",
    }


def _list(arm: Arm, call: Call) -> Reply:
    names = [(ns, name) for ns in KNOWN if ns.lower() == call["namespace"].lower() for name in KNOWN[ns]]
    return page(arm, call, [_shown(arm, call, *named) for named in names])


def _list_all(arm: Arm, call: Call) -> Reply:
    names = [(namespace, name) for namespace, features in KNOWN.items() for name in features]
    return page(arm, call, [_shown(arm, call, *named) for named in names])


def _get(arm: Arm, call: Call) -> Reply:
    return Reply(body=_shown(arm, call, *_named(call)))


def _register(arm: Arm, call: Call) -> Reply:
    named = _named(call)
    if call.outcome is not None and call.outcome.name == "stuck":
        _stay_pending(arm, *named)
    else:
        _change(arm, *named, register=True)
    return Reply(body=_shown(arm, call, *named))


def _unregister(arm: Arm, call: Call) -> Reply:
    named = _named(call)
    _change(arm, *named, register=False)
    return Reply(body=_shown(arm, call, *named))


def _registration(arm: Arm, call: Call, namespace: str, feature: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{call['subscription']}/providers/Microsoft.Features/featureProviders/{namespace}"
        f"/subscriptionFeatureRegistrations/{feature}",
        "name": feature,
        "type": _REGISTRATION_TYPE,
        "properties": {
            "tenantId": arm.context.tokens.tenant_id,
            "subscriptionId": call["subscription"],
            "providerNamespace": namespace,
            "featureName": feature,
            "displayName": feature,
            "state": state(arm, namespace, feature),
            "approvalType": "AutoApproval",
            "shouldFeatureDisplayInPortal": False,
        },
    }


def _get_registration(arm: Arm, call: Call) -> Reply:
    return Reply(body=_registration(arm, call, *_named(call)))


def _put_registration(arm: Arm, call: Call) -> Reply:
    named = _named(call)
    _change(arm, *named, register=True)
    return Reply(body=_registration(arm, call, *named))


def _delete_registration(arm: Arm, call: Call) -> Reply:
    named = _named(call)
    known = state(arm, *named) in {"Registered", "Registering"}
    if known:
        _change(arm, *named, register=False)
    return Reply(200 if known else 204)


def _list_registrations(arm: Arm, call: Call) -> Reply:
    asked = call.params.get("namespace")
    namespaces = [name for name in KNOWN if asked is None or name.lower() == asked.lower()]
    names = [(name, feature) for name in namespaces for feature in registered(arm, name)]
    return page(arm, call, [_registration(arm, call, *named) for named in names])


_FEATURES = "/subscriptions/{subscription}/providers/Microsoft.Features"
_OF_PROVIDER = f"{_FEATURES}/providers/{{namespace}}/features"
_REGISTRATIONS = f"{_FEATURES}/featureProviders/{{namespace}}/subscriptionFeatureRegistrations"
_ALL_REGISTRATIONS = f"{_FEATURES}/subscriptionFeatureRegistrations"
_ONE = f"{_REGISTRATIONS}/{{feature}}"
_KIND = versions.FEATURES
ROUTES = (
    Route("GET", f"{_FEATURES}/features", _list_all, _KIND),
    Route("GET", _OF_PROVIDER, _list, _KIND),
    Route("GET", f"{_OF_PROVIDER}/{{feature}}", _get, _KIND),
    Route("POST", f"{_OF_PROVIDER}/{{feature}}/register", _register, _KIND, f"{_TYPE}/register/action"),
    Route("POST", f"{_OF_PROVIDER}/{{feature}}/unregister", _unregister, _KIND, f"{_TYPE}/unregister/action"),
    Route("GET", _ALL_REGISTRATIONS, _list_registrations, _KIND),
    Route("GET", _REGISTRATIONS, _list_registrations, _KIND),
    Route("GET", _ONE, _get_registration, _KIND),
    Route("PUT", _ONE, _put_registration, _KIND, f"{_REGISTRATION_TYPE}/write"),
    Route("DELETE", _ONE, _delete_registration, _KIND, f"{_REGISTRATION_TYPE}/delete"),
)
