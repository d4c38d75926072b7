"""Questions clients ask the API server about itself: may I, who am I, whose token is this."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from aks_wasm.emulator.cluster import answers
from aks_wasm.emulator.cluster.authentication import User, token_user
from aks_wasm.emulator.cluster.authorization import Attributes, allowed, rules_for
from aks_wasm.emulator.cluster.calls import Call, Handler
from aks_wasm.emulator.cluster.causes import invalid
from aks_wasm.emulator.cluster.context import ApiContext
from aks_wasm.emulator.cluster.statuses import Invalid
from aks_wasm.emulator.cluster.trees import Tree


def _answer(call: Call, body: Tree, status: Any) -> web.Response:
    kind = call.kind
    document = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": body.get("metadata") or {}}
    if "spec" in body:
        document["spec"] = body["spec"]
    return answers.document(document | {"status": status}, 201)


async def _access(context: ApiContext, call: Call) -> web.Response:
    body = await call.body()
    spec = body.get("spec") or {}
    user = call.user
    if "user" in spec or "groups" in spec:
        user = User(spec.get("user", ""), tuple(spec.get("groups") or ()))
    wanted = _attributes(call, spec)
    return _answer(call, body, {"allowed": allowed(context.store, user, wanted)})


def _attributes(call: Call, spec: Tree) -> Attributes:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise Invalid(call.kind.kind, "", [invalid("spec.resourceAttributes", resource, why)], group=call.kind.group)
    if path is not None:
        return Attributes(path.get("verb", ""), path=path.get("path", ""))
    assert resource is not None  # noqa: S101 - one of the two is there
    below = f"/{resource['subresource']}" if resource.get("subresource") else ""
    return Attributes(
        resource.get("verb", ""),
        resource.get("group", ""),
        resource.get("resource", "") + below,
        resource.get("namespace", ""),
        resource.get("name", ""),
    )


async def _rules(context: ApiContext, call: Call) -> web.Response:
    body = await call.body()
    namespace = (body.get("spec") or {}).get("namespace", "")
    rules = list(rules_for(context.store, call.user, namespace))
    status = {
        "resourceRules": [rule for rule in rules if "nonResourceURLs" not in rule],
        "nonResourceRules": [
            {"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]}
            for rule in rules
            if "nonResourceURLs" in rule
        ],
        "incomplete": False,
    }
    return _answer(call, body, status)


async def _myself(context: ApiContext, call: Call) -> web.Response:
    del context
    return _answer(call, await call.body(), {"userInfo": _told(call.user)})


async def _token(context: ApiContext, call: Call) -> web.Response:
    body = await call.body()
    user = token_user(context, (body.get("spec") or {}).get("token", ""))
    status = {"user": {}} if user is None else {"authenticated": True, "user": _told(user)}
    return _answer(call, body, status)


def _told(user: User) -> Tree:
    return {"username": user.name, "groups": list(user.groups)}


_AUTHENTICATION, _AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"
REVIEWS: dict[str, Handler] = {
    f"selfsubjectaccessreviews.{_AUTHORIZATION}": _access,
    f"subjectaccessreviews.{_AUTHORIZATION}": _access,
    f"localsubjectaccessreviews.{_AUTHORIZATION}": _access,
    f"selfsubjectrulesreviews.{_AUTHORIZATION}": _rules,
    f"selfsubjectreviews.{_AUTHENTICATION}": _myself,
    f"tokenreviews.{_AUTHENTICATION}": _token,
}
