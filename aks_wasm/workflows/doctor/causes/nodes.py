"""Nodes that are not ready, and proofs that an older boot of a node has given.

Answers demands 30 and 32 of shared/facts/demands.md.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from aks_wasm.kube.sayings import hear
from aks_wasm.shims.labels import PROOF
from aks_wasm.shims.probe import boot_id
from aks_wasm.workflows.doctor.findings import Finding
from aks_wasm.workflows.doctor.objects import (
    Manifest,
    annotations_of,
    condition_of,
    name_of,
    node_of,
    place_of,
)
from aks_wasm.workflows.doctor.view import View
from aks_wasm.workflows.doctor.ways import reimage

_HIGHER = "higher than root config version"  # containerd's word for a drop-in that it does not start with


def unready_nodes(view: View) -> Iterator[Finding]:
    """Find nodes that are not ready; a containerd that does not come back is told apart."""
    for node in view.nodes.values():
        ready = condition_of(node, "Ready")
        if ready.get("status") == "True" or not ready:
            continue
        said = str(ready.get("message", ""))
        heard = hear(said)
        down = heard is not None and heard.code == "ContainerdDown"
        higher = _too_high(view, node)
        words = "containerd does not answer there" if down else "the node is not ready"
        if higher:
            words = "containerd does not start: a drop-in has a version above the root file's"
        yield Finding(
            "ContainerdDown" if down or higher else "NodeNotReady",
            words,
            place_of(node),
            node=name_of(node),
            demand=30 if down or higher else None,
            evidence=higher or f"Ready is {ready.get('status')}: {said}",
            command=_revive(view, node),
        )


def _too_high(view: View, node: Manifest) -> str | None:
    """Return the line that says that a drop-in's version is too high, where the installer or an event has it."""
    report = view.reports.get(name_of(node))
    if report is not None and report.error and _HIGHER in report.error:
        return report.error
    for pod in view.installer_pods():
        if node_of(pod) == name_of(node):
            for status in pod.get("status", {}).get("initContainerStatuses") or ():
                for line in view.log_of(pod, str(status.get("name"))).splitlines():
                    if _HIGHER in line:
                        return line
    return None


def _revive(view: View, node: Manifest) -> str:
    provider = str(node.get("spec", {}).get("providerID", ""))
    if provider.startswith("kind://"):
        # A configuration that it refuses is said at once; in the journal systemd's tries to start it again bury that.
        look = "containerd config dump >/dev/null && journalctl --unit containerd --lines 20"
        return shlex.join(["docker", "exec", name_of(node), "sh", "-c", look])
    return reimage(provider) or view.ways.kubectl("describe", "node", name_of(node))


def outdated_proofs(view: View) -> Iterator[Finding]:
    """Find nodes that have started anew since they were proved, where no installer says that all is as wanted."""
    for node in view.nodes.values():
        report = view.reports.get(name_of(node))
        if report is not None and report.healthy:
            continue
        try:
            notes = json.loads(annotations_of(node).get(PROOF, "{}"))
        except ValueError:
            continue
        now = boot_id(node)
        old = sorted(name for name, note in notes.items() if str(note).rpartition("@")[2] != now)
        if old and condition_of(node, "Ready").get("status") == "True":
            yield Finding(
                "ProofOutdated",
                f"the node started anew after `{'`, `'.join(old)}` was proved there; AKS reimages nodes to repair them",
                place_of(node),
                severity="warning",
                node=name_of(node),
                demand=32,
                evidence=f"{PROOF} is of the boot {str(notes[old[0]]).rpartition('@')[2][:8]}, now it is {now[:8]}",
                command=view.ways.up() if view.ways.spec else view.ways.runtime("verify"),
            )
