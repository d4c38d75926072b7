"""Who we are on Azure, what is not ours there, and what preflight finds against the real wire."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aks_wasm.emulator.identity import READER, TokenAuthority
from aks_wasm.emulator.layout import Layout
from aks_wasm.emulator.state import Documents
from aks_wasm.errors import AksWasmError, NoRight, NotAllowed, NotSignedIn, Refused, Unreachable, UsageError
from aks_wasm.providers.azure.clients import Clients
from aks_wasm.providers.azure.connection import Connection, connection_from
from aks_wasm.providers.azure.provider import AzureProvider
from aks_wasm.providers.base import Prerequisite
from aks_wasm.settings import Settings
from tests.contract.conftest import open_azure, target_on
from tests.contract.targets import Target, patience, put_up
from tests.running_emulator import EmulatorFactory, RunningEmulator

LOCKED = {"properties": {"level": "CanNotDelete"}}


def connected(target: Target, **changes: Any) -> AzureProvider:
    spec = target.spec()
    connection = connection_from(spec.azure, Settings(home=Path("/nowhere")), target.emulator.environment)
    return AzureProvider(Clients(dataclasses.replace(connection, **changes)), spec)


def principal(target: Target, **changes: Any) -> Any:
    found = connection_from(target.spec().azure, Settings(home=Path("/nowhere")), target.emulator.environment).principal
    assert found is not None
    return dataclasses.replace(found, **changes)


def arm(target: Target, method: str, path: str, body: Any = None) -> None:
    """Do on Azure what somebody else would do there."""
    with closing(connected(target)) as other:
        from azure.core.rest import HttpRequest

        clients = other._clients
        url = f"{clients.connection.endpoint}/subscriptions/{clients.subscription}{path}"
        clients.arm.send_request(HttpRequest(method, url, json=body)).raise_for_status()


def reader_of(emulator: RunningEmulator) -> tuple[str, str]:
    """Return client id and secret of the built-in principal that may only read."""
    documents = Documents(Layout.of(emulator.home).state)
    with closing(documents):
        found = TokenAuthority(documents).environment(READER)
    return found["AZURE_CLIENT_ID"], found["AZURE_CLIENT_SECRET"]


def test_the_only_subscription_is_found_by_itself(azure: Target) -> None:
    with closing(connected(azure, subscription=None)) as provider:
        assert provider.observe(azure.spec()).cluster is None


def test_an_unknown_subscription_is_a_usage_error(azure: Target) -> None:
    nobodys = "00000000-0000-0000-0000-00000000dead"
    with closing(connected(azure, subscription=nobodys)) as provider, pytest.raises(UsageError, match=nobodys):
        provider.observe(azure.spec())


def test_a_wrong_secret_is_not_signed_in_and_not_shown(azure: Target) -> None:
    wrong = principal(azure, secret="wrong-and-private")
    with closing(connected(azure, principal=wrong)) as provider, pytest.raises(NotSignedIn) as caught:
        provider.observe(azure.spec())
    assert caught.value.exit_code == 3
    assert "wrong-and-private" not in str(caught.value.to_dict())


def test_nobody_signed_in_is_told_how(azure: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "environmentcredential")
    with closing(connected(azure, principal=None)) as provider, pytest.raises(NotSignedIn) as caught:
        provider.observe(azure.spec())
    assert caught.value.hint is not None
    assert "az login" in caught.value.hint


def test_without_the_right_nothing_is_created(azure: Target) -> None:
    client, secret = reader_of(azure.emulator)
    with closing(connected(azure, principal=principal(azure, client_id=client, secret=secret))) as provider:
        with pytest.raises(NotAllowed, match="does not have authorization") as caught:
            provider.ensure(Prerequisite.GROUP, azure.spec(), patience())
        assert caught.value.code == "AuthorizationFailed"
        assert provider.observe(azure.spec()).group is None


def test_rights_are_looked_at_before_anything_is_written(azure: Target) -> None:
    client, secret = reader_of(azure.emulator)
    with closing(connected(azure, principal=principal(azure, client_id=client, secret=secret))) as provider:
        spec, before = azure.spec(), azure.mark()
        lacking = provider.check(spec, provider.observe(spec))
        assert all(isinstance(problem, NoRight) for problem in lacking)
        assert any("Microsoft.ContainerService/managedClusters/write" in str(problem) for problem in lacking)
        assert azure.writes(before) == []


@pytest.mark.parametrize("status", [403, 404, 501])
def test_rights_that_can_not_be_read_are_no_reason_to_refuse(
    azure: Target, provider: AzureProvider, status: int
) -> None:
    where = {"method": "GET", "path": "Microsoft.Authorization/permissions$"}
    azure.emulator.control("POST", "faults", {"fault": "error", "match": where, "status": status, "code": "No"})
    try:
        assert provider.check(azure.spec(), provider.observe(azure.spec())) == []
    finally:
        azure.emulator.control("DELETE", "faults")


@pytest.mark.parametrize("part", ["endpoint", "authority"])
def test_an_address_where_nothing_answers_fails_within_five_seconds(azure: Target, part: str) -> None:
    start = time.monotonic()
    with closing(connected(azure, **{part: "https://localhost:9"})) as provider, pytest.raises(Unreachable) as caught:
        provider.observe(azure.spec())
    assert time.monotonic() - start < 5
    assert caught.value.hint


def test_an_untrusted_certificate_is_told(azure: Target) -> None:
    with closing(connected(azure, ca_file=None)) as provider, pytest.raises(Unreachable) as caught:
        provider.observe(azure.spec())
    assert caught.value.code == "CertificateNotTrusted"


def test_a_foreign_group_is_refused_before_anything_is_written(azure: Target, provider: AzureProvider) -> None:
    arm(azure, "PUT", f"/resourcegroups/{azure.name}?api-version=2025-04-01", {"location": "westeurope"})
    spec, before = azure.spec(), azure.mark()
    for act in (
        lambda: provider.check(spec, provider.observe(spec)),
        lambda: provider.ensure(Prerequisite.GROUP, spec, patience()),
        lambda: provider.delete(spec, None, patience(), wait=True),
    ):
        with pytest.raises(Refused, match="was not made by aks-wasm"):
            act()
    assert azure.writes(before) == []


def test_a_group_that_the_file_names_is_used_and_outlives_the_cluster(azure: Target, provider: AzureProvider) -> None:
    team = f"team-{azure.name}"
    arm(azure, "PUT", f"/resourcegroups/{team}?api-version=2025-04-01", {"location": "westus2"})
    spec = put_up(provider, azure, azure={"resourceGroup": team})
    provider.delete(spec, None, patience(), wait=True)
    seen = provider.observe(spec)
    assert seen.cluster is None
    assert seen.group is not None


def test_a_group_with_something_foreign_inside_is_not_deleted(azure: Target, provider: AzureProvider) -> None:
    spec = put_up(provider, azure)
    neighbour = dataclasses.replace(azure, name="neighbour")
    other = neighbour.spec(azure={"resourceGroup": azure.name})
    provider.put_cluster(other, neighbour.request(), patience())
    before = azure.mark()
    with pytest.raises(Refused, match="managedClusters/neighbour"):
        provider.delete(spec, None, patience(), wait=True)
    assert azure.writes(before) == []


def test_a_locked_group_is_refused_with_the_way_out(azure: Target, provider: AzureProvider) -> None:
    spec = put_up(provider, azure)
    lock = f"/resourceGroups/{azure.name}/providers/Microsoft.Authorization/locks/keep?api-version=2020-05-01"
    arm(azure, "PUT", lock, LOCKED)
    with pytest.raises(Refused, match=r"the resource group .* is locked: keep \(CanNotDelete\)"):
        provider.delete(spec, None, patience(), wait=True)
    arm(azure, "DELETE", lock)
    provider.delete(spec, None, patience(), wait=True)


@pytest.mark.parametrize("above", ["", "/resourceGroups/MC_{name}_{name}_westeurope"])
def test_locks_around_the_group_are_found_before_anything_is_deleted(
    start_emulator: EmulatorFactory, above: str
) -> None:
    emulator = start_emulator()  # a lock on the subscription is in everybody's way
    target = Target("azure", emulator, lambda spec: open_azure(emulator, spec))
    with closing(target.open(target.spec())) as provider:
        spec = put_up(provider, target)
        scope = above.format(name=target.name)
        arm(target, "PUT", f"{scope}/providers/Microsoft.Authorization/locks/keep?api-version=2020-05-01", LOCKED)
        before = target.mark()
        with pytest.raises(Refused, match="is locked: keep") as caught:
            provider.delete(spec, None, patience(), wait=True)
        assert target.writes(before) == []
        assert caught.value.hint is not None
        assert "az lock delete --ids /subscriptions/" in caught.value.hint


@pytest.mark.parametrize(
    ("document", "field", "message"),
    [
        ({"azure": {"location": "westeurop"}}, "azure.location", "is not a location"),
        ({"cluster": {"kubernetesVersion": "1.2"}}, "cluster.kubernetesVersion", "does not offer Kubernetes 1.2"),
        ({"nodePools": [{"name": "w", "vmSize": "Standard_D2sv5"}]}, "nodePools.0.vmSize", "not a machine size"),
        (
            {"nodePools": [{"name": "w", "vmSize": "Standard_D2s_v5", "arch": "arm64"}]},
            "nodePools.0.vmSize",
            "is amd64",
        ),
        ({"nodePools": [{"name": "w", "count": 900}]}, "cluster.systemPool, nodePools.0", "vCPUs are needed"),
        ({"nodePools": [{"name": "w", "zones": ["9"]}]}, "nodePools.0.zones", "is not in zone 9"),
    ],
)
def test_preflight_finds_what_would_fail_later(
    azure: Target, provider: AzureProvider, document: dict[str, Any], field: str, message: str
) -> None:
    spec = azure.spec(**document)
    problems = provider.check(spec, provider.observe(spec))
    assert problems[0].field == field
    assert message in problems[0].message
    assert all(problem.hint for problem in problems)


def test_preflight_tells_every_problem_at_once_and_writes_nothing(azure: Target, provider: AzureProvider) -> None:
    before = azure.mark()
    pools = [{"name": "a", "vmSize": "Standard_X"}, {"name": "b", "vmSize": "Standard_D2s_v5", "arch": "arm64"}]
    spec = azure.spec(nodePools=pools, cluster={"kubernetesVersion": "1.2"})
    assert len(provider.check(spec, provider.observe(spec))) == 3
    assert azure.writes(before) == []


def test_a_complete_cluster_takes_two_reads_and_no_preflight(azure: Target, provider: AzureProvider) -> None:
    spec = put_up(provider, azure)
    provider.put_node_pool(spec, azure.pool(), patience())
    before = azure.mark()
    observed = provider.observe(spec)
    assert provider.check(spec, observed) == []
    assert len(azure.emulator.requests("arm", before)) == 2


@pytest.fixture
def feature_provider(request: pytest.FixtureRequest) -> Iterator[AzureProvider]:
    target = target_on("azure-2022", request)
    opened = target.open(target.spec())
    yield opened
    opened.close()


def test_a_feature_is_registered_shown_and_taken_back(feature_provider: AzureProvider) -> None:
    features = feature_provider.features
    assert features.register(patience=patience()).state == "Registered"
    assert features.register().state == "Registered"
    assert features.show().name == "WasmNodePoolPreview"
    assert features.unregister(patience=patience()).state in ("Unregistered", "NotRegistered")
    assert features.unregister().state in ("Unregistered", "NotRegistered")


def test_a_fresh_subscription_gets_every_provider_that_a_cluster_needs(start_emulator: EmulatorFactory) -> None:
    emulator = start_emulator()
    target = Target("azure", emulator, lambda spec: open_azure(emulator, spec))
    arm(target, "POST", "/providers/Microsoft.Network/unregister?api-version=2025-04-01")
    with closing(connected(target)) as provider:
        assert Prerequisite.PROVIDER in provider.observe(target.spec()).missing
        before = target.mark()
        provider.ensure(Prerequisite.PROVIDER, target.spec(), patience())
        written = [line.rsplit("/", 2)[1] for line in target.writes(before)]
        assert written == ["Microsoft.ContainerService", "Microsoft.Network"]
        provider.ensure(Prerequisite.PROVIDER, target.spec(), patience())
        assert len(target.writes(before)) == 2
        assert provider.observe(target.spec()).provider_state == "Registered"


def test_an_unknown_feature_points_to_the_other_route(feature_provider: AzureProvider) -> None:
    features = feature_provider.features
    assert features.show("NoSuchPreview").state == "Unknown"
    with pytest.raises(AksWasmError, match="has no feature") as caught:
        features.register("NoSuchPreview")
    assert caught.value.hint is not None
    assert "shim" in caught.value.hint


def test_a_token_for_the_clusters_api_can_be_had(provider: AzureProvider, azure: Target) -> None:
    del azure
    token, expires = provider.token()
    assert token.count(".") == 2
    assert expires > time.time()


def test_an_operation_url_on_another_host_never_sees_the_token() -> None:
    clients = Clients(Connection("https://management.azure.com", "https://management.azure.com", "https://login"))
    with pytest.raises(AksWasmError, match=r"`evil\.example`, which is not part of it"):
        clients.send("GET", "https://evil.example/operations/1?s=signed")
