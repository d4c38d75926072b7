"""Proof that a node runs Wasm: a small pod pinned to it, and the note on the node that it did.

Answers demand 32 of shared/facts/demands.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.labels import COMPONENT, PROOF, SYSTEM_NAMESPACE, owned

PROBE_COMPONENT = "shim-probe"
_LONGEST_NAME = 63
_HASH_DIGITS = 8
_DEADLINE_SECONDS = 600  # the pod ends by itself even when nobody comes back for it
_GRACE_SECONDS = 1


def probe_name(node: str, runtime_class: str) -> str:
    """Return the probe pod's name, the same for the same node and RuntimeClass."""
    name = f"probe-{_short(runtime_class)}-{node.removeprefix('aks-')}"
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_DIGITS]
    return f"{name[: _LONGEST_NAME - _HASH_DIGITS - 1].rstrip('-.')}-{digest}"


def _short(runtime_class: str) -> str:
    return runtime_class.removeprefix("aks-wasm-probe-").removeprefix("aks-wasm-")


def probe_manifest(
    shim: Shim, *, node: str, runtime_class: str, image: str, owner: str, pull_policy: str | None = None
) -> dict[str, Any]:
    """Return the pod that proves a shim on one node.

    Args:
        shim: What is to be proved.
        node: The node's name.
        runtime_class: The RuntimeClass under which the node offers it to probes.
        image: A packaged probe that the shim can run.
        owner: The cluster's name.
        pull_policy: `Never` for an image that is on the node already.
    """
    container: dict[str, Any] = {
        "name": "probe",
        "image": image,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}},
    }
    if pull_policy is not None:
        container["imagePullPolicy"] = pull_policy
    if shim.command:
        container["command"] = list(shim.command)
    if shim.probe == "serves" and shim.http_port:
        container["readinessProbe"] = {"tcpSocket": {"port": shim.http_port}, "periodSeconds": 1}
    # By affinity and not by nodeName: the scheduler stays in charge of taints and room.
    pinned = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": probe_name(node, runtime_class),
            "namespace": SYSTEM_NAMESPACE,
            "labels": {**owned(owner), COMPONENT: PROBE_COMPONENT},
            "annotations": {"aks-wasm.dev/node": node},
        },
        "spec": {
            "runtimeClassName": runtime_class,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _DEADLINE_SECONDS,
            "terminationGracePeriodSeconds": _GRACE_SECONDS,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "affinity": {
                "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [pinned]}}
            },
            "containers": [container],
        },
    }


def proof(node: Mapping[str, Any], runtime_class: str, version: str) -> dict[str, str]:
    """Return the annotations that note a proof on a node, those of other RuntimeClasses kept.

    A reboot or a reimage of the node gives it another boot id, and so ends the proof: AKS repairs nodes by reimaging
    them, which silently removes what was installed (KWasm/kwasm-operator#187).
    """
    notes = _notes(node) | {runtime_class: f"{version}@{boot_id(node)}"}
    return {PROOF: json.dumps(notes, sort_keys=True)}


def proved(node: Mapping[str, Any], runtime_class: str, version: str) -> bool:
    """Return whether this version was proved under this RuntimeClass since the node's last boot."""
    return _notes(node).get(runtime_class) == f"{version}@{boot_id(node)}"


def forgotten(node: Mapping[str, Any], runtime_classes: Iterable[str]) -> dict[str, str | None] | None:
    """Return the annotations by which a node forgets the proofs of these RuntimeClasses; None where it has none."""
    notes, gone = _notes(node), frozenset(runtime_classes)
    left = {name: note for name, note in notes.items() if name not in gone}
    if left == notes:
        return None
    return {PROOF: json.dumps(left, sort_keys=True) if left else None}


def boot_id(node: Mapping[str, Any]) -> str:
    """Return what changes whenever the node starts anew."""
    return str(node.get("status", {}).get("nodeInfo", {}).get("bootID", ""))


def _notes(node: Mapping[str, Any]) -> dict[str, str]:
    try:
        notes = json.loads(node.get("metadata", {}).get("annotations", {}).get(PROOF, "{}"))
    except ValueError:
        return {}
    return notes if isinstance(notes, dict) else {}
