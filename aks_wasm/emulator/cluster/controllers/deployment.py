"""Deployment: rolls its ReplicaSets from template to template, keeps their revisions and tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aks_wasm.emulator.cluster.controllers import deployment_status as statuses
from aks_wasm.emulator.cluster.controllers import revisions, rollout
from aks_wasm.emulator.cluster.controllers.conditions import Condition, find
from aks_wasm.emulator.cluster.controllers.ownership import claim, controller_of, is_controlled_by
from aks_wasm.emulator.cluster.controllers.pods import is_finished, is_going
from aks_wasm.emulator.cluster.controllers.rollout import Rollout, Sizes, name_of, size
from aks_wasm.emulator.cluster.controllers.work import Key, Notice, key_of
from aks_wasm.emulator.cluster.controllers.world import World
from aks_wasm.emulator.cluster.selectors import selects
from aks_wasm.emulator.cluster.statuses import AlreadyExists, ApiFailure
from aks_wasm.emulator.cluster.trees import Tree

PLURAL = "deployments.apps"
REPLICA_SETS = "replicasets.apps"


class DeploymentController:
    """Makes, sizes and forgets the ReplicaSets of Deployments."""

    watches = (PLURAL, REPLICA_SETS, "pods")

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store

    def keys(self, notice: Notice) -> Iterable[Key]:
        """A Deployment itself, or the one a changed ReplicaSet or a gone pod belongs to."""
        if notice.plural == PLURAL:
            return [key_of(notice.object)]
        if notice.plural == REPLICA_SETS:
            return self._keys_of_replica_set(notice.object)
        if notice.kind != "DELETED":
            return []
        # Recreate waits until no old pod is left.
        reference = controller_of(notice.object)
        if reference is None or reference["kind"] != "ReplicaSet":
            return []
        owner = self._store.peek(REPLICA_SETS, reference["name"], notice.object["metadata"]["namespace"])
        return self._keys_of_replica_set(owner) if owner else []

    def _keys_of_replica_set(self, replica_set: Tree) -> list[Key]:
        namespace = replica_set["metadata"]["namespace"]
        reference = controller_of(replica_set)
        if reference is not None:
            return [Key(namespace, reference["name"])] if reference["kind"] == "Deployment" else []
        labels = replica_set["metadata"].get("labels")
        candidates = self._store.view(PLURAL, namespace)
        return [key_of(obj) for obj in candidates if selects(obj["spec"].get("selector"), labels)]

    def reconcile(self, key: Key) -> float | None:
        """Take one Deployment a step further.

        Raises:
            ApiFailure: The new ReplicaSet could not be made; the status says so already.
        """
        state = self._look(key)
        if state is None:
            return None
        if is_going(state.deployment):
            self._write_status(state, statuses.counted(state))
            return None
        state = self._noted_pause(state)
        if state.new:
            state = self._refreshed_new(state)
        if state.deployment["spec"].get("paused") or rollout.is_scaling(state):
            self._resize(state, rollout.sizes_after_scaling(state))
            state = self._look(key) or state
            self._write_status(state, statuses.counted(state))
            return None
        state = self._roll(state) if state.rolls else self._recreate(state)
        return self._judged(self._look(key) or state)

    def _look(self, key: Key) -> Rollout | None:
        deployment = self._store.get(PLURAL, key.name, key.namespace)
        if deployment is None:
            return None
        owned = claim(self._store, REPLICA_SETS, deployment, deployment["spec"].get("selector"))
        return revisions.sorted_out(deployment, owned)

    def _judged(self, state: Rollout) -> float | None:
        status = statuses.counted(state)
        if statuses.is_complete(state, status):
            for one in revisions.forgotten(state):
                self._store.delete(REPLICA_SETS, name_of(one), one["metadata"]["namespace"])
        left = statuses.judge_progress(state, status)
        self._write_status(state, status)
        return left

    def _roll(self, state: Rollout) -> Rollout:
        state = state if state.new else self._with_new(state)
        new = state.new
        if new is not None and size(new) != state.replicas:
            wanted = {name_of(new): rollout.size_of_new(state)}
            if self._resize(state, wanted):
                return state
        self._resize(state, rollout.sizes_of_old(state))
        return state

    def _recreate(self, state: Rollout) -> Rollout:
        if self._resize(state, {name_of(one): 0 for one in state.old if size(one) > 0}):
            return state
        if self._has_old_pods(state):
            return state
        state = state if state.new else self._with_new(state)
        if state.new is not None:
            self._resize(state, {name_of(state.new): state.replicas})
        return state

    def _has_old_pods(self, state: Rollout) -> bool:
        pods = self._store.view("pods", state.deployment["metadata"]["namespace"])
        return any(is_controlled_by(pod, one) and not is_finished(pod) for one in state.old for pod in pods)

    def _resize(self, state: Rollout, sizes: Sizes) -> bool:
        """Give ReplicaSets their sizes; tell whether any size changed."""
        resized = False
        for one in state.all:
            if name_of(one) in sizes:
                resized |= self._resize_one(state, one, sizes[name_of(one)])
        return resized

    def _resize_one(self, state: Rollout, replica_set: Tree, wanted: int) -> bool:
        before = size(replica_set)

        def change(fresh: Tree) -> None:
            fresh["spec"]["replicas"] = wanted
            revisions.note_size(fresh, state)

        self._store.mutate(REPLICA_SETS, name_of(replica_set), replica_set["metadata"]["namespace"], change)
        if before == wanted:
            return False
        direction = "up" if wanted > before else "down"
        text = f"Scaled {direction} replica set {name_of(replica_set)} from {before} to {wanted}"
        self._world.tell(state.deployment, "ScalingReplicaSet", text)
        return True

    def _refreshed_new(self, state: Rollout) -> Rollout:
        new, deployment = state.new, state.deployment
        if new is None:
            return state

        def change(fresh: Tree) -> None:
            revisions.annotate(fresh, state)
            if seconds := deployment["spec"].get("minReadySeconds"):
                fresh["spec"]["minReadySeconds"] = seconds
            else:
                fresh["spec"].pop("minReadySeconds", None)

        fresh = self._store.mutate(REPLICA_SETS, name_of(new), new["metadata"]["namespace"], change) or new
        said = None
        if find(deployment.get("status") or {}, "Progressing") is None:
            said = Condition("Progressing", "True", "FoundNewReplicaSet", f'Found new replica set "{name_of(new)}"')
        return Rollout(self._noted(deployment, revisions.revision(fresh), said), fresh, state.old)

    def _with_new(self, state: Rollout) -> Rollout:
        wanted = revisions.new_replica_set(state)
        try:
            new = self._store.create(REPLICA_SETS, wanted)
        except AlreadyExists:
            self._count_collision(state.deployment)
            raise
        except ApiFailure as failure:
            text = f'Failed to create new replica set "{name_of(wanted)}": {failure.message}'
            self._noted(state.deployment, None, Condition("Progressing", "False", "ReplicaSetCreateError", text))
            self._world.tell(state.deployment, "ReplicaSetCreateError", text, warning=True)
            raise
        if size(new):
            text = f"Scaled up replica set {name_of(new)} from 0 to {size(new)}"
            self._world.tell(state.deployment, "ScalingReplicaSet", text)
        said = Condition("Progressing", "True", "NewReplicaSetCreated", f'Created new replica set "{name_of(new)}"')
        return Rollout(self._noted(state.deployment, revisions.revision(new), said), new, state.old)

    def _noted(self, deployment: Tree, revision: int | None, said: Condition | None) -> Tree:
        """Write the Deployment's revision and, where it has a deadline, how it progresses."""

        def change(fresh: Tree) -> None:
            if revision:
                fresh["metadata"].setdefault("annotations", {})[revisions.REVISION] = str(revision)
            if said and statuses.deadline(fresh) is not None:
                statuses.say(fresh.setdefault("status", {}), said)

        return self._changed(deployment, change)

    def _noted_pause(self, state: Rollout) -> Rollout:
        progressing = find(state.deployment.get("status") or {}, "Progressing") or {}
        if progressing.get("reason") == statuses.TIMED_OUT_REASON:
            return state
        was = progressing.get("reason") == statuses.PAUSED_REASON
        paused = bool(state.deployment["spec"].get("paused"))
        if paused == was:
            return state
        said = (
            Condition("Progressing", "Unknown", statuses.PAUSED_REASON, "Deployment is paused")
            if paused
            else Condition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
        )
        return Rollout(self._noted(state.deployment, None, said), state.new, state.old)

    def _count_collision(self, deployment: Tree) -> None:
        def change(fresh: Tree) -> None:
            status = fresh.setdefault("status", {})
            status["collisionCount"] = status.get("collisionCount", 0) + 1

        self._changed(deployment, change)

    def _write_status(self, state: Rollout, status: Tree) -> None:
        def change(fresh: Tree) -> None:
            fresh["status"] = status

        self._changed(state.deployment, change)

    def _changed(self, deployment: Tree, change: Callable[[Tree], None]) -> Tree:
        metadata = deployment["metadata"]
        return self._store.mutate(PLURAL, metadata["name"], metadata["namespace"], change) or deployment
