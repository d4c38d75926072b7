"""From a spec's target to its provider; each is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aks_wasm.events import EventSink
from aks_wasm.providers.base import Provider
from aks_wasm.settings import Settings
from aks_wasm.spec.models import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aks_wasm.providers.azure.provider import AzureProvider


def open_provider(spec: ClusterSpec, settings: Settings, emit: EventSink = lambda _event: None) -> Provider:
    """Return the provider of the spec's target. Nothing is asked of Azure yet; embedded targets start their daemon.

    Args:
        spec: Names the target, and the engine of a local one.
        settings: The environment.
        emit: Hears which local engine was chosen, and why.

    Raises:
        UsageError: The endpoint is no https URL.
        AksWasmError: The daemon does not start, or no container engine answers where one was asked for.
    """
    match spec.target:
        case "azure":
            return _azure(spec, settings)
        case "emulator":
            return _emulated(spec, settings)
        case "local":
            return _local(spec, settings, emit)


def _azure(spec: ClusterSpec, settings: Settings, environment: Mapping[str, str] | None = None) -> AzureProvider:
    from aks_wasm.providers.azure.clients import Clients
    from aks_wasm.providers.azure.connection import connection_from
    from aks_wasm.providers.azure.provider import AzureProvider
    from aks_wasm.providers.azure.registry import ImageRegistry

    connection = connection_from(spec.azure, settings, environment)
    clients = Clients(connection)
    prefix = registry_of(spec, settings, environment)
    registry = ImageRegistry(prefix, clients) if prefix else None
    emulated = environment is not None
    return AzureProvider(clients, spec, registry, exec_environment(settings, connection.authority, emulated=emulated))


def exec_environment(settings: Settings, authority: str, *, emulated: bool) -> dict[str, str]:
    """Return what `aks-wasm kube-token` must be told to find the same account from within kubectl; no secret.

    It reads no file, so the authority of the file's `azure.cloud` is told as well.
    """
    if emulated:
        return {"AKS_WASM_TARGET": "emulator", "AKS_WASM_HOME": str(settings.home)}
    told = {
        "AKS_WASM_ARM_ENDPOINT": settings.arm_endpoint,
        "AKS_WASM_ARM_AUDIENCE": settings.arm_audience,
        "AZURE_AUTHORITY_HOST": authority,
    }
    return {"AKS_WASM_TARGET": "azure", **{name: value for name, value in told.items() if value}}


def registry_of(spec: ClusterSpec, settings: Settings, environment: Mapping[str, str] | None = None) -> str | None:
    """Return where images are pushed: the environment's, else the file's, as a reference's prefix."""
    named = environment.get("AKS_WASM_REGISTRY") if environment is not None else settings.registry
    return named or spec.registry.login


def _emulated(spec: ClusterSpec, settings: Settings) -> Provider:
    from aks_wasm.emulator.environment import variables
    from aks_wasm.emulator.launch import start

    return _azure(spec, settings, variables(start(settings)))


def _local(spec: ClusterSpec, settings: Settings, emit: EventSink) -> Provider:
    from aks_wasm.providers.local import choose

    engine = choose(spec, settings, emit)
    if engine is not None:
        from aks_wasm.providers.kind.provider import KindProvider

        return KindProvider(engine, settings.home)
    from aks_wasm.emulator.launch import start
    from aks_wasm.providers.embedded.provider import EmbeddedProvider

    return EmbeddedProvider(start(settings).client())
