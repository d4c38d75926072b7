"""DaemonSet: one pod on each node that its template allows, replaced a few at a time when the template changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from aks_wasm.emulator.cluster.controllers import pods as podlike
from aks_wasm.emulator.cluster.controllers.daemon_plan import HASH, Fate, fate, node_of, outdated, template_for
from aks_wasm.emulator.cluster.controllers.names import template_hash
from aks_wasm.emulator.cluster.controllers.ownership import claim, controller_of, controller_reference
from aks_wasm.emulator.cluster.controllers.work import Key, Notice, key_of
from aks_wasm.emulator.cluster.controllers.world import World
from aks_wasm.emulator.cluster.trees import Tree, copied

PLURAL = "daemonsets.apps"
REVISIONS = "controllerrevisions.apps"
_FAILED_POD_PAUSE = 1.0  # seconds before a failed daemon pod is replaced
_LEAST_PAUSE = 0.05  # seconds of wall time, so that a pod that always fails does not spin at pace 0


class DaemonSetController:
    """Makes and deletes daemon pods node by node."""

    watches = (PLURAL, "pods", "nodes")

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store

    def keys(self, notice: Notice) -> Iterable[Key]:
        """A DaemonSet itself, the one that controls a changed pod, or all when a node changed."""
        if notice.plural == PLURAL:
            return [key_of(notice.object)]
        if notice.plural == "nodes":
            return [key_of(obj) for obj in self._store.view(PLURAL)]
        reference = controller_of(notice.object)
        if reference is None or reference["kind"] != "DaemonSet":
            return []
        return [Key(notice.object["metadata"]["namespace"], reference["name"])]

    def reconcile(self, key: Key) -> float | None:
        """Bring one DaemonSet's pods and status up to date.

        Raises:
            ApiFailure: A pod could not be made.
        """
        daemon_set = self._store.get(PLURAL, key.name, key.namespace)
        if daemon_set is None:
            return None
        hashed = self._revision(daemon_set)
        fates = {node["metadata"]["name"]: fate(daemon_set, node) for node in self._store.view("nodes")}
        again = None
        try:
            if not podlike.is_going(daemon_set):
                again = self._place(daemon_set, fates, hashed)
                self._replace_outdated(daemon_set, fates, hashed)
        finally:
            self._write_status(daemon_set, fates, hashed)
        return again or self._until_available(daemon_set)

    def _until_available(self, daemon_set: Tree) -> float | None:
        min_ready = self._min_ready(daemon_set)
        pods = [pod for rows in self._by_node(daemon_set).values() for pod in rows]
        return min((left for pod in pods if (left := podlike.seconds_to_available(pod, min_ready))), default=None)

    def _by_node(self, daemon_set: Tree) -> dict[str, list[Tree]]:
        found: dict[str, list[Tree]] = defaultdict(list)
        for pod in claim(self._store, "pods", daemon_set, daemon_set["spec"].get("selector")):
            found[node_of(pod)].append(pod)
        return found

    def _place(self, daemon_set: Tree, fates: Mapping[str, Fate], hashed: str) -> float | None:
        pods = self._by_node(daemon_set)
        ended = [pod for rows in pods.values() for pod in rows if podlike.is_finished(pod)]
        for pod in ended:
            self._clear_away(daemon_set, pod)
        for name, verdict in fates.items():
            rows = [pod for pod in pods.get(name, []) if not podlike.is_finished(pod)]
            living = sorted(
                (pod for pod in rows if not podlike.is_going(pod)), key=lambda pod: pod["metadata"]["creationTimestamp"]
            )
            if verdict.runs and not rows and not pods.get(name):
                self._world.create_pod(daemon_set, template_for(daemon_set, name, hashed))
            for pod in living[1:] if verdict.stays else living:
                self._world.delete_pod(daemon_set, pod)
        return max(_LEAST_PAUSE, self._world.pace.scaled(_FAILED_POD_PAUSE)) if ended else None

    def _clear_away(self, daemon_set: Tree, pod: Tree) -> None:
        if podlike.is_going(pod):
            return
        name, failed = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}", podlike.phase(pod) == "Failed"
        if failed:
            text = f"Found failed daemon pod {name} on node {node_of(pod)}, will try to kill it"
            self._world.tell(daemon_set, "FailedDaemonPod", text, warning=True)
        else:
            text = f"Found succeeded daemon pod {name} on node {node_of(pod)}, will try to delete it"
            self._world.tell(daemon_set, "SucceededDaemonPod", text)
        self._world.delete_pod(daemon_set, pod)

    def _replace_outdated(self, daemon_set: Tree, fates: Mapping[str, Fate], hashed: str) -> None:
        wanted = [name for name, verdict in fates.items() if verdict.runs]
        pods = [pod for name, rows in self._by_node(daemon_set).items() if name in wanted for pod in rows]
        for pod in outdated(daemon_set, pods, hashed, desired=len(wanted), min_ready=self._min_ready(daemon_set)):
            self._world.delete_pod(daemon_set, pod)

    def _min_ready(self, daemon_set: Tree) -> float:
        return self._world.pace.scaled(daemon_set["spec"].get("minReadySeconds", 0))

    def _revision(self, daemon_set: Tree) -> str:
        """Make the ControllerRevision of the present template the newest; return its hash."""
        metadata, template = daemon_set["metadata"], daemon_set["spec"]["template"]
        hashed = template_hash(template)
        name = f"{metadata['name']}-{hashed}"
        known = claim(self._store, REVISIONS, daemon_set, daemon_set["spec"].get("selector"))
        newest = max((row["revision"] for row in known), default=0)
        found = next((row for row in known if row["metadata"]["name"] == name), None)
        if found is None and not podlike.is_going(daemon_set):
            self._store.create(REVISIONS, _controller_revision(daemon_set, name, hashed, newest + 1))
            self._forget_old(daemon_set, known)
        elif found is not None and found["revision"] < newest:
            self._store.mutate(REVISIONS, name, metadata["namespace"], lambda fresh: fresh.update(revision=newest + 1))
        return hashed

    def _forget_old(self, daemon_set: Tree, known: Sequence[Tree]) -> None:
        used = {pod["metadata"]["labels"].get(HASH) for rows in self._by_node(daemon_set).values() for pod in rows}
        unused = [row for row in known if row["metadata"]["labels"].get(HASH) not in used]
        surplus = len(unused) - daemon_set["spec"].get("revisionHistoryLimit", 10)
        for row in sorted(unused, key=lambda one: int(one["revision"]))[: max(0, surplus)]:
            self._store.delete(REVISIONS, row["metadata"]["name"], row["metadata"]["namespace"])

    def _write_status(self, daemon_set: Tree, fates: Mapping[str, Fate], hashed: str) -> None:
        pods, min_ready = self._by_node(daemon_set), self._min_ready(daemon_set)
        wanted = [name for name, verdict in fates.items() if verdict.runs]
        oldest = [rows[0] for name in wanted if (rows := [pod for pod in pods.get(name, []) if podlike.is_active(pod)])]
        counts = {
            "desiredNumberScheduled": len(wanted),
            "currentNumberScheduled": len(oldest),
            "numberMisscheduled": sum(bool(pods.get(name)) for name, verdict in fates.items() if not verdict.runs),
            "numberReady": sum(podlike.is_ready(pod) for pod in oldest),
            "updatedNumberScheduled": sum(pod["metadata"]["labels"].get(HASH) == hashed for pod in oldest),
            "numberAvailable": sum(podlike.is_available(pod, min_ready) for pod in oldest),
        }
        counts["numberUnavailable"] = len(wanted) - counts["numberAvailable"]
        always = {"desiredNumberScheduled", "currentNumberScheduled", "numberMisscheduled", "numberReady"}

        def change(fresh: Tree) -> None:
            status = fresh.setdefault("status", {})
            for field, value in counts.items():
                if value or field in always:
                    status[field] = value
                else:
                    status.pop(field, None)
            status["observedGeneration"] = daemon_set["metadata"]["generation"]

        self._store.mutate(PLURAL, daemon_set["metadata"]["name"], daemon_set["metadata"]["namespace"], change)


def _controller_revision(daemon_set: Tree, name: str, hashed: str, revision: int) -> Tree:
    template = copied(daemon_set["spec"]["template"])
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "namespace": daemon_set["metadata"]["namespace"],
            "labels": {**template.get("metadata", {}).get("labels", {}), HASH: hashed},
            "ownerReferences": [controller_reference(daemon_set)],
        },
        "data": {"spec": {"template": {**template, "$patch": "replace"}}},
        "revision": revision,
    }
