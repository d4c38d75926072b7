"""Who may do what, and how a client is told."""

from __future__ import annotations

from typing import Any

from tests.e2e.contract.scenarios.objects import config_map
from tests.e2e.contract.scenarios.registry import Space, scenario
from tests.e2e.contract.transcript import Transcript


def _review(kind: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}


@scenario
def a_stranger_is_turned_away(api: Transcript, space: Space) -> None:
    with api.as_token("nobody") as stranger:
        stranger.get(f"{space.core}/pods")
        stranger.get("/version")


@scenario
def a_reader_without_a_role_is_refused(api: Transcript, space: Space) -> None:
    with api.as_token("reader") as reader:
        reader.get(f"{space.core}/pods")
        reader.get(f"{space.core}/pods/one")
        reader.post(f"{space.core}/configmaps", config_map())
        reader.delete(f"{space.core}/configmaps/settings")
        reader.get("/api/v1/nodes")
        reader.get("/apis/apps/v1/deployments")
        reader.get("/api")


@scenario
def a_role_opens_what_it_names(api: Transcript, space: Space) -> None:
    group = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space.name}"
    about = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "looking"}}
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
    api.post(f"{group}/roles", {**about, "kind": "Role", "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "looking"}
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "readers"}]
    api.post(f"{group}/rolebindings", {**about, "kind": "RoleBinding", "roleRef": role, "subjects": subjects})
    api.settle()
    with api.as_token("reader") as reader:
        reader.get(f"{space.core}/configmaps")
        reader.get(f"{space.core}/secrets")
        reader.post(f"{space.core}/configmaps", config_map())


@scenario
def reviews(api: Transcript, space: Space) -> None:
    attributes = {"namespace": space.name, "verb": "create", "resource": "pods"}
    reviews = "/apis/authorization.k8s.io/v1"
    api.post(f"{reviews}/selfsubjectaccessreviews", _review("SelfSubjectAccessReview", resourceAttributes=attributes))
    with api.as_token("reader") as reader:
        mine = _review("SelfSubjectAccessReview", resourceAttributes=attributes)
        reader.post(f"{reviews}/selfsubjectaccessreviews", mine)
    who = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", who)


@scenario
def accounts_get_tokens(api: Transcript, space: Space) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    api.post(f"{space.core}/serviceaccounts", account)
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    api.post(f"{space.core}/serviceaccounts/robot/token", asked)
    api.post(f"{space.core}/serviceaccounts/none/token", asked)
