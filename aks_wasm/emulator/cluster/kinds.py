"""The built-in kinds, as data: what `kubectl api-resources` lists for a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

_ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
STATUS_VERBS = ("get", "patch", "update")
# Kept and shown, but nothing here acts on them; whoever makes one is warned.
WITHOUT_CONTROLLER = frozenset(
    {
        "cronjobs.batch",
        "horizontalpodautoscalers.autoscaling",
        "ingresses.networking.k8s.io",
        "limitranges",
        "networkpolicies.networking.k8s.io",
        "persistentvolumeclaims",
        "resourcequotas",
        "statefulsets.apps",
    }
)


@dataclass(frozen=True)
class Kind:
    """One kind in one version.

    Attributes:
        group: API group, `""` for the core one.
        version: For example `v1`.
        kind: For example `Pod`.
        resource: The plural in paths, for example `pods`.
        scope: Where its objects live, in the word of CustomResourceDefinitions.
        short_names: What kubectl also takes.
        categories: For example `all`.
        subresources: Name to verbs.
        verbs: What the resource itself takes.
        storage: The store's plural; differs from `plural` only for a kind served in two groups.
        schema: Name of its type in the field schemas, `""` when there is none (custom resources).
        definition: The CustomResourceDefinition's version entry, for custom resources.
    """

    group: str
    version: str
    kind: str
    resource: str
    scope: Literal["Namespaced", "Cluster"]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    verbs: tuple[str, ...] = _ALL_VERBS
    storage: str = ""
    schema: str = ""
    definition: Mapping[str, Any] | None = None

    @property
    def namespaced(self) -> bool:
        """Whether its objects live in namespaces."""
        return self.scope == "Namespaced"

    @property
    def plural(self) -> str:
        """`pods`, `deployments.apps`: the name in messages, and in the store unless `storage` says else."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @property
    def stored_as(self) -> str:
        """The store's plural."""
        return self.storage or self.plural

    @property
    def api_version(self) -> str:
        """What objects say in `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """What kubectl takes for one of them."""
        return self.kind.lower()


_NS: Literal["Namespaced"] = "Namespaced"
_CLUSTER: Literal["Cluster"] = "Cluster"
_STATUS = {"status": STATUS_VERBS}
_SCALE = {"scale": STATUS_VERBS}
_POD_SUBRESOURCES = {
    "attach": ("create", "get"),
    "binding": ("create",),
    "ephemeralcontainers": STATUS_VERBS,
    "eviction": ("create",),
    "exec": ("create", "get"),
    "log": ("get",),
    "portforward": ("create", "get"),
    "proxy": ("create", "delete", "get", "patch", "update"),
    "resize": STATUS_VERBS,
    "status": STATUS_VERBS,
}
_CREATE_ONLY = ("create",)
_APPS, _BATCH, _RBAC = "apps", "batch", "rbac.authorization.k8s.io"
_AUTHENTICATION, _AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"
_NETWORKING, _EXTENSIONS = "networking.k8s.io", "apiextensions.k8s.io"

BUILT_IN: tuple[Kind, ...] = (
    Kind("", "v1", "Namespace", "namespaces", _CLUSTER, ("ns",), (), {"finalize": ("update",), **_STATUS},
         ("create", "delete", "get", "list", "patch", "update", "watch")),
    Kind("", "v1", "Node", "nodes", _CLUSTER, ("no",), (), _STATUS),
    Kind("", "v1", "Pod", "pods", _NS, ("po",), ("all",), _POD_SUBRESOURCES),
    Kind("", "v1", "Service", "services", _NS, ("svc",), ("all",), _STATUS),
    Kind("", "v1", "Endpoints", "endpoints", _NS, ("ep",)),
    Kind("", "v1", "ConfigMap", "configmaps", _NS, ("cm",)),
    Kind("", "v1", "Secret", "secrets", _NS),
    Kind("", "v1", "Event", "events", _NS, ("ev",), schema="core.v1.Event"),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", _NS, ("sa",), (), {"token": _CREATE_ONLY}),
    Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", _NS, ("pvc",), (), _STATUS),
    Kind("", "v1", "PersistentVolume", "persistentvolumes", _CLUSTER, ("pv",), (), _STATUS),
    Kind("", "v1", "ResourceQuota", "resourcequotas", _NS, ("quota",), (), _STATUS),
    Kind("", "v1", "LimitRange", "limitranges", _NS, ("limits",)),
    Kind("", "v1", "Binding", "bindings", _NS, verbs=_CREATE_ONLY),
    Kind(_APPS, "v1", "Deployment", "deployments", _NS, ("deploy",), ("all",), {**_SCALE, **_STATUS}),
    Kind(_APPS, "v1", "ReplicaSet", "replicasets", _NS, ("rs",), ("all",), {**_SCALE, **_STATUS}),
    Kind(_APPS, "v1", "DaemonSet", "daemonsets", _NS, ("ds",), ("all",), _STATUS),
    Kind(_APPS, "v1", "StatefulSet", "statefulsets", _NS, ("sts",), ("all",), {**_SCALE, **_STATUS}),
    Kind(_APPS, "v1", "ControllerRevision", "controllerrevisions", _NS),
    Kind(_BATCH, "v1", "Job", "jobs", _NS, (), ("all",), _STATUS),
    Kind(_BATCH, "v1", "CronJob", "cronjobs", _NS, ("cj",), ("all",), _STATUS),
    Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", _NS, ("hpa",), ("all",),
         _STATUS),
    Kind("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", _CLUSTER),
    Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", _NS),
    Kind("coordination.k8s.io", "v1", "Lease", "leases", _NS),
    Kind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", _CLUSTER, ("pc",)),
    Kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", _CLUSTER, ("sc",)),
    Kind("storage.k8s.io", "v1", "CSIDriver", "csidrivers", _CLUSTER),
    Kind("storage.k8s.io", "v1", "CSINode", "csinodes", _CLUSTER),
    Kind("storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments", _CLUSTER, (), (), _STATUS),
    Kind(_NETWORKING, "v1", "Ingress", "ingresses", _NS, ("ing",), (), _STATUS),
    Kind(_NETWORKING, "v1", "IngressClass", "ingressclasses", _CLUSTER),
    Kind(_NETWORKING, "v1", "NetworkPolicy", "networkpolicies", _NS, ("netpol",)),
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", _NS, ("pdb",), (), _STATUS),
    Kind(_RBAC, "v1", "Role", "roles", _NS),
    Kind(_RBAC, "v1", "RoleBinding", "rolebindings", _NS),
    Kind(_RBAC, "v1", "ClusterRole", "clusterroles", _CLUSTER),
    Kind(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", _CLUSTER),
    Kind(_EXTENSIONS, "v1", "CustomResourceDefinition", "customresourcedefinitions", _CLUSTER, ("crd",
         "crds"),
         ("api-extensions",), _STATUS),
    Kind("events.k8s.io", "v1", "Event", "events", _NS, ("ev",), storage="events", schema="events.v1.Event"),
    Kind(_AUTHENTICATION, "v1", "SelfSubjectReview", "selfsubjectreviews", _CLUSTER, verbs=_CREATE_ONLY),
    Kind(_AUTHENTICATION, "v1", "TokenReview", "tokenreviews", _CLUSTER, verbs=_CREATE_ONLY),
    Kind(_AUTHORIZATION, "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", _NS,
         verbs=_CREATE_ONLY),
    Kind(_AUTHORIZATION, "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", _CLUSTER,
         verbs=_CREATE_ONLY),
    Kind(_AUTHORIZATION, "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", _CLUSTER,
         verbs=_CREATE_ONLY),
    Kind(_AUTHORIZATION, "v1", "SubjectAccessReview", "subjectaccessreviews", _CLUSTER, verbs=_CREATE_ONLY),
)  # fmt: skip

# Kinds whose objects carry no metadata.generation.
WITHOUT_GENERATION = frozenset(
    {
        "namespaces", "nodes", "services", "endpoints", "configmaps", "secrets", "events", "serviceaccounts",
        "persistentvolumes", "persistentvolumeclaims", "resourcequotas", "limitranges",
        "leases.coordination.k8s.io", "runtimeclasses.node.k8s.io", "storageclasses.storage.k8s.io",
        "csinodes.storage.k8s.io", "csidrivers.storage.k8s.io", "volumeattachments.storage.k8s.io",
        f"roles.{_RBAC}", f"rolebindings.{_RBAC}", f"clusterroles.{_RBAC}", f"clusterrolebindings.{_RBAC}",
        "controllerrevisions.apps",
    }
)  # fmt: skip
