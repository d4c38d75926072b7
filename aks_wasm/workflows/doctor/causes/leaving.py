"""What was deleted and does not go: finalizers that nobody serves, pods of nodes that don't answer.

Answers demand 40 of shared/facts/demands.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aks_wasm.workflows.doctor.findings import Finding
from aks_wasm.workflows.doctor.objects import Manifest, condition_of, name_of, node_of, place_of, time_of
from aks_wasm.workflows.doctor.view import View

_PATIENCE_SECONDS = 60  # beyond the grace period
_UNFINALIZED = '{"metadata":{"finalizers":null}}'
_REMAINING = re.compile(r"(?P<resource>[\w.-]+) has (?P<count>\d+) resource instances")


def hanging_pods(view: View) -> Iterator[Finding]:
    """Find pods whose end is overdue."""
    for pod in view.of("Pod"):
        if not view.concerns_us(pod) or not _is_overdue(view, pod):
            continue
        node = node_of(pod) or ""
        down = condition_of(view.nodes.get(node, {}), "Ready").get("status") != "True"
        why = f"its node `{node}` does not answer" if node and down else "its shim does not end it"
        if pod["metadata"].get("finalizers"):
            why = f"the finalizers {', '.join(pod['metadata']['finalizers'])} hold it"
        namespace = ("--namespace", str(pod["metadata"].get("namespace")))
        command = view.ways.kubectl(*namespace, "delete", "pod", name_of(pod), "--force", "--grace-period=0")
        if pod["metadata"].get("finalizers"):
            command = view.ways.kubectl(*namespace, "patch", "pod", name_of(pod), "--patch", _UNFINALIZED)
        yield Finding(
            "PodHangs",
            f"it was deleted and does not go: {why}",
            place_of(pod),
            node=node or None,
            demand=40,
            evidence=f"metadata.deletionTimestamp is {pod['metadata']['deletionTimestamp']}",
            command=command,
            group="/".join(view.owner_of(pod)),
        )


def hanging_objects(view: View) -> Iterator[Finding]:
    """Find SpinKube's objects that a finalizer holds, since the operator that serves it is gone or fails."""
    for kind in ("SpinApp", "SpinAppExecutor", "Shim"):
        for thing in view.of(kind):
            finalizers = thing["metadata"].get("finalizers") or ()
            if finalizers and _is_overdue(view, thing):
                yield Finding(
                    "FinalizerHangs",
                    f"it was deleted and does not go: the finalizer {', '.join(finalizers)} is served by nobody",
                    place_of(thing),
                    demand=40,
                    evidence=f"metadata.deletionTimestamp is {thing['metadata']['deletionTimestamp']}",
                    command=_unfinalize(view, kind.lower(), name_of(thing), thing["metadata"].get("namespace")),
                )


def hanging_namespaces(view: View) -> Iterator[Finding]:
    """Find namespaces that are going and held by what is left in them, and name that."""
    for namespace in view.of("Namespace"):
        if namespace.get("status", {}).get("phase") != "Terminating" or not _is_overdue(view, namespace):
            continue
        remaining = condition_of(namespace, "NamespaceContentRemaining").get("message", "")
        finalizers = condition_of(namespace, "NamespaceFinalizersRemaining").get("message", "")
        told = " ".join(text for text in (finalizers, remaining) if text)
        match = _REMAINING.search(str(remaining))
        name = name_of(namespace)
        yield Finding(
            "NamespaceHangs",
            "it was deleted and does not go: what is left in it waits for a finalizer that nobody serves",
            place_of(namespace),
            demand=40,
            evidence=told or f"metadata.deletionTimestamp is {namespace['metadata']['deletionTimestamp']}",
            command=_unfinalize_all(view, match["resource"], name) if match else _list_all(view, name),
        )


def _is_overdue(view: View, thing: Manifest) -> bool:
    since = time_of(thing["metadata"].get("deletionTimestamp"))
    # The API sets it to the moment at which the grace period ends.
    return since is not None and (view.now - since).total_seconds() > _PATIENCE_SECONDS


def _unfinalize(view: View, kind: str, name: str, namespace: str | None) -> str:
    where = ("--namespace", namespace) if namespace else ()
    return view.ways.kubectl(*where, "patch", kind, name, "--type", "merge", "--patch", _UNFINALIZED)


def _unfinalize_all(view: View, resource: str, namespace: str) -> str:
    where = ("--namespace", namespace)
    names = view.ways.kubectl(*where, "get", resource, "--output", "name")
    patched = view.ways.kubectl(*where, "patch", "--type", "merge", "--patch", _UNFINALIZED)
    return f"{names} | xargs --max-args 1 {patched}"


def _list_all(view: View, namespace: str) -> str:
    every = view.ways.kubectl("api-resources", "--verbs=list", "--namespaced", "--output", "name")
    shown = view.ways.kubectl("--namespace", namespace, "get", "--show-kind", "--ignore-not-found")
    return f"{every} | xargs -n 1 {shown}"
