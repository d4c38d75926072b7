"""The tool's hands stay off what does not carry its mark."""

from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.errors import Refused
from aks_wasm.providers.azure.ownership import (
    foreign_resources,
    refuse_foreign_resources,
    refuse_locked,
)
from aks_wasm.providers.base import ObservedCluster, ObservedGroup
from aks_wasm.providers.ownership import owner_in, refuse_foreign_cluster, refuse_foreign_group
from aks_wasm.spec.models import ClusterSpec

OURS = {"aks-wasm-owner": "hello"}


def spec(group: str | None = None) -> ClusterSpec:
    return ClusterSpec.model_validate({"metadata": {"name": "hello"}, "azure": {"resourceGroup": group}})


def group(tags: dict[str, str]) -> ObservedGroup:
    return ObservedGroup("hello", "westus2", tags)


def test_our_group_and_our_cluster_pass() -> None:
    refuse_foreign_group(group(OURS), "hello", unmarked_is_fine=False)
    refuse_foreign_cluster(ObservedCluster("hello", "Succeeded", "westus2", "1.35", OURS), "hello")


def test_a_group_that_the_file_names_may_be_unmarked() -> None:
    refuse_foreign_group(group({}), "hello", unmarked_is_fine=True)


@pytest.mark.parametrize(
    ("tags", "fine", "why"),
    [
        ({}, False, "was not made by aks-wasm"),
        ({"aks-wasm-owner": "other"}, False, "belongs to `other`"),
        ({"aks-wasm-owner": "other"}, True, "belongs to `other`"),
    ],
)
def test_another_group_is_refused(tags: dict[str, str], why: str, *, fine: bool) -> None:
    with pytest.raises(Refused, match=f"the resource group `hello` {why}") as caught:
        refuse_foreign_group(group(tags), "hello", unmarked_is_fine=fine)
    assert "azure.resourceGroup" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("tags", "why"), [({}, "was not made by aks-wasm"), ({"aks-wasm-owner": "x"}, "belongs to `x`")]
)
def test_another_cluster_is_refused(tags: dict[str, str], why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        refuse_foreign_cluster(ObservedCluster("hello", "Succeeded", "westus2", "1.35", tags), "hello")
    assert (caught.value.exit_code, caught.value.code) == (7, "NotOurs")


def test_objects_are_ours_by_both_labels() -> None:
    ours = {"app.kubernetes.io/managed-by": "aks-wasm", "app.kubernetes.io/part-of": "hello"}
    assert owner_in(ours) == "hello"
    assert owner_in(ours | {"app.kubernetes.io/managed-by": "Helm"}) is None
    assert owner_in({}) is None


def test_what_carries_no_mark_of_ours_is_foreign_and_listed() -> None:
    resources: list[dict[str, Any]] = [
        {"type": "Microsoft.ContainerService/managedClusters", "name": "hello", "tags": OURS},
        {"type": "Microsoft.Storage/storageAccounts", "name": "data"},
        {"type": "Microsoft.ContainerService/managedClusters", "name": "b", "tags": {"aks-wasm-owner": "b"}},
    ]
    foreign = foreign_resources(resources, spec())
    assert foreign == ("Microsoft.Storage/storageAccounts/data", "Microsoft.ContainerService/managedClusters/b")
    with pytest.raises(Refused, match="storageAccounts/data, "):
        refuse_foreign_resources("hello", foreign)
    refuse_foreign_resources("hello", ())


def test_a_lock_is_named_with_the_command_that_removes_it() -> None:
    group = "/subscriptions/s/resourceGroups/hello"
    refuse_locked([], [group])
    refuse_locked([lock("/subscriptions/s/resourceGroups/hello-2"), lock("/subscriptions/t")], [group])
    for scope, where in (
        (group.lower(), "the resource group `hello`"),
        ("/subscriptions/s", "the subscription `s`"),
        (f"{group}/providers/Microsoft.ContainerService/managedClusters/a", "the resource `a`"),
    ):
        with pytest.raises(Refused, match=rf"{where} is locked: keep \(CanNotDelete\)") as caught:
            refuse_locked([lock(scope)], [group])
        assert f"az lock delete --ids {scope}/providers" in (caught.value.hint or "")


def lock(scope: str) -> dict[str, Any]:
    place = f"{scope}/providers/Microsoft.Authorization/locks/keep"
    return {"id": place, "name": "keep", "properties": {"level": "CanNotDelete"}}
