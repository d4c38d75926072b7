"""What some providers can do beyond the verbs of every provider; callers ask with `isinstance`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from aks_wasm.providers.marks import Owned
from aks_wasm.waits import Patience


@dataclass(frozen=True)
class FeatureState:
    """A preview feature and its state in Azure's words; `Unknown` when Azure has none of that name."""

    name: str
    state: str


class PreviewFeature(Protocol):
    """The preview that WASI node pools once needed."""

    def show(self) -> FeatureState:
        """Return its state now."""

    def register(self, *, patience: Patience | None = None) -> FeatureState:
        """Register it; with patience wait until it is."""

    def unregister(self, *, patience: Patience | None = None) -> FeatureState:
        """Take the registration back; with patience wait for it."""


@runtime_checkable
class HasPreviewFeature(Protocol):
    """A service with preview features."""

    @property
    def features(self) -> PreviewFeature:
        """The one that matters here."""


@runtime_checkable
class ListsOwned(Protocol):
    """A place that can be searched for our marks."""

    def owned(self) -> list[Owned]:
        """Return everything that carries our mark, whatever spec made it."""


@runtime_checkable
class GivesTokens(Protocol):
    """A service whose clusters take tokens of the same account."""

    def token(self) -> tuple[str, int]:
        """Return a bearer token for clusters and when it ends (seconds since 1970)."""


@runtime_checkable
class KnowsDurations(Protocol):
    """A service that takes its time.

    Attributes:
        typical_seconds: By the noun that a step's name begins with, for example `cluster`.
    """

    typical_seconds: Mapping[str, float]
