"""Watches: what they begin with, what they see, how they end."""

from __future__ import annotations

from tests.e2e.contract.scenarios.objects import config_map, pod
from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript


@scenario
def a_watch_goes_on_from_a_version(api: Transcript, space: Space) -> None:
    maps = f"{space.core}/configmaps"
    first = api.quietly("POST", maps, config_map())
    api.quietly("PATCH", f"{maps}/settings", {"data": {"a": "2"}}, media="application/merge-patch+json")
    api.quietly("POST", maps, config_map("second"))
    api.quietly("DELETE", f"{maps}/settings")
    api.watch(maps, f"resourceVersion={first['metadata']['resourceVersion']}", 3)


@scenario
def a_watch_begins_with_what_is_there(api: Transcript, space: Space) -> None:
    maps = f"{space.core}/configmaps"
    api.quietly("POST", maps, config_map())
    api.quietly("POST", maps, config_map("second"))
    api.watch(maps, "resourceVersion=0", 2)
    api.watch(maps, "", 2)


@scenario
def a_watch_can_say_when_it_has_caught_up(api: Transcript, space: Space) -> None:
    maps = f"{space.core}/configmaps"
    api.quietly("POST", maps, config_map())
    more = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    api.watch(maps, more, 2)
    api.get(f"{maps}?watch=1&sendInitialEvents=true")


@scenario
def a_selector_makes_objects_come_and_go(api: Transcript, space: Space) -> None:
    maps = f"{space.core}/configmaps"
    first = api.quietly("POST", maps, config_map("other"))
    api.quietly("POST", maps, config_map(labels={"app": "a"}))
    for labels in ({"app": "b"}, {"app": "a"}):
        patch = {"metadata": {"labels": labels}}
        api.quietly("PATCH", f"{maps}/settings", patch, media="application/merge-patch+json")
    version = first["metadata"]["resourceVersion"]
    api.watch(maps, f"labelSelector=app%3Da&resourceVersion={version}", 3)


@scenario
def one_object_is_watched_by_name(api: Transcript, space: Space) -> None:
    pods = f"{space.core}/pods"
    first = api.quietly("POST", pods, pod())
    api.quietly("PATCH", f"{pods}/one", {"metadata": {"labels": {"x": "y"}}}, media="application/merge-patch+json")
    version = first["metadata"]["resourceVersion"]
    api.watch(pods, f"fieldSelector=metadata.name%3Done&resourceVersion={version}", 1)


@scenario
def versions_that_cannot_be_watched(api: Transcript, space: Space) -> None:
    maps = f"{space.core}/configmaps"
    api.get(f"{maps}?watch=1&resourceVersion=text&timeoutSeconds=1")
    api.get(f"{maps}?watch=perhaps&timeoutSeconds=1&limit=1")
