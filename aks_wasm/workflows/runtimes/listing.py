"""`runtime list`: every RuntimeClass of the cluster, whose it is, where it works, who uses it. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from aks_wasm.kube.runtime_users import User, running, users_of
from aks_wasm.shims.catalogue import Shim, select
from aks_wasm.shims.installer import INSTALLER, shims_of
from aks_wasm.shims.labels import MANAGED_BY, MANAGER, PART_OF, READY, SYSTEM_NAMESPACE, owned, ready_label
from aks_wasm.shims.preview import preview_of
from aks_wasm.shims.probe import proved
from aks_wasm.shims.runtime_class import probe_class_name
from aks_wasm.shims.runtime_class_manager import is_provisioned, shim_of
from aks_wasm.steps.shim_controller import every_shim
from aks_wasm.workflows.managed import KIND
from aks_wasm.workflows.runtimes.answers import RuntimeClassList, RuntimeClassState
from aks_wasm.workflows.runtimes.site import Node, Site, is_marked, labels_of, name_of

_OTHERS = {
    "runtime.spinkube.dev": KIND,
    "core.spinkube.dev": "SpinKube",
}
_KWASM = "kwasm.sh/kwasm-provisioned"  # the label that kwasm-operator puts on nodes it has worked on
_SHOWN_PODS = 3


def list_runtimes(site: Site) -> RuntimeClassList:
    """Return the RuntimeClasses, ours first; those of our own probes are left out."""
    client = site.run.connect()
    with ThreadPoolExecutor(4, thread_name_prefix="list") as threads:
        shims = threads.submit(every_shim, client)
        listed = threads.submit(client.list, "RuntimeClass")
        nodes = threads.submit(client.list, "Node")
        installer = threads.submit(client.get, "ConfigMap", INSTALLER, SYSTEM_NAMESPACE)
        classes = [found for found in listed.result() if not _is_of_probes(found)]
        present = {shim.handler: shim for shim in shims_of(installer.result() or {})}
    users = users_of(client, map(name_of, classes))
    managed = {str(live["spec"]["runtimeClass"]["name"]): live for live in shims.result()}
    look = _Look(site, {**_brought(site), **present}, nodes.result(), bool(present), users, managed)
    states = [_state(found, look) for found in classes]
    return RuntimeClassList(tuple(sorted(states, key=lambda state: (state.made_by != MANAGER, state.name))))


@dataclass(frozen=True)
class _Look:
    """What was seen: our shims by handler, the nodes, whether our installer works here, who uses what.

    `managed` has the Shims of runtime-class-manager by their RuntimeClass.
    """

    site: Site
    shims: Mapping[str, Shim]
    nodes: Sequence[Node]
    installer: bool
    users: Sequence[User]
    managed: Mapping[str, Mapping[str, Any]]


def _brought(site: Site) -> dict[str, Shim]:
    return {shim.handler: shim for shim in select(site.run.spec.shims)}


def _state(found: Mapping[str, Any], look: _Look) -> RuntimeClassState:
    name, handler = name_of(found), str(found["handler"])
    selector = (found.get("scheduling") or {}).get("nodeSelector") or {}
    marks = owned(look.site.run.spec.name).items()
    live = look.managed.get(name) if _of_shim(found) else None
    ours = marks <= labels_of(found if live is None else live).items()
    shim = shim_of(live) if live is not None else look.shims.get(handler) if ours else None
    preview = preview_of(name, handler)
    fitting = [node for node in look.nodes if selector.items() <= labels_of(node).items()]
    ready: int | None = None
    if live is not None:
        ready = sum(is_provisioned(node, name_of(live)) for node in fitting)
    elif shim is not None:
        # The class selects nodes that are ready; how many there should be says the installer's mark, or the pools.
        ready = sum(labels_of(node).get(ready_label(handler)) == READY for node in look.nodes)
        fitting = [node for node in look.nodes if is_marked(node)] if look.installer else look.site.nodes()
    elif ours:
        ready = sum(proved(node, name, preview.version if preview else "") for node in fitting)
    return RuntimeClassState(
        runtime_class=name,
        shim=shim.name if shim else preview.name if preview else None,
        version=(shim.version or None) if shim else preview.version if preview else None,
        handler=handler,
        made_by=_made_by(found, look.nodes, ours=ours),
        installer=_installer(look, found, shim, live),
        ready=ready,
        nodes=len(fitting),
        used_by=_used_by([user for user in look.users if user.runtime_class == name]),
    )


def _installer(look: _Look, found: Mapping[str, Any], shim: Shim | None, live: Mapping[str, Any] | None) -> str | None:
    """Return what puts the shim on the nodes, where that is known."""
    if live is not None or _of_shim(found):
        return KIND
    return "daemonset" if shim is not None and look.installer else None


def _of_shim(found: Mapping[str, Any]) -> bool:
    """Return whether runtime-class-manager made a RuntimeClass."""
    references = found["metadata"].get("ownerReferences") or ()
    return any(str(one.get("apiVersion", "")).startswith("runtime.spinkube.dev/") for one in references)


def _used_by(users: Sequence[User]) -> tuple[str, ...]:
    """Name workloads; pods only where no workload stands behind them, and then the first few."""
    workloads = [str(user) for user in users if user.kind != "Pod"]
    bare = [str(user) for user in running(users) if not user.controlled]
    more = [f"{len(bare) - _SHOWN_PODS} more pods"] if len(bare) > _SHOWN_PODS else []
    return (*workloads, *bare[:_SHOWN_PODS], *more)


def _made_by(found: Mapping[str, Any], nodes: Sequence[Node], *, ours: bool) -> str:
    if ours:
        return MANAGER
    labels = labels_of(found)
    if labels.get(MANAGED_BY) == MANAGER:
        return f"{MANAGER} of {labels.get(PART_OF)}"
    for reference in found["metadata"].get("ownerReferences") or ():
        group = str(reference.get("apiVersion", "")).partition("/")[0]
        if group in _OTHERS:
            return _OTHERS[group]
    selector = (found.get("scheduling") or {}).get("nodeSelector") or {}
    if any(key.startswith("kubernetes.azure.com/") for key in selector) or preview_of(name_of(found), found["handler"]):
        return "AKS preview"
    if any(_KWASM in labels_of(node) for node in nodes):
        return "KWasm"
    return labels.get(MANAGED_BY) or "others"


def _is_of_probes(found: Mapping[str, Any]) -> bool:
    return labels_of(found).get(MANAGED_BY) == MANAGER and name_of(found) == probe_class_name(str(found["handler"]))
