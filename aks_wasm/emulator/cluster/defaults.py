"""What the API server fills into objects before anything else looks at them (pkg/apis/*/v1/defaults.go)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from aks_wasm.emulator.cluster.defaults_pods import default_pod_spec
from aks_wasm.emulator.cluster.kinds import Kind
from aks_wasm.emulator.cluster.trees import Tree, dig, metadata

# Kinds whose creator may set the status although there is a status subresource.
_STATUS_FROM_CREATOR = frozenset({"nodes"})
# What Go's types show of a status that nobody has written yet: members without omitempty.
_DAEMONS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
_EMPTY_STATUS: Mapping[str, Tree] = {
    "deployments.apps": {},
    "daemonsets.apps": dict.fromkeys(_DAEMONS, 0),
    "replicasets.apps": {"replicas": 0},
    "statefulsets.apps": {"replicas": 0, "availableReplicas": 0},
    "jobs.batch": {},
    "cronjobs.batch": {},
}
_QUARTER = "25%"


def reset_for_create(kind: Kind, obj: Tree) -> None:
    """Take away what a creator has no say in: server-kept metadata, and the status of kinds that report one."""
    meta = metadata(obj)
    for name in ("uid", "resourceVersion", "creationTimestamp", "generation", "selfLink", "deletionTimestamp",
                 "deletionGracePeriodSeconds"):  # fmt: skip
        meta.pop(name, None)
    if "status" in kind.subresources and kind.plural not in _STATUS_FROM_CREATOR:
        obj.pop("status", None)
        if kind.stored_as in _EMPTY_STATUS:
            obj["status"] = dict(_EMPTY_STATUS[kind.stored_as])


def apply(plural: str, obj: Tree) -> None:
    """Fill an object in place; harmless when repeated."""
    meta = metadata(obj)
    for name in ("labels", "annotations", "finalizers", "ownerReferences"):
        if name in meta and not meta[name]:
            del meta[name]
    fill = _DEFAULTS.get(plural)
    if fill is not None:
        fill(obj)


def _spec(obj: Tree) -> Tree:
    spec: Tree = obj.setdefault("spec", {})
    return spec


def _template(spec: Tree) -> None:
    template = spec.get("template")
    if isinstance(template, dict):
        template.setdefault("metadata", {})
        default_pod_spec(template.setdefault("spec", {}))


def _pod(obj: Tree) -> None:
    default_pod_spec(_spec(obj))
    obj["spec"].setdefault("enableServiceLinks", True)


def _deployment(obj: Tree) -> None:
    spec = _spec(obj)
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", _QUARTER)
        rolling.setdefault("maxSurge", _QUARTER)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _template(spec)


def _replica_set(obj: Tree) -> None:
    spec = _spec(obj)
    spec.setdefault("replicas", 1)
    _template(spec)


def _daemon_set(obj: Tree) -> None:
    spec = _spec(obj)
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    _template(spec)


def _stateful_set(obj: Tree) -> None:
    spec = _spec(obj)
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    _template(spec)


def _job_spec(spec: Tree) -> None:
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("backoffLimit", 6)
    has_policy = "podFailurePolicy" in spec
    spec.setdefault("podReplacementPolicy", "Failed" if has_policy else "TerminatingOrFailed")
    _template(spec)


def _job(obj: Tree) -> None:
    spec = _spec(obj)
    _job_spec(spec)
    spec.setdefault("manualSelector", False)


def _cron_job(obj: Tree) -> None:
    spec = _spec(obj)
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    template = dig(spec, "jobTemplate", "spec")
    if isinstance(template, dict):
        _template(template)


def _service(obj: Tree) -> None:
    spec = _spec(obj)
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in {None, 0, ""} and "port" in port:
            port["targetPort"] = port["port"]
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def _secret(obj: Tree) -> None:
    obj.setdefault("type", "Opaque")
    for key, text in (obj.pop("stringData", None) or {}).items():
        obj.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()


def _namespace(obj: Tree) -> None:
    metadata(obj).setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")
    obj.setdefault("spec", {})
    obj.setdefault("status", {}).setdefault("phase", "Active")


def _claim(obj: Tree) -> None:
    _spec(obj).setdefault("volumeMode", "Filesystem")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _volume(obj: Tree) -> None:
    _spec(obj).setdefault("volumeMode", "Filesystem")
    obj["spec"].setdefault("persistentVolumeReclaimPolicy", "Retain")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _storage_class(obj: Tree) -> None:
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def _network_policy(obj: Tree) -> None:
    spec = _spec(obj)
    spec.setdefault("policyTypes", ["Ingress", "Egress"] if "egress" in spec else ["Ingress"])


def _binding(obj: Tree) -> None:
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in {"User", "Group"}:
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")
    reference = obj.get("roleRef")
    if isinstance(reference, dict):
        reference.setdefault("apiGroup", "rbac.authorization.k8s.io")


def _custom_definition(obj: Tree) -> None:
    spec = _spec(obj)
    names = spec.setdefault("names", {})
    kind = names.get("kind", "")
    names.setdefault("singular", kind.lower())
    names.setdefault("listKind", f"{kind}List")
    spec.setdefault("conversion", {"strategy": "None"})


def _endpoint_ports(obj: Tree) -> None:
    for port in obj.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("name", "")


def _endpoints(obj: Tree) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _autoscaler(obj: Tree) -> None:
    _spec(obj).setdefault("minReplicas", 1)


def _priority_class(obj: Tree) -> None:
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


_RBAC = "rbac.authorization.k8s.io"
_DEFAULTS: Mapping[str, Callable[[Tree], None]] = {
    "pods": _pod,
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "daemonsets.apps": _daemon_set,
    "statefulsets.apps": _stateful_set,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
    "services": _service,
    "secrets": _secret,
    "namespaces": _namespace,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "storageclasses.storage.k8s.io": _storage_class,
    "networkpolicies.networking.k8s.io": _network_policy,
    f"rolebindings.{_RBAC}": _binding,
    f"clusterrolebindings.{_RBAC}": _binding,
    "customresourcedefinitions.apiextensions.k8s.io": _custom_definition,
    "endpointslices.discovery.k8s.io": _endpoint_ports,
    "endpoints": _endpoints,
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "priorityclasses.scheduling.k8s.io": _priority_class,
}
