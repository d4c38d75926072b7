"""RBAC as the API server enforces it: members of system:masters may all, others what bindings grant them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aks_wasm.emulator.cluster.authentication import User
from aks_wasm.emulator.cluster.statuses import PathForbidden, Rejected
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.cluster.trees import Tree

_RBAC = "rbac.authorization.k8s.io"
_MASTERS = "system:masters"


@dataclass(frozen=True)
class Attributes:
    """What somebody wants to do.

    Attributes:
        verb: get, list, watch, create, update, patch, delete, deletecollection.
        group: API group.
        resource: With its subresource, for example `pods/log`; `""` for a path outside the resources.
        namespace: `""` for cluster scope or all namespaces.
        name: Of the object, when the request names one.
        path: For non-resource requests.
    """

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


def impersonated(store: Store, user: User, name: str, groups: tuple[str, ...]) -> User:
    """Return whom a user asks to be taken for (`kubectl --as`); the user itself when `name` is empty.

    Raises:
        Rejected: The user may not speak for that one.
    """
    if not name:
        return user
    prefix = "system:serviceaccount:"
    if name.startswith(prefix):
        namespace, _, account = name.removeprefix(prefix).partition(":")
        require(store, user, Attributes("impersonate", "", "serviceaccounts", namespace, account))
        groups = groups or ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    else:
        require(store, user, Attributes("impersonate", "", "users", "", name))
    for group in groups:
        require(store, user, Attributes("impersonate", "", "groups", "", group))
    return User(name, (*groups, "system:authenticated"))


def require(store: Store, user: User, wanted: Attributes) -> None:
    """Let it pass, or refuse.

    Raises:
        Rejected: For resources, in the words kubectl shows.
        PathForbidden: For other paths.
    """
    if allowed(store, user, wanted):
        return
    if wanted.path:
        raise PathForbidden(user.name, wanted.verb, wanted.path)
    resource, _, subresource = wanted.resource.partition("/")
    plural = f"{resource}.{wanted.group}" if wanted.group else resource
    scope = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    shown = f"{resource}/{subresource}" if subresource else resource
    why = f'User "{user.name}" cannot {wanted.verb} resource "{shown}" in API group "{wanted.group}" {scope}'
    raise Rejected(plural, wanted.name, why)


def allowed(store: Store, user: User, wanted: Attributes) -> bool:
    """Whether the user may."""
    if _MASTERS in user.groups:
        return True
    return any(_permits(rule, wanted) for rule in rules_for(store, user, wanted.namespace))


def rules_for(store: Store, user: User, namespace: str) -> Iterator[Tree]:
    """Yield the rules that hold for a user in a namespace (`""`: at cluster scope)."""
    if _MASTERS in user.groups:
        yield {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        yield {"nonResourceURLs": ["*"], "verbs": ["*"]}
        return
    bindings = list(store.view(f"clusterrolebindings.{_RBAC}"))
    if namespace:
        bindings += store.view(f"rolebindings.{_RBAC}", namespace)
    for binding in bindings:
        if any(_is_subject(subject, user) for subject in binding.get("subjects") or ()):
            yield from _rules_of(store, binding)


def _rules_of(store: Store, binding: Tree) -> tuple[Tree, ...]:
    reference = binding["roleRef"]
    if reference["kind"] == "ClusterRole":
        role = store.peek(f"clusterroles.{_RBAC}", reference["name"])
    else:
        role = store.peek(f"roles.{_RBAC}", reference["name"], binding["metadata"].get("namespace"))
    return tuple((role or {}).get("rules") or ())


def _is_subject(subject: Tree, user: User) -> bool:
    if subject["kind"] == "ServiceAccount":
        return user.name == f"system:serviceaccount:{subject.get('namespace', '')}:{subject['name']}"
    names = (user.name,) if subject["kind"] == "User" else user.groups
    return subject["name"] in names


def _permits(rule: Tree, wanted: Attributes) -> bool:
    if not _among(rule.get("verbs"), wanted.verb):
        return False
    if wanted.path:
        urls = rule.get("nonResourceURLs") or ()
        return any(
            url in {"*", wanted.path} or (url.endswith("*") and wanted.path.startswith(url[:-1])) for url in urls
        )
    names = rule.get("resourceNames")
    return (
        _among(rule.get("apiGroups"), wanted.group)
        and _covers(rule.get("resources") or (), wanted.resource)
        and (not names or wanted.name in names)
    )


def _covers(resources: tuple[str, ...] | list[str], wanted: str) -> bool:
    _, _, subresource = wanted.partition("/")
    return "*" in resources or wanted in resources or (bool(subresource) and f"*/{subresource}" in resources)


def _among(listed: list[str] | None, wanted: str) -> bool:
    return listed is not None and ("*" in listed or wanted in listed)
