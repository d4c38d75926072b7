"""The real Azure SDK goes its whole way: sign in, group, cluster, pools, credentials, and back to nothing."""

from __future__ import annotations

import pytest
import yaml
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.containerservice import models

from tests.emulator.arm.azure import Azure, Place, cluster_model


def test_a_cluster_with_a_pool_comes_and_goes(azure: Azure, place: Place) -> None:
    cluster = azure.aks.managed_clusters.begin_create_or_update(place.group, "c", cluster_model()).result()
    assert cluster.provisioning_state == "Succeeded"
    assert cluster.node_resource_group == f"MC_{place.group}_c_westeurope"
    assert azure.resources.resource_groups.check_existence(cluster.node_resource_group)
    properties = models.ManagedClusterAgentPoolProfileProperties(
        count=2, vm_size="Standard_D2s_v5", mode="User", node_labels={"a": "b"}
    )
    pool = models.AgentPool({"properties": properties})
    made = azure.aks.agent_pools.begin_create_or_update(place.group, "c", "wasm", pool).result()
    assert (made.provisioning_state, made.count, made.node_labels) == ("Succeeded", 2, {"a": "b"})
    shown = azure.aks.managed_clusters.get(place.group, "c")
    assert [profile.name for profile in shown.agent_pool_profiles or []] == ["system", "wasm"]
    assert len(list(azure.aks.machines.list(place.group, "c", "wasm"))) == 2
    azure.aks.agent_pools.begin_delete(place.group, "c", "wasm").result()
    with pytest.raises(ResourceNotFoundError) as missing:
        azure.aks.agent_pools.get(place.group, "c", "wasm")
    assert missing.value.error is not None
    assert missing.value.error.code == "NotFound"
    azure.aks.managed_clusters.begin_delete(place.group, "c").result()
    assert not azure.resources.resource_groups.check_existence(cluster.node_resource_group)


def test_credentials_open_the_clusters_api(azure: Azure, place: Place) -> None:
    place.make_cluster()
    answer = azure.aks.managed_clusters.list_cluster_user_credentials(place.group, "c").kubeconfigs
    assert answer is not None
    assert answer[0].name == "clusterUser"
    config = yaml.safe_load(bytes(answer[0].value or b""))
    assert config["current-context"] == "c"
    assert config["users"][0]["name"] == f"clusterUser_{place.group}_c"
    admin = azure.aks.managed_clusters.list_cluster_admin_credentials(place.group, "c").kubeconfigs
    assert admin is not None
    assert admin[0].name == "clusterAdmin"


def test_an_operation_is_resumed_from_its_token_without_another_put(azure: Azure, place: Place) -> None:
    poller = azure.aks.managed_clusters.begin_create_or_update(place.group, "c", cluster_model())
    token = poller.continuation_token()
    poller.result()
    with azure.fault("error", place.group, method="PUT"):
        resumed = azure.aks.managed_clusters.begin_create_or_update(
            place.group, "c", cluster_model(), continuation_token=token
        )
        assert resumed.result().provisioning_state == "Succeeded"


def test_a_failed_operation_is_an_error_with_status_200(azure: Azure, place: Place) -> None:
    with azure.fault("failed", place.group, method="PUT", code="AllocationFailed", message="Allocation failed."):
        poller = azure.aks.managed_clusters.begin_create_or_update(place.group, "c", cluster_model())
        with pytest.raises(HttpResponseError) as failed:
            poller.result()
    assert failed.value.status_code == 200
    assert failed.value.error is not None
    assert failed.value.error.code == "AllocationFailed"
    shown = azure.aks.managed_clusters.get(place.group, "c")
    assert shown.provisioning_state == "Failed"
    assert shown.status is not None
    assert shown.status.provisioning_error is not None
    assert shown.status.provisioning_error.code == "AllocationFailed"


def test_features_and_providers_are_registered(azure: Azure) -> None:
    before = azure.features.features.get("Microsoft.ContainerService", "KataVMIsolationPreview")
    assert before.properties is not None
    assert before.properties.state == "NotRegistered"
    after = azure.features.features.register("Microsoft.ContainerService", "KataVMIsolationPreview")
    assert after.properties is not None
    assert after.properties.state == "Registered"
    assert str(after.name).lower() == "microsoft.containerservice/katavmisolationpreview"
    names = [feature.name for feature in azure.features.features.list("Microsoft.ContainerService")]
    assert len(names) > 5  # more than a page
    azure.features.features.unregister("Microsoft.ContainerService", "KataVMIsolationPreview")
    assert azure.resources.providers.get("Microsoft.ContainerService").registration_state == "Registered"
    with pytest.raises(ResourceNotFoundError, match="The feature 'Nonsense' could not be found"):
        azure.features.features.get("Microsoft.ContainerService", "Nonsense")


