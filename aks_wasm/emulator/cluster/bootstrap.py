"""What every cluster has before anybody asks: namespaces, the `kubernetes` Service, roles, priority classes."""

from __future__ import annotations

from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.cluster.trees import Tree

_RBAC = "rbac.authorization.k8s.io"
_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_EVERYTHING = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
]
_DISCOVERY = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz",
              "/version", "/version/"]  # fmt: skip
_PUBLIC = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_CORE = ["bindings", "configmaps", "endpoints", "events", "limitranges", "namespaces", "persistentvolumeclaims",
         "pods", "pods/log", "pods/status", "replicationcontrollers", "resourcequotas", "serviceaccounts",
         "services", "services/status"]  # fmt: skip
_WORKLOADS = [
    {"apiGroups": ["apps"], "resources": ["*"]},
    {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers", "horizontalpodautoscalers/status"]},
    {"apiGroups": ["batch"], "resources": ["*"]},
    {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets", "poddisruptionbudgets/status"]},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "ingresses/status", "networkpolicies"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"]},
]
_WRITABLE = ["configmaps", "events", "persistentvolumeclaims", "pods", "pods/attach", "pods/eviction", "pods/exec",
             "pods/portforward", "pods/proxy", "secrets", "serviceaccounts", "serviceaccounts/token", "services",
             "services/proxy"]  # fmt: skip


def fill(store: Store) -> None:
    """Make what is missing; what is there stays as it is."""
    for name in _NAMESPACES:
        _ensure(store, "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    _ensure(store, "services", _kubernetes_service())
    for name, value in (("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)):
        _ensure(store, "priorityclasses.scheduling.k8s.io", _priority_class(name, value))
    for name, rules in _roles().items():
        _ensure(store, f"clusterroles.{_RBAC}", _object("ClusterRole", name) | {"rules": rules})
    for name, role, kind, subjects in _BINDINGS:
        _ensure(store, f"clusterrolebindings.{_RBAC}", _binding(name, role, kind, subjects))


_AUTHENTICATED, _UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
_BINDINGS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("cluster-admin", "cluster-admin", "Group", ("system:masters",)),
    ("system:basic-user", "system:basic-user", "Group", (_AUTHENTICATED,)),
    ("system:discovery", "system:discovery", "Group", (_AUTHENTICATED,)),
    ("system:public-info-viewer", "system:public-info-viewer", "Group", (_AUTHENTICATED, _UNAUTHENTICATED)),
    # AKS's own: the user of its local account's certificate.
    ("aks-cluster-admin-binding", "cluster-admin", "User", ("clusterAdmin",)),
)


def _roles() -> dict[str, list[Tree]]:
    view = [{"apiGroups": [""], "resources": _CORE, "verbs": _READ}, *({**rule, "verbs": _READ} for rule in _WORKLOADS)]
    edit = [
        *view,
        {"apiGroups": [""], "resources": _WRITABLE, "verbs": [*_READ, *_WRITE]},
        *({**rule, "verbs": _WRITE} for rule in _WORKLOADS),
    ]
    own_roles = {"apiGroups": [_RBAC], "resources": ["rolebindings", "roles"], "verbs": [*_READ, *_WRITE]}
    reviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
    return {
        "cluster-admin": _EVERYTHING,
        "admin": [*edit, own_roles],
        "edit": edit,
        "view": view,
        "system:basic-user": [
            {"apiGroups": ["authorization.k8s.io"], "resources": reviews, "verbs": ["create"]},
            {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]},
        ],
        "system:discovery": [{"nonResourceURLs": _DISCOVERY, "verbs": ["get"]}],
        "system:public-info-viewer": [{"nonResourceURLs": _PUBLIC, "verbs": ["get"]}],
    }


def _ensure(store: Store, plural: str, obj: Tree) -> None:
    meta = obj["metadata"]
    if store.peek(plural, meta["name"], meta.get("namespace")) is None:
        store.create(plural, obj)


def _object(kind: str, name: str) -> Tree:
    meta = {"name": name, "labels": dict(_LABELS)}
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": meta}


def _binding(name: str, role: str, kind: str, subjects: tuple[str, ...]) -> Tree:
    return _object("ClusterRoleBinding", name) | {
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _RBAC, "kind": kind, "name": subject} for subject in subjects],
    }


def _kubernetes_service() -> Tree:
    labels = {"component": "apiserver", "provider": "kubernetes"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "spec": {
            "clusterIP": "10.0.0.1",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 443}],
        },
    }


def _priority_class(name: str, value: int) -> Tree:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
        "description": "Used for system critical pods that must not be moved from their current node.",
    }
