"""One look at everything: the provider's side and the cluster's own API, side by side, writing nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aks_wasm.errors import AksWasmError, NotAllowed, UsageError
from aks_wasm.kube.workloads import owned_by
from aks_wasm.plan.live import Key, LiveObjects
from aks_wasm.providers.base import Observed, ObservedCluster
from aks_wasm.providers.ownership import refuse_foreign_cluster, refuse_foreign_group
from aks_wasm.shims.installer import INSTALLER
from aks_wasm.shims.labels import COMPONENT
from aks_wasm.spec.models import SecretValue
from aks_wasm.steps.shim_controller import managed_objects
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.managed import is_managed

KINDS = ("RuntimeClass", "DaemonSet", "Deployment", "Job", "Service", "ConfigMap", "Lease")
"""What is listed at each look, side by side."""

INSTALLER_KINDS = ("ServiceAccount", "Role", "RoleBinding")
"""What is listed beside where our installer works. Its namespace need not be: all that is inside would be gone with it,
or shows by pods that are not admitted."""

_SMALL = {"ConfigMap": f"{COMPONENT}={INSTALLER}"}  # not the parts of binaries, which may be large


def observe(run: Run) -> tuple[Observed, LiveObjects]:
    """Look at the provider, and into the cluster."""
    observed = run.provider.observe(run.spec)
    return observed, look_inside(run, observed)


def look_inside(run: Run, observed: Observed) -> LiveObjects:
    """Look at the cluster's API when there is a cluster that runs.

    A cluster that is not at rest may not let anybody in: what is inside then counts as unknown, since the plan brings
    the cluster to rest first.
    """
    cluster = observed.cluster
    if cluster is None or not cluster.running or cluster.api_server is None or cluster.state == "Creating":
        return LiveObjects()
    try:
        return observe_objects(run)
    except NotAllowed:
        raise
    except AksWasmError:
        if cluster.state == "Succeeded":
            raise
        return LiveObjects()


def observe_objects(run: Run) -> LiveObjects:
    """List what carries our mark, and the nodes."""
    client = run.connect()
    labels = owned_by(run.spec.name)
    kinds = _kinds(run)
    with ThreadPoolExecutor(len(kinds) + 1, thread_name_prefix="observe") as threads:
        nodes = threads.submit(client.list, "Node")
        selectors = {kind: ",".join(filter(None, (labels, _SMALL.get(kind)))) for kind in kinds}
        listed = {kind: threads.submit(client.list, kind, labels=selectors[kind]) for kind in kinds}
        objects: dict[Key, Any] = {
            (kind, item["metadata"].get("namespace"), item["metadata"]["name"]): item
            for kind, future in listed.items()
            for item in future.result()
        }
        managed = managed_objects(client, run.spec.name) if is_managed(run) else []
        objects |= {(item["kind"], None, item["metadata"]["name"]): item for item in managed}
        return LiveObjects(objects, tuple(nodes.result()), reachable=True)


def _kinds(run: Run) -> tuple[str, ...]:
    """Return the kinds whose objects a spec can ask for on this provider: each costs a request at each look."""
    has_secrets = any(isinstance(value, SecretValue) for w in run.spec.workloads for value in w.env.values())
    inside = ("Namespace",) if run.provider.info.brings_shims or is_managed(run) else INSTALLER_KINDS
    return (*KINDS, *inside, *(("Secret",) if has_secrets else ()))


def existing_cluster(run: Run) -> ObservedCluster:
    """Return the cluster of the file.

    Raises:
        UsageError: There is none.
        Refused: It is not ours.
    """
    observed = run.provider.observe(run.spec)
    refuse_foreign(observed, run.spec.name)
    if observed.cluster is None:
        raise UsageError(
            f"there is no cluster `{run.spec.name}`", code="NoCluster", hint="`aks-wasm up` makes it from the file"
        )
    return observed.cluster


def refuse_foreign(observed: Observed, name: str) -> None:
    """Refuse a cluster that is not ours, and a group that carries another owner's mark.

    A group without any mark may hold our cluster (many teams are given one); `down` then leaves the group alone.

    Raises:
        Refused: Naming whose it is and the way out.
    """
    if observed.group is not None:
        refuse_foreign_group(observed.group, name, unmarked_is_fine=True)
    if observed.cluster is not None:
        refuse_foreign_cluster(observed.cluster, name)