def test_an_etag_guards_a_pool(azure: Azure, place: Place) -> None:
    from azure.core import MatchConditions
    from azure.core.exceptions import ResourceModifiedError

    place.make_cluster()
    place.make_pool("user")
    pool = azure.aks.agent_pools.get(place.group, "c", "user")
    pool.count = 2
    changed = azure.aks.agent_pools.begin_create_or_update(
        place.group, "c", "user", pool, etag=pool.e_tag, match_condition=MatchConditions.IfNotModified
    ).result()
    assert changed.count == 2
    with pytest.raises(ResourceModifiedError):
        azure.aks.agent_pools.begin_create_or_update(
            place.group, "c", "user", pool, etag=pool.e_tag, match_condition=MatchConditions.IfNotModified
        )


def test_groups_are_written_read_and_deleted(azure: Azure, place: Place) -> None:
    groups = azure.resources.resource_groups
    with pytest.raises(ResourceExistsError, match="Invalid resource group location 'eastus'"):
        groups.create_or_update(place.group, {"location": "eastus"})
    assert groups.update(place.group, {"tags": {"a": "b"}}).tags == {"a": "b"}
    assert place.group in [group.name for group in groups.list(filter="tagName eq 'a' and tagValue eq 'b'")]
    place.make_cluster()
    listed = {resource.type for resource in azure.resources.resources.list_by_resource_group(place.group)}
    assert listed == {"Microsoft.ContainerService/managedClusters"}
    machines = azure.resources.resources.list_by_resource_group(f"MC_{place.group}_c_westeurope")
    assert "Microsoft.Compute/virtualMachineScaleSets" in {resource.type for resource in machines}
    groups.begin_delete(place.group).result()
    assert not groups.check_existence(place.group)
    assert not groups.check_existence(f"MC_{place.group}_c_westeurope")


def test_power_tags_and_abort_are_pollers_too(azure: Azure, place: Place) -> None:
    place.make_cluster()
    clusters = azure.aks.managed_clusters
    tagged = clusters.begin_update_tags(place.group, "c", models.TagsObject(tags={"a": "b"})).result()
    assert (tagged.tags, tagged.provisioning_state) == ({"a": "b"}, "Succeeded")
    clusters.begin_stop(place.group, "c").result()
    stopped = clusters.get(place.group, "c").power_state
    assert stopped is not None
    assert stopped.code == "Stopped"
    clusters.begin_start(place.group, "c").result()
    with azure.fault("stuck", place.group, method="PUT"):
        clusters.begin_create_or_update(place.group, "c", clusters.get(place.group, "c"), polling=False)
    clusters.begin_abort_latest_operation(place.group, "c").result()
    assert clusters.get(place.group, "c").provisioning_state == "Canceled"


def test_versions_and_upgrades_are_deserialised(azure: Azure, place: Place) -> None:
    place.make_cluster()
    offered = azure.aks.managed_clusters.list_kubernetes_versions("westeurope").values_property or []
    assert [one.version for one in offered if one.is_default] == ["1.35"]
    assert (offered[1].patch_versions or {})["1.35.5"].upgrades == ["1.36.2", "1.36.1"]
    profile = azure.aks.managed_clusters.get_upgrade_profile(place.group, "c")
    assert profile.control_plane_profile.kubernetes_version == "1.35.5"
    pools = azure.aks.agent_pools.get_available_agent_pool_versions(place.group, "c").agent_pool_versions or []
    assert [one.kubernetes_version for one in pools if one.default] == ["1.35.5"]


def test_deletes_are_pollers_that_end_with_nothing(azure: Azure, place: Place) -> None:
    azure.aks.managed_clusters.begin_delete(place.group, "nothing").result()
    place.make_cluster()
    poller = azure.aks.managed_clusters.begin_delete(place.group, "c")
    resumed = azure.aks.managed_clusters.begin_delete(place.group, "c", continuation_token=poller.continuation_token())
    resumed.result()
    assert not list(azure.aks.managed_clusters.list_by_resource_group(place.group))
