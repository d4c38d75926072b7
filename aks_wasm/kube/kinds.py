"""The kinds this tool reads and writes: where their objects live in the API."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Kind:
    """A kind of object.

    Attributes:
        api_version: As in manifests, for example `apps/v1`.
        plural: As in paths, for example `deployments`.
        namespaced: Whether its objects live in namespaces.
    """

    api_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """Return the path of an object, of a namespace's list, or of the list of all."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        place = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{root}{place}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


KINDS = {
    "Namespace": Kind("v1", "namespaces", namespaced=False),
    "Node": Kind("v1", "nodes", namespaced=False),
    "Pod": Kind("v1", "pods"),
    "Service": Kind("v1", "services"),
    "ServiceAccount": Kind("v1", "serviceaccounts"),
    "ConfigMap": Kind("v1", "configmaps"),
    "Secret": Kind("v1", "secrets"),
    "Event": Kind("v1", "events"),
    "Deployment": Kind("apps/v1", "deployments"),
    "ReplicaSet": Kind("apps/v1", "replicasets"),
    "StatefulSet": Kind("apps/v1", "statefulsets"),
    "DaemonSet": Kind("apps/v1", "daemonsets"),
    "Job": Kind("batch/v1", "jobs"),
    "Lease": Kind("coordination.k8s.io/v1", "leases"),
    "CronJob": Kind("batch/v1", "cronjobs"),
    "RuntimeClass": Kind("node.k8s.io/v1", "runtimeclasses", namespaced=False),
    "Role": Kind("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": Kind("rbac.authorization.k8s.io/v1", "rolebindings"),
    "ClusterRole": Kind("rbac.authorization.k8s.io/v1", "clusterroles", namespaced=False),
    "ClusterRoleBinding": Kind("rbac.authorization.k8s.io/v1", "clusterrolebindings", namespaced=False),
    # Of SpinKube and runtime-class-manager, and of the metrics server; clusters without them answer 404.
    "Shim": Kind("runtime.spinkube.dev/v1alpha1", "shims", namespaced=False),
    "SpinApp": Kind("core.spinkube.dev/v1alpha1", "spinapps"),
    "SpinAppExecutor": Kind("core.spinkube.dev/v1alpha1", "spinappexecutors"),
    "PodMetrics": Kind("metrics.k8s.io/v1beta1", "pods"),
    "CustomResourceDefinition": Kind("apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False),
}
