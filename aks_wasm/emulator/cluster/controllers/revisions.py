"""The revisions of a Deployment: which ReplicaSet is the new one, how it is made, which old ones are forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from aks_wasm.emulator.cluster.controllers.names import template_hash
from aks_wasm.emulator.cluster.controllers.ownership import controller_reference
from aks_wasm.emulator.cluster.controllers.rollout import (
    DESIRED,
    MAXIMUM,
    PREFIX,
    Rollout,
    size,
    size_of_new,
)
from aks_wasm.emulator.cluster.trees import Tree, copied

HASH = "pod-template-hash"
REVISION = PREFIX + "revision"
_HISTORY = PREFIX + "revision-history"
_OWN = {"kubectl.kubernetes.io/last-applied-configuration", REVISION, _HISTORY, DESIRED, MAXIMUM}


def revision(obj: Tree) -> int:
    """Return the revision an object is annotated with, 0 when it has none."""
    text = (obj["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def sorted_out(deployment: Tree, replica_sets: Sequence[Tree]) -> Rollout:
    """Tell the ReplicaSet of the present template from the others."""
    ordered = sorted(replica_sets, key=lambda one: (one["metadata"]["creationTimestamp"], revision(one)))
    new = next((one for one in ordered if _is_of(one, deployment)), None)
    return Rollout(deployment, new, [one for one in ordered if one is not new])


def next_revision(rollout: Rollout) -> int:
    """Return the revision the new ReplicaSet has at least."""
    return max((revision(one) for one in rollout.old), default=0) + 1


def new_replica_set(rollout: Rollout) -> Tree:
    """Return the ReplicaSet to be made for the Deployment's present template."""
    deployment = rollout.deployment
    spec = deployment["spec"]
    hashed = _hash(deployment)
    template = copied(spec["template"])
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels[HASH] = hashed
    selector = copied(spec["selector"])
    selector.setdefault("matchLabels", {})[HASH] = hashed
    made: Tree = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{hashed}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": dict(labels),
            "annotations": {},
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": {"replicas": size_of_new(rollout), "selector": selector, "template": template},
    }
    if spec.get("minReadySeconds"):
        made["spec"]["minReadySeconds"] = spec["minReadySeconds"]
    annotate(made, rollout)
    note_size(made, rollout)
    return made


def annotate(replica_set: Tree, rollout: Rollout) -> None:
    """Give the new ReplicaSet the Deployment's annotations and, when it became the newest again, its revision."""
    annotations = replica_set["metadata"].setdefault("annotations", {})
    for key, value in (rollout.deployment["metadata"].get("annotations") or {}).items():
        if key not in _OWN:
            annotations[key] = value
    before, wanted = revision(replica_set), next_revision(rollout)
    if before >= wanted:
        return
    annotations[REVISION] = str(wanted)
    if before:
        past = annotations.get(_HISTORY)
        annotations[_HISTORY] = f"{past},{before}" if past else str(before)


def note_size(replica_set: Tree, rollout: Rollout) -> None:
    """Write down for what size of the Deployment a ReplicaSet was sized."""
    annotations = replica_set["metadata"].setdefault("annotations", {})
    annotations[DESIRED] = str(rollout.replicas)
    annotations[MAXIMUM] = str(rollout.replicas + rollout.max_surge)


def forgotten(rollout: Rollout) -> list[Tree]:
    """Return the empty ones of the old ReplicaSets beyond revisionHistoryLimit, oldest revision first."""
    alive = [one for one in rollout.old if "deletionTimestamp" not in one["metadata"]]
    surplus = len(alive) - rollout.deployment["spec"].get("revisionHistoryLimit", 10)
    return [one for one in sorted(alive, key=revision)[: max(0, surplus)] if _is_empty(one)]


def _is_empty(replica_set: Tree) -> bool:
    metadata, status = replica_set["metadata"], replica_set.get("status") or {}
    settled = metadata["generation"] <= status.get("observedGeneration", 0)
    return bool(size(replica_set) == 0 == status.get("replicas", 0) and settled)


def _hash(deployment: Tree) -> str:
    collisions = (deployment.get("status") or {}).get("collisionCount")
    return template_hash(deployment["spec"]["template"], collisions)


def _is_of(replica_set: Tree, deployment: Tree) -> bool:
    """Tell whether a ReplicaSet is of the present template, whatever defaults were added to its own copy."""
    if (replica_set["metadata"].get("labels") or {}).get(HASH) == _hash(deployment):
        return True
    template: Tree = copied(replica_set["spec"]["template"])
    template.get("metadata", {}).get("labels", {}).pop(HASH, None)
    return bool(template == deployment["spec"]["template"])
