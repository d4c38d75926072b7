"""What every use case is handed: the spec, the provider, the environment, where events go, how long to wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aks_wasm.events import EventSink
from aks_wasm.providers.base import Provider
from aks_wasm.settings import Settings
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.steps.step import StepContext
from aks_wasm.waits import Clock, Patience

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient


class ClusterConnection:
    """The client of the cluster's own API, made once, when first needed."""

    def __init__(self, provider: Provider, spec: ClusterSpec) -> None:
        self._provider = provider
        self._spec = spec
        self._lock = threading.Lock()
        self._client: KubeClient | None = None
        self.kubeconfig: str | None = None

    def __call__(self) -> KubeClient:
        """Return the client, fetching credentials the first time."""
        from aks_wasm.kube.client import KubeClient

        with self._lock:
            if self._client is None:
                self.kubeconfig = self._provider.kubeconfig(self._spec)
                self._client = KubeClient.from_kubeconfig(self.kubeconfig)
            return self._client

    def close(self) -> None:
        """Close what was opened."""
        if self._client is not None:
            self._client.close()


@dataclass(frozen=True)
class Run:
    """One invocation of a use case.

    Attributes:
        settings: The environment.
        spec: What is wanted.
        provider: Where the cluster comes from.
        emit: Where events go.
        clock: Where time comes from; interrupted by Ctrl+C.
        timeout: Seconds for everything together.
        connect: The client of the cluster's own API.
    """

    settings: Settings
    spec: ClusterSpec
    provider: Provider
    emit: EventSink
    clock: Clock
    timeout: float
    connect: Callable[[], KubeClient] = field(kw_only=True)

    @classmethod
    def open(
        cls,
        settings: Settings,
        spec: ClusterSpec,
        emit: EventSink,
        clock: Clock,
        timeout: float,
        *,
        kubeconfig: str | None = None,
    ) -> Run:
        """Open the provider that the spec's target names, or the cluster that a kubeconfig (YAML) leads to."""
        from aks_wasm.providers.given import GivenCluster
        from aks_wasm.providers.registry import open_provider

        provider = (
            open_provider(spec, settings, emit)
            if kubeconfig is None
            else GivenCluster(kubeconfig, settings.registry or spec.registry.login)
        )
        return cls(settings, spec, provider, emit, clock, timeout, connect=ClusterConnection(provider, spec))

    def close(self) -> None:
        """Close every connection."""
        close = getattr(self.connect, "close", None)
        if close is not None:
            close()
        self.provider.close()

    def step_context(self) -> StepContext:
        """Return what the steps of this run act with."""
        return StepContext(
            spec=self.spec,
            provider=self.provider,
            connect=self.connect,
            emit=self.emit,
            clock=self.clock,
            deadline=self.clock.now() + self.timeout,
        )

    def patience(self) -> Patience:
        """Return how long to wait outside a step."""
        return Patience(self.timeout, self.clock)
