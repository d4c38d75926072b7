from __future__ import annotations

import pytest

from aks_wasm.providers.abilities import GivesTokens, ListsOwned
from aks_wasm.providers.azure.provider import AzureProvider
from aks_wasm.providers.embedded.provider import EmbeddedProvider
from aks_wasm.providers.kind.provider import KindProvider


@pytest.mark.parametrize(
    ("provider", "lists", "tokens"),
    [(AzureProvider, True, True), (EmbeddedProvider, True, False), (KindProvider, True, False)],
)
def test_providers_say_what_they_can_do_beyond_the_rest(provider: type, *, lists: bool, tokens: bool) -> None:
    assert (issubclass(provider, ListsOwned), issubclass(provider, GivesTokens)) == (lists, tokens)
