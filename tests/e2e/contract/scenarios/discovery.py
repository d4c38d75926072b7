"""What the server says it can do."""

from __future__ import annotations

from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript

GROUPS = (
    "/api/v1", "/apis/apps/v1", "/apis/batch/v1", "/apis/node.k8s.io/v1", "/apis/discovery.k8s.io/v1",
    "/apis/rbac.authorization.k8s.io/v1", "/apis/coordination.k8s.io/v1", "/apis/networking.k8s.io/v1",
    "/apis/policy/v1", "/apis/storage.k8s.io/v1", "/apis/authentication.k8s.io/v1", "/apis/authorization.k8s.io/v1",
    "/apis/events.k8s.io/v1", "/apis/apiextensions.k8s.io/v1", "/apis/autoscaling/v2", "/apis/scheduling.k8s.io/v1",
)  # fmt: skip


@scenario
def resources_of_the_groups(api: Transcript, space: Space) -> None:
    for path in GROUPS:
        found = api.quietly("GET", path)
        for resource in found.get("resources", []):
            resource.pop("storageVersionHash", None)
        by_name = {resource["name"]: resource for resource in found.get("resources", [])}
        api.lines.append({"request": f"RESOURCES {path}", "status": 200, "body": by_name or found})


@scenario
def groups_and_versions(api: Transcript, space: Space) -> None:
    api.get("/api")
    found = api.quietly("GET", "/apis")
    served = {group["name"]: group for group in found["groups"]}
    api.lines.append({"request": "GROUPS /apis", "status": 200, "body": served})
    version = api.quietly("GET", "/version")
    told = {key: version.get(key) for key in ("major", "minor", "gitVersion")}
    api.lines.append({"request": "GET /version", "status": 200, "body": told})


@scenario
def health(api: Transcript, space: Space) -> None:
    for path in ("/healthz", "/livez", "/readyz", "/readyz/ping"):
        api.get(path)
