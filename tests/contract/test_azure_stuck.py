"""Operations that never end: named with their age, and with the command that ends them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aks_wasm.errors import TimedOut
from aks_wasm.providers.azure.provider import AzureProvider
from tests.contract.targets import Target
from tests.contract.test_azure_access import arm
from tests.contract.test_azure_operations import Fault, fault, prepared, quick

__all__ = ["fault"]


def test_an_operation_that_never_ends_times_out_with_the_way_on(
    azure: Target, provider: AzureProvider, fault: Fault
) -> None:
    spec = prepared(provider, azure)
    fault("stuck")
    with pytest.raises(TimedOut, match=rf"cluster `{azure.name}` was not ready after .* \(last seen: ") as caught:
        provider.put_cluster(spec, azure.request(), quick(timeout=60))
    assert "; operation `" in caught.value.message
    assert f"` runs since {datetime.now(UTC):%Y-}" in caught.value.message
    assert caught.value.hint is not None
    assert "run the same command again" in caught.value.hint
    assert f"`az aks operation-abort --resource-group {azure.name} --name {azure.name}`" in caught.value.hint


def test_an_operation_that_was_ended_by_hand_is_begun_anew_by_the_next_run(
    azure: Target, provider: AzureProvider, fault: Fault
) -> None:
    spec = prepared(provider, azure)
    fault("stuck")
    with pytest.raises(TimedOut):
        provider.put_cluster(spec, azure.request(), quick(timeout=60))
    cluster = f"/resourceGroups/{azure.name}/providers/Microsoft.ContainerService/managedClusters/{azure.name}"
    arm(azure, "POST", f"{cluster}/abort?api-version=2026-08-01")
    provider.put_cluster(spec, azure.request(), quick())
    seen = provider.observe(spec).cluster
    assert seen is not None
    assert seen.state == "Succeeded"
