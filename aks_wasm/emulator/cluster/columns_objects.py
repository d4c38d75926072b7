"""The rows of everything else: events, namespaces, configuration, RBAC, storage, classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aks_wasm.emulator.cluster.columns import Column, Printer, age_of, columns, name_of
from aks_wasm.emulator.cluster.durations import age
from aks_wasm.emulator.cluster.trees import Tree, dig

_RBAC = "rbac.authorization.k8s.io"
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _event(obj: Tree) -> list[Any]:
    involved, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = dig(obj, "series", "lastObservedTime") or obj.get("lastTimestamp") or first
    component = source.get("component") or obj.get("reportingComponent", "")
    host = source.get("host") or obj.get("reportingInstance", "")
    return [
        age(last),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{involved.get('kind', '').lower()}/{involved.get('name', '')}",
        involved.get("fieldPath", ""),
        f"{component}, {host}" if host else component,
        (obj.get("message") or "").strip(),
        age(first),
        dig(obj, "series", "count") or obj.get("count", 1),
        name_of(obj),
    ]


def _namespace(obj: Tree) -> list[Any]:
    return [name_of(obj), dig(obj, "status", "phase") or "", age_of(obj)]


def _config_map(obj: Tree) -> list[Any]:
    return [name_of(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), age_of(obj)]


def _secret(obj: Tree) -> list[Any]:
    return [name_of(obj), obj.get("type", ""), len(obj.get("data") or ()), age_of(obj)]


def _service_account(obj: Tree) -> list[Any]:
    return [name_of(obj), len(obj.get("secrets") or ()), age_of(obj)]


def _runtime_class(obj: Tree) -> list[Any]:
    return [name_of(obj), obj.get("handler", ""), age_of(obj)]


def _created(obj: Tree) -> list[Any]:
    return [name_of(obj), obj["metadata"].get("creationTimestamp", "")]


def _role_binding(obj: Tree) -> list[Any]:
    reference = obj.get("roleRef") or {}
    named: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or ():
        prefix = f"{subject.get('namespace', '')}/" if subject["kind"] == "ServiceAccount" else ""
        named.setdefault(subject["kind"], []).append(prefix + subject["name"])
    role = f"{reference.get('kind')}/{reference.get('name')}"
    people = [", ".join(named[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [name_of(obj), role, age_of(obj), *people]


def _priority_class(obj: Tree) -> list[Any]:
    default = bool(obj.get("globalDefault"))
    return [name_of(obj), obj.get("value", 0), default, age_of(obj), obj.get("preemptionPolicy", "")]


def _storage_class(obj: Tree) -> list[Any]:
    marked = (obj["metadata"].get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class") == "true"
    return [
        f"{name_of(obj)} (default)" if marked else name_of(obj),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "<unset>"),
        bool(obj.get("allowVolumeExpansion")),
        age_of(obj),
    ]


def _claim(obj: Tree) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    modes = ",".join(_MODES.get(mode, mode) for mode in status.get("accessModes") or ())
    phase = "Terminating" if "deletionTimestamp" in obj["metadata"] else status.get("phase", "")
    return [
        name_of(obj),
        phase,
        spec.get("volumeName", ""),
        dig(status, "capacity", "storage") or "",
        modes,
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName", "<unset>"),
        age_of(obj),
        spec.get("volumeMode", "<unset>"),
    ]


def _lease(obj: Tree) -> list[Any]:
    return [name_of(obj), dig(obj, "spec", "holderIdentity") or "", age_of(obj)]


_BINDING = Printer(columns("Name, Role, Age", "Users, Groups, ServiceAccounts"), _role_binding)
CREATED = Printer(columns("Name, Created At"), _created)

# Name to priority: the only kind whose wide columns stand between the others.
_EVENT_COLUMNS = {
    "Last Seen": 0, "Type": 0, "Reason": 0, "Object": 0, "Subobject": 1, "Source": 1, "Message": 0,
    "First Seen": 1, "Count": 1, "Name": 1,
}  # fmt: skip

OBJECTS: Mapping[str, Printer] = {
    "events": Printer(
        tuple(Column(name, priority=priority) for name, priority in _EVENT_COLUMNS.items()),
        _event,
    ),
    "namespaces": Printer(columns("Name, Status, Age"), _namespace),
    "configmaps": Printer(columns("Name, Data, Age"), _config_map),
    "secrets": Printer(columns("Name, Type, Data, Age"), _secret),
    "serviceaccounts": Printer(columns("Name, Secrets, Age"), _service_account),
    "runtimeclasses.node.k8s.io": Printer(columns("Name, Handler, Age"), _runtime_class),
    f"rolebindings.{_RBAC}": _BINDING,
    f"clusterrolebindings.{_RBAC}": _BINDING,
    "priorityclasses.scheduling.k8s.io": Printer(
        columns("Name, Value, Global-Default, Age, PreemptionPolicy"), _priority_class
    ),
    "storageclasses.storage.k8s.io": Printer(
        columns("Name, Provisioner, ReclaimPolicy, VolumeBindingMode, AllowVolumeExpansion, Age"), _storage_class
    ),
    "persistentvolumeclaims": Printer(
        columns("Name, Status, Volume, Capacity, Access Modes, StorageClass, VolumeAttributesClass, Age", "VolumeMode"),
        _claim,
    ),
    "leases.coordination.k8s.io": Printer(columns("Name, Holder, Age"), _lease),
}
