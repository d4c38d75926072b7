"""Preview features and resource providers: their registration states, asked for, awaited, taken back.

Answers demand 11 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from azure.core.exceptions import ResourceNotFoundError

from aks_wasm.errors import PreviewRetired, UsageError
from aks_wasm.providers.abilities import FeatureState
from aks_wasm.providers.azure.clients import document_of
from aks_wasm.providers.azure.errors import translated
from aks_wasm.providers.azure.waiting import Budget, wait_for
from aks_wasm.providers.base import ObservedCluster
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.waits import Patience, Seen

if TYPE_CHECKING:
    from aks_wasm.providers.azure.clients import Clients

NAMESPACE = "Microsoft.ContainerService"
PREVIEW_FEATURE = "WasmNodePoolPreview"
UNKNOWN = "Unknown"
_COMPANIONS = ("Microsoft.Compute", "Microsoft.Network", "Microsoft.Storage", "Microsoft.ManagedIdentity")
_UNREGISTERED = ("NotRegistered", "Unregistered")
_RETIREMENT = "https://aka.ms/aks/wasi-retirement"


class Features:
    """Preview features of Microsoft.ContainerService; they belong to the subscription as a whole."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def show(self, name: str = PREVIEW_FEATURE) -> FeatureState:
        """Return the feature's state now."""
        with translated(_reading(name)):
            return self._read(name)

    def register(self, name: str = PREVIEW_FEATURE, patience: Patience | None = None) -> FeatureState:
        """Register the feature; with patience wait until it is Registered and let the provider take note of it.

        Raises:
            PreviewRetired: Azure has no such feature.
            TimedOut: It stayed Registering or Pending.
        """
        seen = self.show(name)
        if seen.state == UNKNOWN:
            raise PreviewRetired(
                f"Azure has no feature `{NAMESPACE}/{name}`",
                code="FeatureNotFound",
                hint="use route `shim`, which needs no preview",
                docs_url=_RETIREMENT,
            )
        if seen.state == "Registered":
            return seen
        with translated(f"register the feature `{name}`"):
            seen = FeatureState(
                name, _state(self._clients.features.features.register(NAMESPACE, name, cls=document_of))
            )
        if patience is None:
            return seen
        budget = Budget(patience)
        seen = self._wait(name, ("Registered",), patience)
        _register(self._clients, NAMESPACE)  # again, so that it takes note of the feature
        left = budget.left()
        noted = replace(left, on_state=lambda state: left.on_state(f"{state}; the resource provider takes note"))
        _wait_for_provider(self._clients, NAMESPACE, noted)
        return seen

    def unregister(self, name: str = PREVIEW_FEATURE, patience: Patience | None = None) -> FeatureState:
        """Take the registration back, with patience wait for it; a feature that is not registered stays so.

        Raises:
            UsageError: Azure has no such feature.
        """
        seen = self.show(name)
        if seen.state == UNKNOWN:
            raise UsageError(f"Azure has no feature `{NAMESPACE}/{name}`", code="FeatureNotFound")
        if seen.state in _UNREGISTERED:
            return seen
        with translated(f"unregister the feature `{name}`"):
            document = self._clients.features.features.unregister(NAMESPACE, name, cls=document_of)
        if patience is None:
            return FeatureState(name, _state(document))
        return self._wait(name, _UNREGISTERED, patience)

    def _read(self, name: str) -> FeatureState:
        try:
            document = self._clients.features.features.get(NAMESPACE, name, cls=document_of)
        except ResourceNotFoundError:
            return FeatureState(name, UNKNOWN)
        return FeatureState(name, _state(document))

    def _wait(self, name: str, wanted: Collection[str], patience: Patience) -> FeatureState:
        def look() -> Seen[FeatureState]:
            seen = self._read(name)
            return Seen(seen.state, done=seen.state in wanted, value=seen)

        hint = "`Pending` waits for Microsoft's approval; route `shim` needs no preview"
        found = wait_for(look, f"feature `{name}`", _reading(name), patience, hint=hint)
        return cast("FeatureState", found)


def asks_preview(spec: ClusterSpec, cluster: ObservedCluster | None) -> bool:
    """Whether a preview pool might still be asked for; once AKS has refused one, `auto` does not ask again."""
    refused = cluster is not None and cluster.has_refused_preview(spec)
    routes = ("wasi-preview",) if refused else ("wasi-preview", "auto")
    wanted = [pool for pool in spec.node_pools if pool.route in routes]
    return any(cluster is None or cluster.pool(pool.name) is None for pool in wanted)


def provider_state(clients: Clients, namespace: str = NAMESPACE) -> str:
    """Return a resource provider's registration state in Azure's words."""
    with translated(_reading_provider(namespace)):
        return _registration(clients, namespace)


def register_providers(clients: Clients, patience: Patience) -> None:
    """Register Microsoft.ContainerService and what a cluster is made of; wait until all are.

    `begin_*` calls don't do it themselves (facts, section 0); a fresh subscription has none of them.
    """
    budget = Budget(patience)
    missing = [name for name in (NAMESPACE, *_COMPANIONS) if provider_state(clients, name) != "Registered"]
    for name in missing:
        _register(clients, name)
    for name in missing:
        _wait_for_provider(clients, name, budget.left())


def _register(clients: Clients, namespace: str) -> None:
    with translated(f"register the resource provider `{namespace}`"):
        clients.resources.providers.register(namespace, cls=document_of)


def _wait_for_provider(clients: Clients, namespace: str, patience: Patience) -> None:
    def look() -> Seen[None]:
        state = _registration(clients, namespace)
        return Seen(state, done=state == "Registered")

    wait_for(look, f"resource provider `{namespace}`", _reading_provider(namespace), patience)


def _registration(clients: Clients, namespace: str) -> str:
    document = clients.resources.providers.get(namespace, cls=document_of)
    return str(document.get("registrationState") or UNKNOWN)


def _reading(feature: str) -> str:
    return f"read the feature `{feature}`"


def _reading_provider(namespace: str) -> str:
    return f"read the resource provider `{namespace}`"


def _state(document: Any) -> str:
    return str((document.get("properties") or {}).get("state") or UNKNOWN)
