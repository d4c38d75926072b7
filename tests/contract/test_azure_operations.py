"""What happens on Azure while a run waits: interruptions, conflicts, throttling, failures, lost connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from aks_wasm.errors import (
    AksWasmError,
    Interrupted,
    NoCapacity,
    OperationInProgress,
    PreviewRetired,
    ServiceError,
)
from aks_wasm.providers.azure.provider import AzureProvider, unchanged
from aks_wasm.providers.base import Prerequisite
from aks_wasm.providers.marks import EXPIRES_TAG
from aks_wasm.waits import Patience, SystemClock
from tests.contract.conftest import open_azure
from tests.contract.targets import Target, patience, put_up
from tests.running_emulator import EmulatorFactory
from tests.unit.clocks import FakeClock

Fault = Callable[..., None]


@pytest.fixture
def fault(azure: Target) -> Iterator[Fault]:
    """Script a fault for requests on this test's cluster."""

    def script(name: str, method: str = "PUT", path: str = "", **more: Any) -> None:
        where = {"method": method, "path": path or f"managedClusters/{azure.name}$"}
        azure.emulator.control("POST", "faults", {"fault": name, "match": where, **more})

    yield script
    azure.emulator.control("DELETE", "faults")


def quick(seen: list[str] | None = None, timeout: float = 3600.0) -> Patience:
    """Patience whose pauses take no time."""
    return Patience(timeout, FakeClock(), (lambda _state: None) if seen is None else seen.append)


def prepared(provider: AzureProvider, target: Target) -> Any:
    spec = target.spec()
    for prerequisite in (Prerequisite.PROVIDER, Prerequisite.GROUP):
        provider.ensure(prerequisite, spec, quick())
    return spec


def cluster_puts(target: Target, since: int = 0) -> int:
    return sum(line.endswith(f"managedClusters/{target.name}") for line in target.writes(since))


def test_an_interrupted_wait_leaves_azure_running_and_a_later_call_joins(start_emulator: EmulatorFactory) -> None:
    emulator = start_emulator(pace=0.01)  # a creation takes 2 s
    target = Target("azure", emulator, lambda spec: open_azure(emulator, spec))
    with closing(target.open(target.spec())) as provider:
        spec, clock = prepared(provider, target), SystemClock()

        def interrupt_at(state: str) -> None:
            if state == "ProvisioningControlPlane":  # AKS' own words are shown as progress
                clock.interrupt()

        with pytest.raises(
            Interrupted, match=r"stopped waiting for cluster .* \(last seen: ProvisioningControlPlane\)"
        ):
            provider.put_cluster(spec, target.request(), Patience(60, clock, interrupt_at))
        first = provider.observe(spec).cluster
        assert first is not None
        assert first.state == "Creating"
        seen: list[str] = []
        provider.put_cluster(spec, target.request(), patience(seen=seen))
        assert seen == ["Creating", "Succeeded"]
        assert cluster_puts(target) == 1


def test_a_group_that_is_going_counts_as_gone_and_is_made_anew(start_emulator: EmulatorFactory) -> None:
    emulator = start_emulator(pace=0.01)
    target = Target("azure", emulator, lambda spec: open_azure(emulator, spec))
    with closing(target.open(target.spec())) as provider:
        spec = put_up(provider, target)
        provider.delete(spec, None, patience(), wait=False)
        going = provider.observe(spec)
        assert (going.cluster, Prerequisite.GROUP in going.missing) == (None, True)
        put_up(provider, target)
        again = provider.observe(spec)
        assert again.cluster is not None
        assert (again.cluster.state, Prerequisite.GROUP in again.missing) == ("Succeeded", False)


def test_a_write_is_conditional_on_what_was_read_where_that_has_an_etag() -> None:
    assert unchanged("1f")["etag"] == "1f"
    assert unchanged(None) == {}  # not `If-None-Match: *`, which would never let a failed creation be sent again


def test_another_operation_is_waited_out(azure: Target, provider: AzureProvider, fault: Fault) -> None:
    spec, seen = prepared(provider, azure), []
    fault("conflict", times=3, state="Updating")
    provider.put_cluster(spec, azure.request(), quick(seen))
    assert any(state.startswith("waiting for another operation: Operation is not allowed") for state in seen)
    assert provider.observe(spec).cluster is not None


