"""Whether an object can be: what users get wrong, field by field, in the API server's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from aks_wasm.emulator.cluster import custom_schemas, names
from aks_wasm.emulator.cluster.causes import Cause, duplicate, forbidden, invalid, not_supported, required
from aks_wasm.emulator.cluster.kinds import Kind
from aks_wasm.emulator.cluster.trees import Tree, dig
from aks_wasm.emulator.cluster.validation_pods import pod_problems, template_problems, toleration_problems
from aks_wasm.emulator.cluster.validation_workloads import (
    daemon_set_problems,
    daemon_set_status_problems,
    deployment_problems,
    job_problems,
    replica_set_problems,
    stateful_set_problems,
)

_RBAC = "rbac.authorization.k8s.io"
_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_NAME_CHECKS: Mapping[str, names.NameCheck] = {
    "namespaces": names.label,
    "services": names.label_1035,
    f"roles.{_RBAC}": names.path_segment,
    f"rolebindings.{_RBAC}": names.path_segment,
    f"clusterroles.{_RBAC}": names.path_segment,
    f"clusterrolebindings.{_RBAC}": names.path_segment,
}


def problems(kind: Kind, obj: Tree) -> list[Cause]:
    """Return everything that is wrong with an object."""
    found = [*_metadata_problems(kind, obj)]
    check = _CHECKS.get(kind.stored_as)
    if check is not None:
        found += check(obj)
    elif kind.definition is not None:
        found += custom_schemas.problems(custom_schemas.schema_of(dict(kind.definition)), obj)
    return found


def status_problems(kind: Kind, obj: Tree) -> list[Cause]:
    """Return what is wrong with a status that its controller writes."""
    return list(daemon_set_status_problems(obj)) if kind.stored_as == "daemonsets.apps" else []


def _metadata_problems(kind: Kind, obj: Tree) -> Iterator[Cause]:
    meta = obj["metadata"]
    check = _NAME_CHECKS.get(kind.stored_as, names.subdomain)
    for why in check(meta["name"]):
        yield invalid("metadata.name", meta["name"], why)
    yield from label_problems(meta, "metadata")
    for key in meta.get("annotations") or {}:
        for why in names.qualified(key.lower()):
            yield invalid("metadata.annotations", key, why)
    yield from _finalizer_problems(kind, meta.get("finalizers") or [])
    for index, owner in enumerate(meta.get("ownerReferences") or ()):
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                yield invalid(f"metadata.ownerReferences[{index}].{name}", "", "must not be empty")


def _finalizer_problems(kind: Kind, finalizers: list[str]) -> Iterator[Cause]:
    for index, finalizer in enumerate(finalizers):
        for why in names.qualified(finalizer):
            yield invalid("metadata.finalizers", finalizer, why)
        if "/" not in finalizer and finalizer not in _FINALIZERS and kind.definition is None:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid(f"metadata.finalizers[{index}]", finalizer, why)


def label_problems(meta: Tree, place: str) -> Iterator[Cause]:
    """Yield what is wrong with the labels of some metadata."""
    for key, value in (meta.get("labels") or {}).items():
        for why in names.qualified(key):
            yield invalid(f"{place}.labels", key, why)
        for why in names.label_value(value):
            yield invalid(f"{place}.labels", value, why)


def _service_problems(obj: Tree) -> Iterator[Cause]:
    spec = obj["spec"]
    kinds = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
    if spec["type"] not in kinds:
        yield not_supported("spec.type", spec["type"], kinds)
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        yield required("spec.externalName")
    ports = spec.get("ports") or []
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    seen: set[object] = set()
    for index, port in enumerate(ports):
        place = f"spec.ports[{index}]"
        yield from _port_problems(port, place, named=len(ports) > 1)
        if port.get("nodePort") and spec["type"] == "ClusterIP":
            yield forbidden(f"{place}.nodePort", "may not be used when `type` is 'ClusterIP'")
        for field, value in (("name", port.get("name")), ("", (port.get("port"), port.get("protocol")))):
            if value and (field, value) in seen:
                yield duplicate(f"{place}.{field}".rstrip("."), port[field] if field else port)
            seen.add((field, value))


def _port_problems(port: Tree, place: str, *, named: bool) -> Iterator[Cause]:
    if not port.get("name") and named:
        yield required(f"{place}.name")
    for why in names.label(port["name"]) if port.get("name") else ():
        yield invalid(f"{place}.name", port["name"], why)
    for name in ("port", "targetPort"):
        number = port.get(name, 0)
        if isinstance(number, int) and not 1 <= number <= 65535:
            yield invalid(f"{place}.{name}", number, "must be between 1 and 65535, inclusive")
    if port.get("protocol") not in {"TCP", "UDP", "SCTP"}:
        yield not_supported(f"{place}.protocol", port.get("protocol"), ["SCTP", "TCP", "UDP"])


def _data_problems(obj: Tree) -> Iterator[Cause]:
    for field in ("data", "binaryData"):
        for key in obj.get(field) or {}:
            for why in names.config_key(key):
                yield invalid(f"{field}[{key}]", key, why)
    for key in obj.get("data") or {}:
        if key in (obj.get("binaryData") or {}):
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")


def _lease_problems(obj: Tree) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if spec.get("leaseDurationSeconds", 1) <= 0:
        yield invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
    if spec.get("leaseTransitions", 0) < 0:
        yield invalid("spec.leaseTransitions", spec["leaseTransitions"], "must be greater than or equal to 0")


def _runtime_class_problems(obj: Tree) -> Iterator[Cause]:
    handler = obj.get("handler") or ""
    for why in names.label(handler):
        yield invalid("handler", handler, why)
    scheduling = obj.get("scheduling") or {}
    for key, value in (scheduling.get("nodeSelector") or {}).items():
        for why in names.qualified(key):
            yield invalid("scheduling.nodeSelector", key, why)
        for why in names.label_value(value):
            yield invalid("scheduling.nodeSelector", value, why)
    yield from toleration_problems(scheduling, "scheduling.tolerations.tolerations")  # a slip of kube-apiserver's


def _role_problems(obj: Tree) -> Iterator[Cause]:
    for index, rule in enumerate(obj.get("rules") or ()):
        place = f"rules[{index}]"
        if not rule.get("verbs"):
            yield required(f"{place}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            continue
        if not rule.get("apiGroups"):
            yield required(f"{place}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            yield required(f"{place}.resources", "resource rules must supply at least one resource")


def _role_binding_problems(obj: Tree) -> Iterator[Cause]:
    reference = obj.get("roleRef") or {}
    if not reference.get("name"):
        yield required("roleRef.name")
    if reference.get("kind") not in {"Role", "ClusterRole"}:
        yield not_supported("roleRef.kind", reference.get("kind", ""), ["ClusterRole", "Role"])
    for index, subject in enumerate(obj.get("subjects") or ()):
        if not subject.get("name"):
            yield required(f"subjects[{index}].name")
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            yield required(f"subjects[{index}].namespace")


def _definition_problems(obj: Tree) -> Iterator[Cause]:
    spec = obj["spec"]
    for path in ("group", "scope", "names.plural", "names.kind"):
        if not dig(spec, *path.split(".")):
            yield required(f"spec.{path}")
    if spec.get("scope") not in {"Cluster", "Namespaced", None}:
        yield not_supported("spec.scope", spec["scope"], ["Cluster", "Namespaced"])
    wanted = f"{dig(spec, 'names', 'plural')}.{spec.get('group')}"
    if obj["metadata"]["name"] != wanted:
        yield invalid("metadata.name", obj["metadata"]["name"], 'must be spec.names.plural+"."+spec.group')
    versions = spec.get("versions") or []
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid("spec.versions", versions, "must have exactly one version marked as storage version")
    if not any(version.get("storage") for version in versions):
        yield invalid("status.storedVersions", None, "must have at least one stored version")
    for index, version in enumerate(versions):
        if not dig(version, "schema", "openAPIV3Schema"):
            yield required(f"spec.versions[{index}].schema.openAPIV3Schema")


def _node_problems(obj: Tree) -> Iterator[Cause]:
    effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"]
    for index, taint in enumerate(dig(obj, "spec", "taints") or ()):
        if taint.get("effect") not in effects:
            yield not_supported(f"metadata.taints[{index}].effect", taint.get("effect"), effects)


def _cron_job_problems(obj: Tree) -> Iterator[Cause]:
    spec = obj["spec"]
    if not spec.get("schedule"):
        yield required("spec.schedule")
    template = dig(spec, "jobTemplate", "spec") or {}
    yield from template_problems(template, "spec.jobTemplate.spec.template", ("OnFailure", "Never"))


_CHECKS: Mapping[str, Callable[[Tree], Iterator[Cause]]] = {
    "pods": pod_problems,
    "deployments.apps": deployment_problems,
    "replicasets.apps": replica_set_problems,
    "daemonsets.apps": daemon_set_problems,
    "statefulsets.apps": stateful_set_problems,
    "jobs.batch": job_problems,
    "cronjobs.batch": _cron_job_problems,
    "services": _service_problems,
    "nodes": _node_problems,
    "configmaps": _data_problems,
    "secrets": _data_problems,
    "leases.coordination.k8s.io": _lease_problems,
    "runtimeclasses.node.k8s.io": _runtime_class_problems,
    f"roles.{_RBAC}": _role_problems,
    f"clusterroles.{_RBAC}": _role_problems,
    f"rolebindings.{_RBAC}": _role_binding_problems,
    f"clusterrolebindings.{_RBAC}": _role_binding_problems,
    "customresourcedefinitions.apiextensions.k8s.io": _definition_problems,
}
