"""Who may in, and what they may: certificates, tokens, RBAC, reviews."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kubernetes import client as k8s

from .conftest import Api, Cluster, config_map

RBAC = "/apis/rbac.authorization.k8s.io/v1"
AsUser = Callable[[str | None], Api]


def grant(api: Api, verbs: list[str], subject: dict, *, namespace: str = "default") -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}]
    where = f"{RBAC}/namespaces/{namespace}"
    api.post(f"{where}/roles", {"metadata": {"name": "some"}, "rules": rules})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "some"}
    binding = {"metadata": {"name": "some"}, "roleRef": reference, "subjects": [subject]}
    made = api.post(f"{where}/rolebindings", binding)
    assert made["kind"] == "RoleBinding", made


def test_nobody_sees_health_and_version_only(as_user: AsUser) -> None:
    nobody = as_user(None)
    assert nobody.request("GET", "/healthz").text == "ok"
    assert nobody.get("/version")["gitVersion"] == "v1.35.5"
    assert nobody.get("/api/v1/nodes") == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "Unauthorized",
        "reason": "Unauthorized", "code": 401,
    }  # fmt: skip
    assert as_user("forged").request("GET", "/version").status_code == 401


def test_a_certificate_of_the_cluster_is_its_user(client: k8s.ApiClient) -> None:
    review = k8s.AuthenticationV1Api(client).create_self_subject_review(k8s.V1SelfSubjectReview())
    assert review.status.user_info.username == "masterclient"
    assert "system:masters" in review.status.user_info.groups


def test_a_user_without_binding_may_nothing(as_user: AsUser) -> None:
    refused = as_user("reader").get("/api/v1/namespaces/default/configmaps")
    assert refused["message"] == (
        'configmaps is forbidden: User "reader-id" cannot list resource "configmaps" in API group "" in the '
        'namespace "default"'
    )
    assert (refused["reason"], refused["code"]) == ("Forbidden", 403)
    refused = as_user("reader").get("/api/v1/nodes/n")
    assert refused["message"].endswith('cannot get resource "nodes" in API group "" at the cluster scope')
    assert as_user("reader").request("GET", "/apis").status_code == 200


def test_a_binding_gives_what_its_role_says(api: Api, as_user: AsUser) -> None:
    grant(api, ["get", "list"], {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "readers"})
    reader = as_user("reader")
    where = "/api/v1/namespaces/default/configmaps"
    assert reader.get(where)["kind"] == "ConfigMapList"
    assert reader.post(where, config_map())["code"] == 403
    assert reader.get("/api/v1/namespaces/kube-system/configmaps")["code"] == 403


def test_a_service_account_is_limited_by_its_bindings(api: Api, as_user: AsUser, cluster: Cluster) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    api.post(accounts, {"metadata": {"name": "bot"}})
    grant(api, ["get"], {"kind": "ServiceAccount", "name": "bot", "namespace": "default"})
    api.post("/api/v1/namespaces/default/configmaps", config_map())
    issued = api.post(f"{accounts}/bot/token", {"spec": {"expirationSeconds": 600}})
    bot = as_user(issued["status"]["token"])
    assert bot.get("/api/v1/namespaces/default/configmaps/settings")["data"] == {"a": "1"}
    assert bot.get("/api/v1/namespaces/default/configmaps")["code"] == 403
    review = api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": issued["status"]["token"]}})
    assert review["status"]["user"]["username"] == "system:serviceaccount:default:bot"
    api.delete(f"{accounts}/bot")
    assert bot.get("/api/v1/namespaces/default/configmaps/settings")["code"] == 401
    assert cluster.tokens  # the Entra side was asked as well and did not know the token


def test_a_token_that_lives_too_short_is_refused(api: Api) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    api.post(accounts, {"metadata": {"name": "bot"}})
    refused = api.post(f"{accounts}/bot/token", {"spec": {"expirationSeconds": 60}})
    assert "may not specify a duration less than 10 minutes" in refused["message"]


@pytest.mark.parametrize(("token", "allowed"), [("owner", True), ("reader", False)])
def test_access_reviews_answer_as_the_server_would_act(as_user: AsUser, token: str, *, allowed: bool) -> None:
    asked = {"spec": {"resourceAttributes": {"verb": "delete", "resource": "nodes"}}}
    answer = as_user(token).post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", asked)
    assert answer["status"]["allowed"] is allowed


def test_masters_may_speak_for_others(api: Api, as_user: AsUser) -> None:
    asked = {"headers": {"Impersonate-User": "somebody"}}
    assert 'User "somebody" cannot list resource "nodes"' in api.get("/api/v1/nodes", **asked)["message"]
    refused = as_user("reader").get("/api/v1/nodes", headers={"Impersonate-User": "masterclient"})
    assert 'cannot impersonate resource "users"' in refused["message"]


def test_the_journal_names_every_request(api: Api, cluster: Cluster) -> None:
    api.get("/api/v1/nodes?limit=1")
    method, path, status, seconds = cluster.journal[-1]
    assert (method, path, status) == ("GET", "/api/v1/nodes?limit=1", 200)
    assert seconds >= 0
