"""Reading: lists, selectors, pages, metadata alone."""

from __future__ import annotations

from urllib.parse import quote

from tests.e2e.contract.scenarios.objects import config_map, deployment, pod
from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript

LABEL_SELECTORS = (
    "app=a", "app==a", "app!=a", "app in (a,b)", "app notin (a)", "app", "!app", "app=a,tier=x", "tier=", "n>1", "n<2",
)  # fmt: skip


def _labelled(api: Transcript, space: Space) -> str:
    maps = f"{space.core}/configmaps"
    labels = ({"app": "a", "n": "1"}, {"app": "a", "tier": "x"}, {"app": "b", "n": "2"}, {"tier": ""})
    for number, some in enumerate(labels):
        api.quietly("POST", maps, config_map(f"m{number}", labels=some))
    return maps


@scenario
def label_selectors(api: Transcript, space: Space) -> None:
    maps = _labelled(api, space)
    for selector in LABEL_SELECTORS:
        found = api.quietly("GET", f"{maps}?labelSelector={quote(selector)}")
        names = [item["metadata"]["name"] for item in found["items"]] if "items" in found else found
        api.lines.append({"request": f"SELECT {selector}", "status": 200, "body": names})


@scenario
def field_selectors(api: Transcript, space: Space) -> None:
    maps = _labelled(api, space)
    api.get(f"{maps}?fieldSelector=metadata.name=m1")
    api.get(f"{maps}?fieldSelector=metadata.name!=m1,metadata.namespace={space.name}")
    api.post(f"{space.core}/pods", pod())
    for selector in ("status.phase=Pending", "spec.nodeName=", "spec.restartPolicy=Never", "status.phase!=Pending"):
        api.get(f"{space.core}/pods?fieldSelector={quote(selector)}")


@scenario
def lists_come_in_pages(api: Transcript, space: Space) -> None:
    maps = _labelled(api, space)
    page = api.get(f"{maps}?limit=3")
    api.get(f"{maps}?limit=3&continue={quote(page['metadata']['continue'])}")
    api.get(f"{maps}?limit=4")
    api.get(f"{maps}?limit=0")


@scenario
def lists_of_nothing(api: Transcript, space: Space) -> None:
    api.get(f"{space.apps}/deployments")
    api.get(f"{space.core}/pods")
    api.get("/api/v1/namespaces/none/pods")


@scenario
def lists_of_all_namespaces(api: Transcript, space: Space) -> None:
    api.post(f"{space.apps}/deployments", {**deployment(), "metadata": {"name": "web", "labels": {"in": space.name}}})
    api.get(f"/apis/apps/v1/deployments?labelSelector=in%3D{space.name}")


@scenario
def metadata_alone(api: Transcript, space: Space) -> None:
    maps = _labelled(api, space)
    one = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    api.ask("GET", f"{maps}/m0", accept=one)
    api.ask("GET", maps, accept="application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