def test_another_operation_that_outlasts_the_wait_has_its_own_exit_code(
    azure: Target, provider: AzureProvider, fault: Fault
) -> None:
    spec = prepared(provider, azure)
    fault("conflict", times=None)
    with pytest.raises(OperationInProgress, match="another operation outlasted the wait") as caught:
        provider.put_cluster(spec, azure.request(), quick(timeout=120))
    assert caught.value.exit_code == 6
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "more", "pause"),
    [
        ("throttled", {"seconds": 17}, 17.0),
        ("too-many-requests", {}, 291.0),
        ("subscription-throttled", {"header": False}, 6.0),
    ],
)
def test_throttling_is_obeyed_by_a_clock_that_can_be_interrupted(
    azure: Target, provider: AzureProvider, fault: Fault, name: str, more: dict[str, Any], pause: float
) -> None:
    spec, clock, seen = prepared(provider, azure), FakeClock(), []
    fault(name, **more)
    provider.put_cluster(spec, azure.request(), Patience(3600, clock, seen.append))
    assert pause in clock.pauses
    assert "throttled by the service" in seen


def test_a_failed_operation_tells_its_cause_and_a_later_call_tries_again(
    azure: Target, provider: AzureProvider, fault: Fault
) -> None:
    spec = prepared(provider, azure)
    fault("failed", code="QuotaExceeded", message="exceeding approved standardDSv5Family Cores quota.")
    with pytest.raises(NoCapacity, match="exceeding approved standardDSv5Family Cores quota") as caught:
        provider.put_cluster(spec, azure.request(), quick())
    assert caught.value.code == "QuotaExceeded"
    failed = provider.observe(spec).cluster
    assert failed is not None
    assert failed.state == "Failed"
    provider.put_cluster(spec, azure.request(), quick())
    mended = provider.observe(spec).cluster
    assert mended is not None
    assert (mended.state, mended.owner) == ("Succeeded", azure.name)


def test_an_operation_that_reports_failure_though_it_worked_is_a_success(
    azure: Target, provider: AzureProvider, fault: Fault
) -> None:
    spec = prepared(provider, azure)
    fault("failed-then-succeeds", code="InternalOperationError", message="oops")
    provider.put_cluster(spec, azure.request(), quick())
    seen = provider.observe(spec).cluster
    assert seen is not None
    assert seen.state == "Succeeded"


def test_a_success_that_was_overtaken_is_looked_at_again(azure: Target, provider: AzureProvider, fault: Fault) -> None:
    spec = prepared(provider, azure)
    fault("succeeded-with-error", code="NotLatestOperation", message="preempted")
    provider.put_cluster(spec, azure.request(), quick())
    assert provider.observe(spec).cluster is not None


def test_a_change_by_somebody_else_is_read_and_decided_again(
    azure: Target, provider: AzureProvider, fault: Fault
) -> None:
    spec = put_up(provider, azure)
    fault("error", "PATCH", status=412, code="PreConditionFailed", message="eTag mismatch")
    provider.put_cluster(spec, azure.request(color="blue"), quick())
    seen = provider.observe(spec).cluster
    assert seen is not None
    assert seen.tags["color"] == "blue"


def test_an_expiry_that_was_set_is_not_moved_by_later_runs(azure: Target, provider: AzureProvider) -> None:
    spec = put_up(provider, azure)
    later = "2030-01-01T0{}:00:00Z"
    provider.put_cluster(spec, azure.request(**{EXPIRES_TAG: later.format(1)}), quick())
    before = azure.mark()
    provider.put_cluster(spec, azure.request(**{EXPIRES_TAG: later.format(2)}), quick())
    assert azure.writes(before) == []
    seen = provider.observe(spec).cluster
    assert seen is not None
    assert seen.tags[EXPIRES_TAG] == later.format(1)


def test_the_premium_tier_is_granted(azure: Target, provider: AzureProvider) -> None:
    spec = prepared(provider, azure)
    provider.put_cluster(spec, replace(azure.request(), tier="Premium"), quick())
    assert provider.observe(spec).cluster is not None


