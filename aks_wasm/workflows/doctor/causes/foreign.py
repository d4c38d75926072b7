"""What other installers of shims leave behind: runtime-class-manager, KWasm, the spin-operator's RuntimeClass.

Answers demands 29, 30, 32 and 33 of shared/facts/demands.md; what these installers do is in facts wasm.md, 0 and 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from aks_wasm.workflows.doctor.findings import Finding
from aks_wasm.workflows.doctor.objects import (
    Manifest,
    annotations_of,
    labels_of,
    name_of,
    place_of,
    shim_of,
    time_of,
)
from aks_wasm.workflows.doctor.view import View

_KWASM = "kwasm.sh/kwasm-node"
_PROVISIONED = "provisioned"
_SETTLE_SECONDS = 60  # runtime-class-manager needs a moment to take a change up


@dataclass(frozen=True)
class Foreign:
    """An installer that is not ours, and the command that makes it provision a node again."""

    installer: str
    again: str


def provisioned_by(view: View, node: Manifest, handler: str) -> Foreign | None:
    """Return which foreign installer counts a node as having a handler; None when none does."""
    for shim in view.of("Shim"):
        label = name_of(shim)
        wanted = (shim.get("spec", {}).get("runtimeClass") or {}).get("handler")
        if handler in (label, wanted) and labels_of(node).get(label) == _PROVISIONED:
            return Foreign(f"runtime-class-manager (Shim `{label}`)", _again(view, name_of(node), label))
    if annotations_of(node).get(_KWASM) == "true":
        command = view.ways.install(shim_of(handler) or "")
        return Foreign("KWasm, which is retired,", command)
    return None


def _again(view: View, node: str, shim: str) -> str:
    """Return what makes runtime-class-manager install once more: it trusts its label, and its finished Job's name."""
    jobs = [job for job in view.of("Job") if name_of(job) == f"{node}-{shim}-install"]
    unlabel = view.ways.kubectl("label", "node", node, f"{shim}-")
    if not jobs:
        return unlabel
    namespace = jobs[0]["metadata"].get("namespace", "default")
    drop = view.ways.kubectl("--namespace", namespace, "delete", "job", name_of(jobs[0]))
    return f"{drop} && {unlabel}"


def provider_of(node: Manifest) -> str:
    """Return who the node's machine is from, for example `azure`."""
    return str(node.get("spec", {}).get("providerID", "")).partition(":")[0]


def differing_handlers(view: View) -> Iterator[Finding]:
    """Find Shims whose RuntimeClass exists with another handler: runtime-class-manager leaves it as it is."""
    for shim in view.of("Shim"):
        wanted = shim.get("spec", {}).get("runtimeClass") or {}
        live = view.runtime_classes.get(str(wanted.get("name")))
        if live is None or live.get("handler") == wanted.get("handler"):
            continue
        read = view.ways.kubectl("get", "runtimeclass", name_of(live), "--output", "yaml")
        write = view.ways.kubectl("replace", "--force", "--filename", "-")
        yield Finding(
            "HandlersDiffer",
            f"it has the handler `{live.get('handler')}` (as the spin-operator's file makes it), and the Shim "
            f"`{name_of(shim)}` installs `{wanted.get('handler')}`",
            place_of(live),
            demand=29,
            evidence=f"Shim {name_of(shim)}: spec.runtimeClass.handler is {wanted.get('handler')}",
            command=f"{read} | sed 's/^handler: .*/handler: {wanted.get('handler')}/' | {write}",
        )


def ignored_changes(view: View) -> Iterator[Finding]:
    """Find Shims whose binary's place was changed after nodes had been provisioned: nothing is installed anew."""
    for shim in view.of("Shim"):
        label, changed = name_of(shim), _written(shim, "f:spec", "f:fetchStrategy")
        if changed is None or (view.now - changed).total_seconds() < _SETTLE_SECONDS:
            continue
        for node in view.nodes.values():
            since = _written(node, "f:metadata", "f:labels", f"f:{label}")
            if labels_of(node).get(label) == _PROVISIONED and since is not None and since < changed:
                yield Finding(
                    "ShimChangeIgnored",
                    f"the Shim `{label}` was changed after the node was provisioned, and runtime-class-manager does "
                    "not install again: the node still has the older binary",
                    place_of(shim),
                    severity="warning",
                    node=name_of(node),
                    demand=33,
                    evidence=f"fetchStrategy written {changed:%Y-%m-%d %H:%M}, {label}={_PROVISIONED} {since:%H:%M}",
                    command=_again(view, name_of(node), label),
                )


def _written(thing: Manifest, *path: str) -> datetime | None:
    """Return when a field was written last, by the object's managed fields."""
    found = None
    for entry in thing["metadata"].get("managedFields") or ():
        fields = entry.get("fieldsV1") or {}
        for key in path:
            fields = fields.get(key) if isinstance(fields, dict) else None
        time = time_of(entry.get("time"))
        if fields is not None and time is not None and (found is None or time > found):
            found = time
    return found


def failed_provisions(view: View) -> Iterator[Finding]:
    """Find nodes that runtime-class-manager says it failed on; its Job's log says why."""
    for shim in view.of("Shim"):
        label = name_of(shim)
        for node in view.nodes.values():
            if labels_of(node).get(label) == "failed":
                yield Finding(
                    "ProvisionFailed",
                    f"runtime-class-manager could not put the Shim `{label}` on the node",
                    place_of(shim),
                    node=name_of(node),
                    demand=30,
                    evidence=f"label {label}=failed of the node",
                    command=_again(view, name_of(node), label),
                )


def missing_cgroup_option(view: View) -> Iterator[Finding]:
    """Find Shims without SystemdCgroup on AKS, whose nodes use systemd: metrics of their pods stay empty."""
    on_azure = [node for node in view.nodes.values() if provider_of(node) == "azure"]
    for shim in view.of("Shim"):
        options = shim.get("spec", {}).get("containerdRuntimeOptions") or {}
        used = [node for node in on_azure if labels_of(node).get(name_of(shim)) == _PROVISIONED]
        if used and options.get("SystemdCgroup") != "true":
            patch = '{"spec":{"containerdRuntimeOptions":{"SystemdCgroup":"true"}}}'
            patched = view.ways.kubectl("patch", "shim", name_of(shim), "--type", "merge", "--patch", patch)
            yield Finding(
                "NoSystemdCgroup",
                "the nodes use systemd's cgroups and the shim is not told so: `kubectl top` sees nothing of its pods",
                place_of(shim),
                severity="warning",
                demand=42,
                evidence="spec.containerdRuntimeOptions has no SystemdCgroup",
                command=f"{patched} && {_again(view, name_of(used[0]), name_of(shim))}",
            )
