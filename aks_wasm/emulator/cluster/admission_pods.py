"""Admission of pods: RuntimeClass, Priority, ServiceAccount, DefaultTolerationSeconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aks_wasm.emulator.cluster.defaults_pods import quality_of_service
from aks_wasm.emulator.cluster.statuses import Rejected
from aks_wasm.emulator.cluster.trees import Tree, copied

if TYPE_CHECKING:
    from aks_wasm.emulator.cluster.store import Store

_TOLERATED_SECONDS = 300
_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def admit_pod(store: Store, pod: Tree) -> None:
    """Fill in and check a new pod in place.

    Raises:
        Rejected: Its RuntimeClass, PriorityClass or service account is not there or does not fit.
    """
    spec = pod["spec"]
    _admit_service_account(store, pod)
    _admit_priority(store, pod)
    _tolerate(spec)
    _admit_runtime_class(store, pod)
    pod["status"] = {"phase": "Pending", "qosClass": quality_of_service(spec)}


def _refusal(pod: Tree, why: str) -> Rejected:
    meta = pod["metadata"]
    return Rejected("pods", meta.get("name") or meta.get("generateName", ""), why)


def _admit_service_account(store: Store, pod: Tree) -> None:
    spec, namespace = pod["spec"], pod["metadata"].get("namespace")
    if "kubernetes.io/config.mirror" in (pod["metadata"].get("annotations") or {}):
        return
    name = spec.setdefault("serviceAccountName", "default")
    spec["serviceAccount"] = name
    # The default account is made a moment after its namespace; a real server makes clients try again.
    if name != "default" and store.peek("serviceaccounts", name, namespace) is None:
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise _refusal(pod, why)


def _admit_priority(store: Store, pod: Tree) -> None:
    spec = pod["spec"]
    name = spec.get("priorityClassName")
    if not name:
        spec.setdefault("priority", 0)
        spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
        return
    found = store.peek("priorityclasses.scheduling.k8s.io", name)
    if found is None:
        raise _refusal(pod, f"no PriorityClass with name {name} was found")
    spec["priority"] = found.get("value", 0)
    spec.setdefault("preemptionPolicy", found.get("preemptionPolicy", "PreemptLowerPriority"))


def _admit_runtime_class(store: Store, pod: Tree) -> None:
    spec = pod["spec"]
    name = spec.get("runtimeClassName")
    if not name:
        if spec.get("overhead"):
            raise _refusal(pod, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
        return
    found = store.peek("runtimeclasses.node.k8s.io", name)
    if found is None:
        raise _refusal(pod, f'pod rejected: RuntimeClass "{name}" not found')
    overhead = (found.get("overhead") or {}).get("podFixed")
    if spec.get("overhead") and spec["overhead"] != overhead:
        raise _refusal(pod, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
    if overhead:
        spec["overhead"] = dict(overhead)
    scheduling = found.get("scheduling") or {}
    _merge_selector(pod, scheduling.get("nodeSelector") or {})
    merged = _merged_tolerations([*(spec.get("tolerations") or ()), *copied(scheduling.get("tolerations") or [])])
    if merged and scheduling:
        spec["tolerations"] = merged


def _merged_tolerations(every: list[Tree]) -> list[Tree]:
    """Return tolerations without those that another one covers (MergeTolerations of kube-apiserver)."""
    kept: list[Tree] = []
    for index, one in enumerate(every):
        wider = any(_is_superset(other, one) for other in kept)
        if not wider and not any(one != other and _is_superset(other, one) for other in every[index + 1 :]):
            kept.append(one)
    return kept


def _is_superset(wide: Tree, narrow: Tree) -> bool:
    if wide == narrow:
        return True
    key, exists = wide.get("key", ""), wide.get("operator") == "Exists"
    if narrow.get("key", "") != key and (key or not exists):
        return False
    effect = wide.get("effect", "")
    if effect and narrow.get("effect", "") != effect:
        return False
    limit, asked = wide.get("tolerationSeconds"), narrow.get("tolerationSeconds")
    if effect == "NoExecute" and limit is not None and (asked is None or asked > limit):
        return False
    return exists or (narrow.get("operator") == "Equal" and narrow.get("value", "") == wide.get("value", ""))


def _merge_selector(pod: Tree, wanted: Tree) -> None:
    if not wanted:
        return
    selector = pod["spec"].setdefault("nodeSelector", {})
    for key, value in wanted.items():
        if selector.setdefault(key, value) != value:
            why = (
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {selector[key]}"
            )
            raise _refusal(pod, why)


def _tolerate(spec: Tree) -> None:
    present = spec.get("tolerations") or []
    added = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATED_SECONDS}
        for key in _TOLERATED
        if not any(_covers(toleration, key) for toleration in present)
    ]
    if added:
        spec["tolerations"] = [*present, *added]


def _covers(toleration: Tree, key: str) -> bool:
    return toleration.get("key") in {key, None, ""} and toleration.get("effect") in {"NoExecute", None, ""}
