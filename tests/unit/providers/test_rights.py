from __future__ import annotations

import pytest

from aks_wasm.providers.azure.rights import allows

WRITE = "Microsoft.ContainerService/managedClusters/write"
CONTRIBUTOR = {"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]}


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        ([CONTRIBUTOR], True),
        ([{"actions": ["*/read"]}], False),
        ([{"actions": ["microsoft.containerservice/managedclusters/*"], "notActions": []}], True),
        ([{"actions": ["*"], "notActions": ["*/managedClusters/write"]}], False),
        ([{"actions": ["*"], "notActions": ["*/managedClusters/write"]}, {"actions": [WRITE]}], True),
        ([{"actions": ["Microsoft.ContainerService/managedClusters"]}], False),
        ([{"actions": None}], False),
        ([], False),
    ],
)
def test_an_action_is_granted_by_any_role_that_does_not_take_it_back(
    permissions: list[dict[str, list[str]]], *, allowed: bool
) -> None:
    assert allows(permissions, WRITE) is allowed
