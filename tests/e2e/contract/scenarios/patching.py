"""Merge, strategic merge and JSON patches."""

from __future__ import annotations

from tests.e2e.contract.scenarios.objects import config_map, deployment, pod, service
from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript


@scenario
def a_merge_patch_removes_nulls_and_replaces_lists(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/configmaps", config_map(a="1", b="2"))
    api.patch(f"{space.core}/configmaps/settings", {"data": {"a": None, "c": "3"}})
    api.post(f"{space.apps}/deployments", deployment())
    containers = [{"name": "side", "image": "side:1"}]
    api.patch(f"{space.apps}/deployments/web", {"spec": {"template": {"spec": {"containers": containers}}}})


@scenario
def a_strategic_patch_merges_by_name(api: Transcript, space: Space) -> None:
    api.post(f"{space.apps}/deployments", deployment())
    where = f"{space.apps}/deployments/web"
    more = [{"name": "main", "env": [{"name": "A", "value": "1"}]}, {"name": "side", "image": "side:1"}]
    api.patch(where, {"spec": {"template": {"spec": {"containers": more}}}}, "strategic")
    gone = [{"name": "side", "$patch": "delete"}]
    api.patch(where, {"spec": {"template": {"spec": {"containers": gone}}}}, "strategic")
    api.patch(where, {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}, "strategic")


@scenario
def a_strategic_patch_without_its_key_is_refused(api: Transcript, space: Space) -> None:
    api.post(f"{space.apps}/deployments", deployment())
    where = f"{space.apps}/deployments/web"
    api.patch(where, {"spec": {"template": {"spec": {"containers": [{"image": "side:1"}]}}}}, "strategic")
    api.patch(where, {"spec": {"$patch": "sideways"}}, "strategic")


@scenario
def json_patches(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/configmaps", config_map(a="1"))
    where = f"{space.core}/configmaps/settings"
    api.patch(where, [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "remove", "path": "/data/a"}], "json")
    api.patch(where, [{"op": "add", "path": "/data", "value": {"x/y": "1"}}], "json")
    api.patch(where, [{"op": "move", "from": "/data/x~1y", "path": "/data/z"}], "json")
    api.patch(where, [{"op": "copy", "from": "/data/z", "path": "/data/w"}], "json")
    api.patch(where, [{"op": "test", "path": "/data/z", "value": "2"}], "json")
    api.patch(where, [{"op": "remove", "path": "/data/none"}], "json")
    api.patch(where, [{"op": "replace", "path": "/data/none", "value": "1"}], "json")
    api.patch(where, [{"op": "jump", "path": "/data/none"}], "json")
    api.patch(where, {"op": "add"}, "json")


@scenario
def a_patch_is_checked_like_an_update(api: Transcript, space: Space) -> None:
    api.post(f"{space.apps}/deployments", deployment())
    where = f"{space.apps}/deployments/web"
    api.patch(where, {"spec": {"selector": {"matchLabels": {"app": "other"}}}})
    api.patch(where, {"spec": {"replicas": "two"}})
    api.patch(where, {"metadata": {"name": "other"}})
    api.patch(where, {"metadata": {"resourceVersion": "1"}})
    api.patch(where, {"metadata": {"uid": "no"}})
    api.patch(where, {"spec": {"replicas": 1.5}})


@scenario
def what_cannot_be_patched(api: Transcript, space: Space) -> None:
    where = f"{space.core}/configmaps/settings"
    api.patch(where, {"data": {}})
    api.post(f"{space.core}/configmaps", config_map())
    api.patch(where, "{", "merge")
    api.patch(where, "[]", "merge")
    api.ask("PATCH", where, {"data": {}}, media="application/json")
    api.ask("PATCH", where, {"data": {}}, media="text/plain")


@scenario
def a_patch_that_changes_nothing_writes_nothing(api: Transcript, space: Space) -> None:
    first = api.post(f"{space.core}/configmaps", config_map(a="1"))
    again = api.patch(f"{space.core}/configmaps/settings", {"data": {"a": "1"}})
    assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]


@scenario
def annotations_and_labels_are_patched(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/pods", pod())
    api.patch(f"{space.core}/pods/one", {"metadata": {"annotations": {"a/b": "1"}, "labels": {"x": "y"}}})
    api.patch(f"{space.core}/pods/one", {"metadata": {"annotations": {"a/b": None}}}, "strategic")
    api.patch(f"{space.core}/pods/one", {"metadata": {"labels": {"not valid!": "y"}}})
    api.patch(f"{space.core}/pods/one", {"spec": {"containers": [{"name": "main", "image": "other:2"}]}}, "strategic")
    api.patch(f"{space.core}/pods/one", {"spec": {"nodeName": "somewhere"}})


@scenario
def a_services_ports_are_patched_by_port(api: Transcript, space: Space) -> None:
    api.post(f"{space.core}/services", service())
    ports = [{"port": 80, "name": "http"}, {"port": 443, "name": "https"}]
    api.patch(f"{space.core}/services/web", {"spec": {"ports": ports}}, "strategic")
    api.patch(f"{space.core}/services/web", {"spec": {"clusterIP": "10.0.9.9"}})
    api.patch(f"{space.core}/services/web", {"spec": {"type": "NodePort"}})
