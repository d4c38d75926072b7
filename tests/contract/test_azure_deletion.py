"""Deleting on Azure: in the middle of a creation, beside other operations, over lost connections, under locks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aks_wasm.errors import ServiceError, TimedOut
from aks_wasm.providers.azure.provider import AzureProvider
from aks_wasm.providers.base import Prerequisite
from tests.contract.targets import Target, put_up
from tests.contract.test_azure_access import arm
from tests.contract.test_azure_operations import prepared, quick

Fault = Callable[..., None]
NOT_NOW = {"status": 501, "code": "NotNow"}  # a status that the SDK does not retry by itself


@pytest.fixture
def fault(azure: Target) -> Iterator[Fault]:
    """Script a fault for requests whose path ends as given."""

    def script(name: str, method: str, path: str, **more: Any) -> None:
        azure.emulator.control("POST", "faults", {"fault": name, "match": {"method": method, "path": path}, **more})

    yield script
    azure.emulator.control("DELETE", "faults")


@pytest.mark.parametrize("own_group", [True, False])
def test_a_cluster_that_never_ends_being_created_is_deleted(
    azure: Target, provider: AzureProvider, fault: Fault, *, own_group: bool
) -> None:
    spec = prepared(provider, azure)
    if not own_group:
        spec = azure.spec(azure={"resourceGroup": azure.name})
        arm(azure, "PUT", f"/resourcegroups/{azure.name}?api-version=2025-04-01", {"location": "westeurope"})
    fault("stuck", "PUT", f"managedClusters/{azure.name}$")
    with pytest.raises(TimedOut):
        provider.put_cluster(spec, azure.request(), quick(timeout=60))
    provider.delete(spec, None, quick(timeout=60), wait=True)
    assert provider.observe(spec).cluster is None


def test_a_deletion_left_to_azure_waits_for_its_turn_and_is_asked_for_once(
    azure: Target, provider: AzureProvider, fault: Fault
) -> None:
    spec = put_up(provider, azure)
    provider.put_node_pool(spec, azure.pool(), quick())
    fault("conflict", "DELETE", f"{azure.name}/agentPools/wasm$", times=2)
    seen: list[str] = []
    provider.delete(spec, "wasm", quick(seen), wait=False)
    assert any(state.startswith("waiting for another operation") for state in seen)


@pytest.mark.parametrize("after", [1, 2])
def test_a_deletion_outlives_a_failing_gateway(
    azure: Target, provider: AzureProvider, fault: Fault, after: int
) -> None:
    spec = put_up(provider, azure)
    fault("error", "GET", f"resourcegroups/{azure.name}$", times=2, after=after, **NOT_NOW)
    provider.delete(spec, None, quick(), wait=True)
    assert provider.observe(spec).cluster is None


@pytest.mark.parametrize(
    ("path", "prerequisite"),
    [("/features/", Prerequisite.FEATURE), ("providers/Microsoft.Compute", Prerequisite.PROVIDER)],
)
def test_a_registration_outlives_a_failing_gateway(
    azure: Target, provider: AzureProvider, fault: Fault, path: str, prerequisite: Prerequisite
) -> None:
    provider.features.unregister(patience=quick())
    fault("error", "GET", path, times=2, after=1, **NOT_NOW)
    provider.ensure(prerequisite, azure.spec(), quick())


def test_a_group_is_made_over_a_failing_gateway_and_a_gateway_that_stays_is_told(
    azure: Target, provider: AzureProvider, fault: Fault
) -> None:
    fault("error", "PUT", f"resourcegroups/{azure.name}$", times=2, **NOT_NOW)
    provider.ensure(Prerequisite.GROUP, azure.spec(), quick())
    assert provider.observe(azure.spec()).group is not None
    fault("error", "GET", f"resourcegroups/{azure.name}$", times=None, **NOT_NOW)
    with pytest.raises(ServiceError, match="create the resource group"):
        provider.ensure(Prerequisite.GROUP, azure.spec(), quick())