def test_somebody_who_keeps_changing_it_ends_the_run(azure: Target, provider: AzureProvider, fault: Fault) -> None:
    spec = put_up(provider, azure)
    fault("error", "PATCH", times=None, status=412, code="PreConditionFailed", message="eTag mismatch")
    with pytest.raises(OperationInProgress, match="somebody else keeps changing"):
        provider.put_cluster(spec, azure.request(color="blue"), quick())


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_connection_cut_during_creation_does_not_make_two(
    azure: Target, provider: AzureProvider, fault: Fault, moment: str
) -> None:
    spec = prepared(provider, azure)
    fault("cut", moment=moment)
    provider.put_cluster(spec, azure.request(), quick())
    seen = provider.observe(spec).cluster
    assert seen is not None
    assert seen.state == "Succeeded"


@pytest.mark.parametrize("name", ["cut", "token-expired", "throttled"])
def test_a_poll_survives(azure: Target, provider: AzureProvider, fault: Fault, name: str) -> None:
    spec = prepared(provider, azure)
    fault(name, "GET", "/operations/")
    provider.put_cluster(spec, azure.request(), quick())
    assert provider.observe(spec).cluster is not None


def test_a_gateway_that_fails_for_a_while_is_outlived(azure: Target, provider: AzureProvider, fault: Fault) -> None:
    spec, seen = prepared(provider, azure), []
    fault("error", "GET", "/operations/", status=501, code="NotNow")
    fault("error", "GET", "/operations/", status=501, code="NotNow")
    provider.put_cluster(spec, azure.request(), quick(seen))
    assert "no answer; trying again" in seen


def test_a_forgotten_operation_is_told_by_the_resource_itself(
    azure: Target, provider: AzureProvider, fault: Fault
) -> None:
    spec = prepared(provider, azure)
    fault("error", "GET", "/operations/", status=404, code="NotFound", message="gone")
    provider.put_cluster(spec, azure.request(), quick())
    assert provider.observe(spec).cluster is not None


def test_a_proxys_page_is_told_as_such(azure: Target, provider: AzureProvider, fault: Fault) -> None:
    fault("html", "GET", f"resourcegroups/{azure.name}$")
    with pytest.raises(ServiceError) as caught:
        provider.observe(azure.spec())
    assert caught.value.code == "NotResourceManager"
    assert caught.value.hint is not None
    assert "proxy" in caught.value.hint


def test_quota_that_runs_out_on_the_way_has_its_exit_code(azure: Target, provider: AzureProvider, fault: Fault) -> None:
    spec = put_up(provider, azure)
    fault("quota", path=f"{azure.name}/agentPools/wasm$")
    with pytest.raises(NoCapacity, match="vcpu quota") as caught:
        provider.put_node_pool(spec, azure.pool(3), quick())
    assert caught.value.exit_code == 4


def test_today_a_wasi_pool_is_refused_and_leaves_nothing(azure: Target, provider: AzureProvider) -> None:
    spec = put_up(provider, azure)
    with pytest.raises(PreviewRetired, match="no longer supported on AKS") as caught:
        provider.put_node_pool(spec, azure.pool(route="wasi-preview"), quick())
    assert caught.value.code == "InvalidWorkloadRuntimeSettingError"
    cluster = provider.observe(spec).cluster
    assert cluster is not None
    assert cluster.pool("wasm") is None


def test_a_deletion_that_fails_is_told(azure: Target, provider: AzureProvider, fault: Fault) -> None:
    spec = put_up(provider, azure)
    provider.put_node_pool(spec, azure.pool(), quick())
    fault("failed", "DELETE", f"{azure.name}/agentPools/wasm$", code="PodDrainFailure", message="can't drain.")
    with pytest.raises(AksWasmError, match="can't drain"):
        provider.delete(spec, "wasm", quick(), wait=True)


def test_deletion_can_be_left_to_azure(azure: Target, provider: AzureProvider) -> None:
    spec = put_up(provider, azure)
    provider.delete(spec, None, quick(), wait=False)
    provider.ensure(Prerequisite.GROUP, spec, patience())  # waits until the old one is gone
    assert provider.observe(spec).cluster is None
