"""Resource groups by az."""

from __future__ import annotations

from tests.az.azure_cli import Az, needs_az

pytestmark = needs_az


def test_a_group_is_made_tagged_found_locked_and_deleted(az: Az) -> None:
    made = az("group", "create", "-n", "az-life", "-l", "westeurope", "--tags", "team=az")
    assert (made["properties"]["provisioningState"], made["tags"]) == ("Succeeded", {"team": "az"})
    assert az("group", "exists", "-n", "AZ-LIFE") is True
    az("tag", "update", "--resource-id", made["id"], "--operation", "Merge", "--tags", "cost=7")
    assert [group["tags"] for group in az("group", "list", "--tag", "cost=7")] == [{"team": "az", "cost": "7"}]
    elsewhere = az.refusal("group", "create", "-n", "az-life", "-l", "northeurope")
    assert "(InvalidResourceGroupLocation)" in elsewhere
    az("lock", "create", "-n", "keep", "-g", "az-life", "--lock-type", "CanNotDelete")
    assert az.refusal("group", "delete", "-n", "az-life", "--yes") == (
        f"ERROR: (ScopeLocked) The scope '{made['id']}' cannot perform delete operation because following scope(s) are "
        f"locked: '{made['id']}'. Please remove the lock and try again."
    )
    az("lock", "delete", "-n", "keep", "-g", "az-life")
    az("group", "delete", "-n", "az-life", "--yes")
    assert az.refusal("group", "show", "-n", "az-life") == (
        "ERROR: (ResourceGroupNotFound) Resource group 'az-life' could not be found."
    )
